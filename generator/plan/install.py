"""How the app's dependencies get into the image, in the words of the Dockerfile."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..profile.sections import App
from ..project.project import LocalProject, Project
from ..servers.server import Server
from .places import APP_FOLDER, ENVIRONMENT_FOLDER

_PYTHON = f"{ENVIRONMENT_FOLDER}/bin/python"
#: Where the builder stage keeps the project's dependency files, laid out as in the build context.
MIRROR = "/build/project"
#: Which pinned tool reads the files (generator/servers/locks/).
_TOOLS = {"pyproject": "uv", "uv": "uv", "poetry": "micropipenv", "pipenv": "micropipenv"}


def secret_variable(name: str) -> str:
    """The environment variable with the path of a build secret's file, for Compose, prove and tune."""
    return f"BUILD_SECRET_{name.upper()}"


@dataclass(frozen=True)
class Install:
    """The steps of the builder stage. Shell words are quoted; lists are exec forms of COPY."""

    kind: str
    #: The file that holds the requirements, in the builder stage, as a shell word.
    file: str
    workdir: str
    copies: tuple[tuple[str, ...], ...]
    #: Which requirements file to take which lines out of: (file, shell words of the lines).
    set_aside: tuple[tuple[str, str], ...]
    #: Shell words: the user's own projects beside the app's folder, and those in it, which are installed in place.
    beside: str
    in_place: str
    in_place_command: str
    #: Names that the lock may have too, though the image brings them: shell words, and an alternation.
    left_out: tuple[str, ...]
    left_out_pattern: str
    choices: str
    static: bool
    tool: str | None
    build_packages: tuple[str, ...]
    variables: tuple[str, ...]
    #: Ids of BuildKit secrets, and the words of RUN that mount them, with a space at the end.
    secrets: tuple[str, ...]
    secret_words: str
    #: Everything that docker build must send beside the app's folder.
    inputs: tuple[str, ...]
    conflict: str


def plan_install(app: App, project: Project, server: Server, folder: str) -> Install:
    """The steps for one app; ``folder`` is the profile's own, docker/<name>."""
    beside = [one for one in project.local if not one.below(app.path)]
    choices = [word for name in app.extras for word in ("--extra", name)]
    choices += [word for name in app.groups for word in ("--group", name)]
    git = ("git",) if project.needs_git and "git" not in app.build_packages else ()
    pins = ", ".join(f"{name} {version}" for name, version in server.pins.items()) or "the server"
    return Install(
        kind=project.kind,
        file=shlex.quote(_mirrored(project.file)),
        workdir=_mirrored(project.folder),
        copies=tuple(_copies(project.files, [*project.folders, *(one.folder for one in beside)])),
        set_aside=tuple((shlex.quote(_mirrored(file)), _patterns(lines)) for file, lines in project.set_aside),
        beside="".join(" " + shlex.quote(f"{_mirrored(one.folder)}{one.extras}") for one in beside),
        in_place=(in_place := " ".join(_in_place(one, app.path) for one in project.local if one.below(app.path))),
        in_place_command=_in_place_command(project, in_place),
        left_out=tuple(server.pins),
        left_out_pattern="|".join(server.pins),
        choices="".join(f" {word}" for word in map(shlex.quote, choices)),
        static=project.static,
        tool=_TOOLS.get(project.kind),
        build_packages=(*app.build_packages, *git),
        variables=project.variables,
        secrets=tuple(name for name, _ in app.build_secrets),
        secret_words="".join(
            f"--mount=type=secret,id={name},target={path},required=true " for name, path in app.build_secrets
        ),
        inputs=(*project.files, *project.folders, *(one.folder for one in beside)),
        conflict=(
            f"kit: the requirements of the app cannot be installed beside {pins}, which the image brings "
            f"({folder}/server-constraints.txt); the message above names the one that cannot"
        ),
    )


def _mirrored(path: str) -> str:
    return MIRROR if path == "." else f"{MIRROR}/{path}"


def _copies(files: Iterable[str], folders: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """One COPY for the files of each folder, one for each folder that is copied whole."""
    by_folder: dict[str, list[str]] = {}
    for file in files:
        by_folder.setdefault(str(PurePosixPath(file).parent), []).append(file)
    for folder, names in by_folder.items():
        yield (*names, f"{_mirrored(folder)}/")
    for folder in folders:
        yield f"{folder}/", f"{_mirrored(folder)}/"


def _patterns(lines: Iterable[str]) -> str:
    return " ".join(f"-e {shlex.quote(line)}" for line in lines)


def _in_place_command(project: Project, words: str) -> str:
    constraints = "-c /build/server-constraints.txt"
    if project.kind == "requirements":
        file = shlex.quote(_mirrored(project.file))
        pip = f"python -m pip --python {_PYTHON} install --no-cache-dir"
        # The file too, for the indexes and links in it; what it names is installed already.
        return f"cd {shlex.quote(_mirrored(project.folder))} && {pip} {constraints} -r {file} {words}"
    only = "" if project.kind == "pyproject" else "--no-deps "
    uv = f'SSL_CERT_FILE="${{PIP_CERT}}" /opt/tools/bin/uv pip install --no-cache --python {_PYTHON}'
    return f"{uv} {only}{constraints} {words}"


def _in_place(one: LocalProject, app_path: str) -> str:
    """In the image the app's folder is APP_FOLDER, so a project in it is installed from there, for good."""
    inner = PurePosixPath(one.folder).relative_to(app_path)
    place = shlex.quote(f"{PurePosixPath(APP_FOLDER) / inner}{one.extras}")
    return f"-e {place}" if one.editable else place
