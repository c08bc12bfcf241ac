"""The two images of a proof: the profile's own, and one with the load tools."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..containers.build_args import host_build_args, host_proxies
from ..containers.client import Client, describe, examine, installed_clients
from ..containers.command import EngineError
from ..containers.docker import Docker, Image
from ..errors import KitError
from ..plan.install import secret_variable
from ..plan.left_out import is_left_out
from ..plan.plan import Plan
from ..render.render import render, runtime_files

#: What runs in the load container, as plain files: a package that imports nothing of ours.
LOAD_CLIENT = Path(__file__).resolve().parents[1] / "load_client"
#: Containers of a proof carry it as a label, so that they are found and removed.
LABEL = "dev.container-kit.proof"
#: The images of a proof, and its temporary folders.
PREFIX = "kit-proof"
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
USER 0
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nghttp2-client wrk \\
 && rm -rf /var/lib/apt/lists/*
COPY ["load_client/", "/load_client/"]
"""


def find_client(with_secrets: bool = False) -> tuple[Client, bool]:
    """The first docker client that builds, with build secrets if need be, and whether it does so with BuildKit.

    Raises EngineError.
    """
    verdicts = []
    for candidate in installed_clients():
        verdicts.append(verdict := examine(candidate))
        if with_secrets:
            if verdict.can_buildkit:
                return candidate, True
        elif verdict.can_build or verdict.can_buildkit:
            # The classic builder where there is one: it resolves a local base image without a registry.
            return candidate, not verdict.can_build
    builds = "builds with BuildKit, which app.build_secrets needs" if with_secrets else "builds an image"
    raise EngineError(f"a proof needs a Docker engine, and none here {builds}:\n{describe(verdicts)}")


def base_image(plan: Plan, given: str | None) -> str:
    """As the profile's Dockerfile names it, unless the command line does."""
    return given or plan.base_image


def build_load_image(docker: Docker, base: str, buildkit: bool) -> Image:
    """Debian's load tools and the kit's client; the builder's cache makes a second call quick."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as name:
        context = Path(name)
        (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        shutil.copytree(LOAD_CLIENT, context / "load_client", ignore=shutil.ignore_patterns("__pycache__"))
        arguments = {"BASE_IMAGE": base, **host_proxies()}
        return docker.build(
            context, context / "Dockerfile", f"{PREFIX}-load:dev", buildkit=buildkit, build_args=arguments
        )


def build_profile_image(docker: Docker, plan: Plan, root: Path, base: str, buildkit: bool, suffix: str = "") -> Image:
    """The image as the generated Dockerfile says, overrides included, without writing below the output root.

    ``suffix`` tells apart images of one profile that a single run needs side by side.
    """
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as name:
        context = Path(name)
        copy_app(plan, root, context)
        _write({**runtime_files(), **render(plan)}, context)
        arguments = {"BASE_IMAGE": base, **host_build_args()}
        file = context / plan.folder / "Dockerfile"
        tag = f"{PREFIX}-{plan.folder.replace('/', '-')}{suffix}:dev"
        secrets = build_secrets(plan, os.environ)
        return docker.build(context, file, tag, buildkit=buildkit, build_args=arguments, secret=secrets)


def build_secrets(plan: Plan, environ: Mapping[str, str]) -> list[str]:
    """Each of app.build_secrets for `docker build --secret`. Raises KitError where its variable names no file."""
    words = []
    for name in plan.install.secrets:
        file = environ.get(variable := secret_variable(name), "")
        if not Path(file).is_file():
            raise KitError(f"app.build_secrets: {name} is needed to build; set {variable} to the path of its file")
        words.append(f"id={name},src={file}")
    return words


def copy_app(plan: Plan, root: Path, context: Path) -> None:
    """Copy the app's folder and its requirements into a build context. Raises KitError where they are missing."""
    app = plan.profile.app
    source = root / app.path
    if not source.is_dir():
        raise KitError(f"{app.path}: no such folder below {root}; see --output")
    ignore = _left_out(root, plan.texts.kept_paths)
    shutil.copytree(source, context / app.path, ignore=ignore, dirs_exist_ok=True)
    for path in plan.install.inputs:
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (root / path).is_dir():
            shutil.copytree(root / path, target, ignore=ignore, dirs_exist_ok=True)
        elif (root / path).is_file():
            shutil.copy(root / path, target)
        else:
            raise KitError(f"{path}: no such file below {root}; see --output")


def _left_out(root: Path, kept: Sequence[str]) -> Callable[[str, list[str]], set[str]]:
    """What the profile's own Dockerfile.dockerignore leaves out; names only, so keys in a *.pem go while building."""

    def ignore(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if is_left_out(name) and not is_kept(Path(folder, name))}

    def is_kept(path: Path) -> bool:
        return any(path.is_relative_to(root / one) for one in kept)

    return ignore


def _write(files: Mapping[str, str], context: Path) -> None:
    for path, text in files.items():
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
