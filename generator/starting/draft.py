"""The settings of an app's first profile, each with what it was seen by, and a memory limit that holds the plan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import Fault, Mark, ProfileError
from ..pipeline import plan_profile
from ..plan.plan import Plan
from ..profile.schema import SETTINGS
from ..profile.writing import Entry, profile_text
from ..project.metadata import Selection
from ..project.read import Image, read_project
from ..servers import SERVERS
from ..servers.server import Server
from .applications import Application, factory_call
from .dependencies import blocking_driver, debian_packages, package_names, required_python, text_of
from .look import Found, place_of, readiness, requirements_of
from .procfile import process_entries

#: What a profile says where nobody says otherwise.
CONNECTIONS = SETTINGS["connections"].type.example
_MEMORIES = ("512Mi", "1Gi", "2Gi", "4Gi", "8Gi", "16Gi", "32Gi", "64Gi")
#: Small enough for a first try, and larger than the sample app needs: a real app imports more.
CPU, MEMORY = "1", _MEMORIES[0]


@dataclass(frozen=True)
class Written:
    """A profile's text, its plan where the rest of the project lets it be made, and what keeps it from that."""

    text: str
    plan: Plan | None
    faults: tuple[Fault, ...]


def app_entries(root: Path, found: Found, app: Application, given: Mapping[str, str]) -> list[Entry]:
    """The settings that follow from the app's own files. ``given`` has the text of settings that are decided."""
    place = place_of(app.folder)
    path = given.get("app.path", place.path)
    requirements = given.get("app.requirements") or requirements_of(root, place)
    where = str(app.mark).rpartition(":")[0]
    name, arguments = factory_call(app.name)
    entries = [Entry("app.module", f"{app.module}:{name}", where)]
    if arguments:
        entries.append(Entry("app.arguments", arguments, where))
    entries.append(Entry("app.path", path))
    if requirements is not None:
        entries.append(Entry("app.requirements", requirements))
    if place.python_path is not None:
        entries.append(Entry("app.python_path", place.python_path))
    names = package_names(root, _dependency_files(root, requirements, path))
    build, run, needing = debian_packages(names)
    if build:
        entries.append(Entry("app.build_packages", build, f"{needing} has no wheel for Linux"))
    if run:
        entries.append(Entry("app.runtime_packages", run))
    driver = blocking_driver(names)
    name = given.get("server", "gthread" if driver else "gevent")
    why = f"{driver} waits in C, where gevent cannot switch" if driver else "one greenlet a request"
    entries.append(Entry("server", name, "" if "server" in given else why))
    if (page := readiness(found, app.folder)) is not None:
        entries.append(Entry("health.readiness_path", page[0], str(page[1]).rpartition(":")[0]))
    if (server := SERVERS.get(name)) is not None:
        entries += python_entries(root, server)
        entries += process_entries(text_of(root / "Procfile"), "Procfile") if server.production else []
    return entries


def _dependency_files(root: Path, requirements: str | None, folder: str) -> tuple[str, ...]:
    if requirements is None:
        return ()
    image = Image(SETTINGS["python"].default, {})
    project, _ = read_project(root, requirements, folder, Selection(), image, Mark("app.requirements"))
    return project.files or (requirements,)


def python_entries(root: Path, server: Server) -> list[Entry]:
    """The image's Python, where the project requires another than the default."""
    default = SETTINGS["python"].default
    usual = default if default in server.pythons else server.pythons[-1]
    python, where = required_python(root, server.pythons, usual)
    if python is None:
        return [Entry("python", usual, f"{where} requires another; {server.name} has {', '.join(server.pythons)}")]
    return [] if python == default else [Entry("python", python, where)]


def settle(head: Sequence[str], entries: Iterable[Entry], file: str, root: Path) -> Written:
    """The text and what becomes of it; where memory is left open, the least of the usual sizes that holds the plan."""
    whole = list(entries)
    sizes = [None] if any(one.path == "resources.memory" for one in whole) else _MEMORIES
    written = Written("", None, ())
    for size in sizes:
        text = profile_text(head, [*whole, *([Entry("resources.memory", size)] if size else [])])
        try:
            plan = plan_profile(text, file, (), root)
        except ProfileError as error:
            written = Written(text, None, error.faults)
            if all(fault.path != "resources.memory" for fault in error.faults):
                return written
            continue
        written = Written(text, plan, ())
        if plan.numbers.workers.decided_by != "memory" and not plan.numbers.warnings:
            break
    return written


#: How far above its folder an app's project may begin: services/shop/api.
_MAX_ABOVE = 3


def as_seen_from_above(entries: Iterable[Entry], root: Path) -> tuple[Path, list[Entry]] | None:
    """The nearest folder above ``root`` from which the same app can be planned, and its settings with paths from there.

    A dependency file that names one outside of its folder (``-r ../common.txt``) can be installed from there only.
    """
    whole = list(entries)
    for steps in range(1, _MAX_ABOVE + 1):
        above = Path(os.path.normpath(root / Path(*[".."] * steps)))
        folder = PurePosixPath(os.path.relpath(root.resolve(), above.resolve()))
        moved = [
            replace(one, value=str(folder / one.value)) if one.path in ("app.path", "app.requirements") else one
            for one in whole
        ]
        if settle((), moved, "profile", above).plan is not None:
            return above, moved
    return None
