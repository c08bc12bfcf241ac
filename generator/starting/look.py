"""What can be seen of an app in its folder: how it starts, what it installs, its Python, its page for probes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..audit.audit import read_starts
from ..audit.configuration import Unreadable, read_configuration
from ..audit.sources import Source
from ..errors import Mark
from ..profile.document import Text
from ..profile.schema import SETTINGS
from .applications import Application, Module, application_at, applications, likelihood, modules
from .dependencies import dependency_file, table, text_of, toml_of
from .health import readiness_page

#: Folders that hold modules without being part of their names.
_SOURCE_FOLDERS = ("src", "lib")
#: Names that the kit's own folders have.
_RESERVED = ("app", "runtime", "servers")


@dataclass(frozen=True)
class Found:
    """What was seen; every path is relative to the folder."""

    name: str
    #: How the app may start, the likeliest first; more than one only where they are equally likely.
    applications: tuple[Application, ...]
    modules: tuple[Module, ...]
    #: Files that start gunicorn already, for which `import` is the better command.
    started_by: tuple[str, ...] = ()


def look(root: Path) -> Found:
    """Look at a folder. Nothing in it is executed."""
    own = modules(root)
    by_name = {one.name: one for one in own}
    likely = applications(own)
    best = [one for one in likely if likelihood(one) == likelihood(likely[0])]
    started = _started(root)
    named = [target for target, _ in started] + [target for target in (_flask_app(root), _django(root, own)) if target]
    for target in named:
        module = by_name.get(target.partition(":")[0])
        if module is not None:
            name = target.partition(":")[2] or next((one.name for one in likely if one.module == module.name), "app")
            best = [application_at(module, name)]
            break
    files = tuple(dict.fromkeys(file for _, file in started))
    return Found(project_name(root), tuple(best), tuple(own), files)


def project_name(root: Path) -> str:
    """A name for the profile: pyproject.toml's, else the folder's, as Kubernetes takes it."""
    pyproject = toml_of(root / "pyproject.toml")
    written = table(pyproject, "project").get("name") or table(pyproject, "tool", "poetry").get("name")
    name = re.sub(r"[^a-z0-9]+", "-", str(written or root.resolve().name).lower()).lstrip("-0123456789")[:36].strip("-")
    try:
        SETTINGS["name"].type.parse(Text(name, Mark("name"), True))
    except ValueError:
        name = "web"
    return f"{name}-web" if name in _RESERVED else name


def _started(root: Path) -> list[tuple[str, str]]:
    """The app of each gunicorn command in a Procfile or a Dockerfile, and the file."""
    found = []
    for name in ("Procfile", "Dockerfile"):
        if text := text_of(root / name):
            starts = read_starts([Source(name, text)])
            found += [(run.app, name) for run in starts.runs if run.app]
    return found


def _flask_app(root: Path) -> str | None:
    """FLASK_APP of .flaskenv, which belongs into version control, unlike .env."""
    match = re.search(
        r"^\s*(?:export\s+)?FLASK_APP\s*=\s*['\"]?([\w./:()]+)", text_of(root / ".flaskenv"), re.MULTILINE
    )
    if match is None:
        return None
    module, colon, name = match[1].partition(":")
    return module.removesuffix(".py").removeprefix("./").replace("/", ".") + colon + name


def _django(root: Path, own: Sequence[Module]) -> str | None:
    """The WSGI module of Django's settings, which manage.py names."""
    match = re.search(r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)""", text_of(root / "manage.py"))
    if match is None:
        return None
    package = match[1].rpartition(".")[0] or match[1]
    settings = next((one.path for one in own if one.name in (match[1], f"{match[1]}.base")), "")
    try:
        given = read_configuration(text_of(root / settings), settings).last("WSGI_APPLICATION") if settings else None
    except Unreadable:
        given = None
    value = given.value.value if given is not None and given.value.known else None
    if isinstance(value, str) and "." in value:
        return ":".join(value.rsplit(".", 1))
    return f"{package.partition('.')[0]}.wsgi:application"


@dataclass(frozen=True)
class Place:
    """Where an application lies, in the profile's words."""

    path: str
    python_path: str | None


def place_of(folder: str) -> Place:
    """``app.path`` and ``app.python_path`` for modules that are imported from ``folder``."""
    above, _, last = folder.rpartition("/")
    if last in _SOURCE_FOLDERS:
        return Place(above or ".", last)
    return Place(folder, None)


def requirements_of(root: Path, place: Place) -> str | None:
    """The app's dependency file: in its own folder, or else in the project's."""
    return dependency_file(root, (place.path, "."))


def readiness(found: Found, folder: str) -> tuple[str, Mark] | None:
    """The page for a readiness probe among the modules of one folder."""
    return readiness_page(one for one in found.modules if one.folder == folder)
