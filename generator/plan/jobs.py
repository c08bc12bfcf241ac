"""What runs beside the server, in containers of their own of its image: numbers and names of each, worked out."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.formats import memory_text
from ..profile.schema import Profile
from .places import object_name
from .texts import cpu_quantity, cpu_text


@dataclass(frozen=True)
class Job:
    """One of the profile's jobs; templates see all of them as ``plan.jobs``."""

    #: In Compose.
    service: str
    #: Of its objects in a cluster.
    name: str
    command: tuple[str, ...]
    #: For the kubelet, which expands $(NAME) in it; a doubled dollar stands for one.
    args: tuple[str, ...]
    replicas: int
    cpu_text: str
    cpu_quantity: str
    cpu_request_quantity: str
    memory_bytes: int
    memory_quantity: str
    stop_seconds: int
    #: The label that tells its pods from the app's.
    component: str = "job"


def job_name(profile: Profile, name: str) -> str:
    """Of the objects of one job in a cluster."""
    return f"{object_name(profile)}-{name}"


def plan_jobs(profile: Profile) -> tuple[Job, ...]:
    """The jobs of a profile without faults."""
    return tuple(
        Job(
            service=one.name,
            name=job_name(profile, one.name),
            command=one.command,
            args=tuple(word.replace("$", "$$") for word in one.command),
            replicas=one.replicas,
            cpu_text=cpu_text(one.resources.cpu),
            cpu_quantity=cpu_quantity(one.resources.cpu),
            cpu_request_quantity=cpu_quantity(one.resources.cpu_request or one.resources.cpu),
            memory_bytes=one.resources.memory,
            memory_quantity=memory_text(one.resources.memory),
            stop_seconds=one.graceful_timeout,
        )
        for one in profile.jobs
    )
