"""What must have succeeded before a release serves: where it runs, and how the pods learn of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.schema import Profile
from .places import object_name
from .volumes import single_claim

#: Of the names of its objects, behind the profile's.
SUFFIX = "before-start"
#: Characters of the hash that names a release.
RELEASE_LENGTH = 8


@dataclass(frozen=True)
class BeforeStart:
    """``app.before_start`` of one profile; templates see it as ``plan.before_start``."""

    #: As the profile has it, for Compose.
    command: tuple[str, ...]
    #: For the kubelet, which expands $(NAME) in it; a doubled dollar stands for one.
    args: tuple[str, ...]
    #: Of its objects in a cluster; the Job's has the release behind it.
    name: str
    #: Whether a Job runs it, for which the pods of the release wait.
    is_job: bool
    #: Whether each pod runs it itself, before its server: of a pod that is the only one.
    in_pod: bool
    #: The runtime's words before the command, and before the name of the ConfigMap.
    once: tuple[str, ...]
    mark: tuple[str, ...]
    #: A hash of the Job, its image included; filled in by render, which has its text.
    release: str = ""
    #: The label that tells its pods from the app's.
    component: str = SUFFIX

    @property
    def job_name(self) -> str:
        """A Job cannot be changed, so each release has one of its own."""
        return f"{self.name}-{self.release}"


def plan_before_start(profile: Profile, python: str) -> BeforeStart:
    """A Job, or an init container where the pod has a claim that no pod beside it can have."""
    command = profile.app.before_start
    runtime = (python, "-P", "-m", "kit_runtime.release")
    in_pod = single_claim(profile) is not None
    return BeforeStart(
        command=command,
        args=tuple(word.replace("$", "$$") for word in command),
        name=f"{object_name(profile)}-{SUFFIX}",
        once=(*runtime, "run"),
        mark=(*runtime, "mark"),
        is_job=bool(command) and not in_pod,
        in_pod=bool(command) and in_pod,
    )
