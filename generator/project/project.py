"""What the generator knows of the user's project once its dependency files are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from ..errors import Mark
from .hazards import Hazard

#: How the dependencies are written, which decides the tool that reads them in the builder stage.
Kind = Literal["none", "requirements", "pyproject", "uv", "poetry", "pipenv"]
KINDS: dict[str, Kind] = {
    "pyproject.toml": "pyproject",
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "Pipfile.lock": "pipenv",
}


@dataclass(frozen=True)
class LocalProject:
    """A project of the user's own that the dependencies name by its folder, relative to the build context."""

    folder: str
    #: As written: "[pg,redis]", or nothing.
    extras: str = ""
    editable: bool = False

    def below(self, folder: str) -> bool:
        """Whether it lies in ``folder`` or is it."""
        return PurePosixPath(self.folder).is_relative_to(folder)


@dataclass(frozen=True)
class Project:
    """The dependency files of one app. Every path is relative to the build context."""

    kind: Kind = "none"
    #: The file that the profile names, or the lock beside the pyproject.toml that it names.
    file: str = ""
    #: Where the tools run, so that the paths in the files mean there what they mean to the user.
    folder: str = "."
    #: Files and folders that the dependencies are read and installed from; copied before the app's code.
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    local: tuple[LocalProject, ...] = ()
    #: Lines of a requirements file, by file, that name projects which are installed in another step.
    set_aside: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Whether pyproject.toml lists its dependencies itself, instead of a build backend computing them.
    static: bool = True
    needs_git: bool = False
    #: Variables that the index or VCS addresses take from the environment: ${NAME}.
    variables: tuple[str, ...] = ()
    #: The distributions that the user's own files name, in the form of PyPI's addresses, each with its place.
    required: tuple[tuple[str, Mark], ...] = ()
    #: What of it bites in production, and no app.warnings_ignored silences.
    hazards: tuple[Hazard, ...] = ()
    #: Lines of the .dockerignore at the root of the build context.
    ignored: tuple[str, ...] = ()


def assumed(file: str | None) -> Project:
    """The project by the name of its file alone, where there is no folder to read: a plain file that names no other."""
    if file is None:
        return Project()
    path = PurePosixPath(file)
    return Project(KINDS.get(path.name, "requirements"), file, str(path.parent), (file,))
