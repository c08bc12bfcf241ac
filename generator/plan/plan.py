"""The plan: everything the templates show, each number with its reason; sizing applied to the profile's own limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..profile.schema import EXPLAINED, Profile
from ..project.project import Project
from ..runtime.sizing import Number, Numbers
from ..runtime.version import runtime_version
from ..servers.server import Server
from ..version import __version__
from .before_start import BeforeStart, plan_before_start
from .environment import Environment, plan_environment
from .install import Install, plan_install
from .jobs import Job, plan_jobs
from .kubernetes import KubernetesPlan, plan_kubernetes
from .left_out import LEFT_OUT_TEXTS, LeftOut
from .places import ImagePaths, base_image, image_paths, output_path
from .probes import Probes, plan_probes
from .proxy import Proxy, plan_proxy
from .texts import Texts, make_texts
from .times import Times, plan_times
from .uploads import Uploads, plan_uploads
from .volumes import Volumes, plan_volumes

#: The user inside the image; a high number collides with no user of the node.
USER_ID = 10001


@dataclass(frozen=True)
class Plan:
    """One profile, worked out. Templates see nothing else."""

    profile: Profile
    server: Server
    runtime_version: str
    numbers: Numbers
    folder: str
    manifest: str
    image: str
    base_image: str
    paths: ImagePaths
    user_id: int
    preload_app: bool
    header_timeout: int | None
    probes: Probes
    times: Times
    startup_seconds: int
    project: Project
    install: Install
    environment: Environment
    volumes: Volumes
    before_start: BeforeStart
    jobs: tuple[Job, ...]
    kubernetes: KubernetesPlan
    proxy: Proxy
    uploads: Uploads
    settings: Mapping[str, Any]
    texts: Texts
    left_out: LeftOut = LEFT_OUT_TEXTS
    #: The rendered server configuration, for the ConfigMap; filled in by render.
    configuration: str = ""
    #: The configuration of the proxy beside it in the pod, where the profile wants one; filled in by render.
    proxy_configuration: str = ""

    @property
    def name(self) -> str:
        """The profile's."""
        return self.profile.name

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The image's command, which execs the server, by way of its wrapper where it has one."""
        return (self.paths.python, "-P", "-m", "kit_runtime", *self.profile.app.wrapper, self.server.program)

    @property
    def object_names(self) -> tuple[str, ...]:
        """Of its objects in a cluster, as far as another profile could have the same."""
        before_start = [self.before_start.name] if self.before_start.is_job else []
        return (self.kubernetes.name, *before_start, *(job.name for job in self.jobs))

    @property
    def stop_seconds(self) -> Number:
        """Whatever stops the container must wait so long."""
        return self.times.stop_seconds

    @property
    def explained(self) -> dict[str, Any]:
        """Settings whose value the profile or the server gives and no formula derives, for `--explain`."""
        found = {path: self.server.effective(self.profile, path) for path in EXPLAINED}
        return found | {"graceful_timeout": self.times.graceful_timeout.value}

    @property
    def kit_version(self) -> str:
        """Version of the kit that made the files; a label of the image says so."""
        return __version__

    @property
    def image_version(self) -> str:
        """The image's tag, or nothing where the profile names an image by its digest or without a tag."""
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[2]

    @property
    def configuration_sha256(self) -> str:
        """Of all that the ConfigMap holds."""
        return sha256((self.configuration + self.proxy_configuration).encode()).hexdigest()


def make_plan(profile: Profile, server: Server, numbers: Numbers, project: Project) -> Plan:
    """The plan of a profile that has no faults; ``numbers`` are what ``size`` makes of it, ``project`` what
    its app's dependency files say."""
    preload = server.effective(profile, "preload_app")
    path = output_path(profile)
    paths = image_paths(server)
    before_start = plan_before_start(profile, paths.python)
    times = plan_times(profile, server)
    proxy = plan_proxy(profile, server, numbers, times, f"docker/{path}")
    return Plan(
        profile=profile,
        server=server,
        runtime_version=runtime_version(),
        numbers=numbers,
        folder=f"docker/{path}",
        manifest=f"k8s/{path}.yaml",
        image=profile.image or f"{profile.name}:dev",
        base_image=base_image(profile),
        paths=paths,
        user_id=USER_ID,
        preload_app=preload,
        header_timeout=server.effective(profile, "header_timeout"),
        probes=plan_probes(profile, server),
        times=times,
        startup_seconds=profile.health.startup_seconds,
        project=project,
        install=plan_install(profile.app, project, server, f"docker/{path}"),
        environment=plan_environment(profile, proxy.context),
        volumes=plan_volumes(profile),
        before_start=before_start,
        jobs=plan_jobs(profile),
        kubernetes=plan_kubernetes(profile, server, numbers, times, before_start, USER_ID),
        proxy=proxy,
        uploads=plan_uploads(profile, proxy),
        settings=dict(profile.gunicorn),
        texts=make_texts(profile, server, preload),
    )
