"""A proof: boot the profile's image under its own limits and measure what it claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..containers.docker import Docker
from ..errors import KitError
from ..plan.plan import Plan
from . import images, judge
from . import on_cluster as cluster
from .claim import FAILED, FULL, QUICK, Claim
from .claims import walk
from .cluster_claims import walk as walk_cluster
from .env_file import Given, hide, hide_in
from .kubectl import Kubectl
from .log import file_of, kept, with_log
from .memory import judge_worker
from .needs import judge_needs
from .request import Request
from .stage import Stage
from .walk import Walk

#: Of the kit's own sample app, whose slow pages are requested too.
SAMPLE_APP = ("flask_server:app", "docker/app")


@dataclass
class Findings:
    """What is known so far; it is reported even where the proof ends early."""

    claims: list[Claim] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    image: str = ""
    image_bytes: int | None = None
    #: Of the server's container, where a claim failed.
    log: str = ""


def run_proof(
    plan: Plan,
    root: Path,
    request: Request,
    image: str | None,
    base_image: str | None,
    quick: bool,
    given: Given,
    begin: Callable[[str], None],
    found: Findings,
) -> None:
    """Boot the plan's image under its own limits and walk its claims; ``found`` holds what is known so far.

    ``given`` is for the server's container; none of its secrets is in ``found``. ``begin`` is called with each step.
    Raises KitError for an image that is not there, EngineError for an engine that fails.
    """
    pace, base = QUICK if quick else FULL, images.base_image(plan, base_image)
    begin("load image")
    client, buildkit = images.find_client(bool(plan.install.secrets))
    docker = Docker(client, label=images.LABEL)
    load = images.build_load_image(docker, base, buildkit)
    with Stage(docker, plan, "", load.id, given) as stage:
        found.machine = stage.inside("machine")
        found.machine["engine"] = f"Docker {docker.call('version', '--format', '{{.Server.Version}}').stdout.strip()}"
        found.claims.append(judge_needs(plan, found.machine, pace))
        if found.claims[-1].verdict == FAILED:
            return
        is_built = image is None
        if image is None:
            begin("the profile's image")
            image = images.build_profile_image(docker, plan, root, base, buildkit).tag
        stage.image = found.image = image
        size = docker.call("image", "inspect", "--format", "{{.Size}}", image, check=False).stdout.strip()
        if not size:
            raise KitError(f"--image {image}: no such image here; build or pull it first")
        found.image_bytes = int(size)
        sample_app = (plan.profile.app.module, plan.profile.app.path) == SAMPLE_APP
        on, file = Walk(stage, pace, request, sample_app, is_built), file_of(root, plan.name)
        for claim in (judge.without_own_server(plan, claim) for claim in walk(on, begin)):
            if claim.verdict == FAILED:
                claim = with_log(claim, stage.subject.logs(), file, found.claims)  # noqa: PLW2901
            found.claims.append(hide_in(claim, given.secrets))
        found.samples = stage.samples()
        found.claims.append(judge_worker(plan, found.samples))
        if any(claim.verdict == FAILED for claim in found.claims):
            found.log = hide(kept(stage.subject), given.secrets)


def run_on_cluster(
    kubectl: Kubectl,
    plan: Plan,
    image: str | None,
    namespace: str | None,
    request: Request,
    rate: float,
    quick: bool,
    begin: Callable[[str], None],
    found: Findings,
) -> None:
    """Apply the plan's manifests to kubectl's cluster and walk its claims there; all of it is removed at the end.

    ``rate`` is in requests a second. Raises KitError for a namespace that holds objects of the profile's names, and
    EngineError where kubectl fails.
    """
    found.machine, found.image = cluster.machine(kubectl), image or plan.image
    with cluster.on_cluster(kubectl, plan, image, namespace, request, rate) as on:
        for claim in walk_cluster(on, quick, begin):
            found.claims.append(claim)
        begin("clean-up")
