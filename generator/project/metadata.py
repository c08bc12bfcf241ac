"""pyproject.toml and lock files: which dependencies they list, and which projects of the user's own they name."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import Mark
from .files import FileError, below, read_bytes
from .project import KINDS, LocalProject, Project

_DATA = "a file that its tool wrote, unchanged"


@dataclass(frozen=True)
class Selection:
    """What the profile asks of pyproject.toml beside its dependencies."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def read_metadata(root: Path, file: str, selection: Selection) -> Project:
    """A pyproject.toml, with the lock that lies beside it, or a lock file. Raises FileError."""
    path = PurePosixPath(file)
    folder = str(path.parent)
    beside = {name: below(root, folder, name) for name in (*KINDS, "uv.toml")}
    there = {name: place for name, place in beside.items() if (root / place).is_file()}
    kind = KINDS[path.name]
    if kind == "pyproject":
        kind = "uv" if "uv.lock" in there else "poetry" if "poetry.lock" in there else kind
    if kind == "pipenv":
        return _pipenv(root, file, folder)
    if "pyproject.toml" not in there:
        raise FileError("a lock beside its pyproject.toml", "keep both in one folder")
    pyproject = _toml(root, there["pyproject.toml"])
    _require_names(pyproject, selection, kind)
    own = _own(pyproject, folder, selection)
    if kind == "pyproject":
        project = pyproject.get("project", {})
        static = bool(project) and "dependencies" not in project.get("dynamic", ())
        files = [there[name] for name in ("pyproject.toml", "uv.toml") if name in there]
        git = any("git+" in entry for entry in _entries(pyproject, selection))
        return Project(kind, file, folder, tuple(files), local=own, static=static, needs_git=git)
    lock = "uv.lock" if kind == "uv" else "poetry.lock"
    packages = _toml(root, there[lock]).get("package", [])
    local = [*own, *_locked(root, folder, packages, kind)]
    members = [f"{one.folder}/pyproject.toml" for one in local if one.folder != folder and kind == "uv"]
    names = ["pyproject.toml", lock, *(["uv.toml"] if "uv.toml" in there else [])]
    git = any("git" in _source(package) or _source(package).get("type") == "git" for package in packages)
    files = [there[name] for name in names] + members
    return Project(kind, there[lock], folder, tuple(dict.fromkeys(files)), local=tuple(local), needs_git=git)


def _toml(root: Path, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bytes(root, path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileError(f"TOML ({path}: {error})", "correct the file") from error


def _require_names(pyproject: dict[str, Any], selection: Selection, kind: str) -> None:
    poetry = pyproject.get("tool", {}).get("poetry", {})
    extras = {**pyproject.get("project", {}).get("optional-dependencies", {}), **poetry.get("extras", {})}
    groups = {**pyproject.get("dependency-groups", {}), **poetry.get("group", {})}
    for what, names, known in (("extras", selection.extras, extras), ("groups", selection.groups, groups)):
        for name in names:
            if _plain(name) not in map(_plain, known):
                there = ", ".join(sorted(known)) or "none"
                raise FileError(f"{what} that pyproject.toml has: {there}; not {name}", f"correct app.{what}")
    if kind == "poetry" and (selection.extras or selection.groups):
        raise FileError(
            "a poetry.lock without app.extras and app.groups: what reads it takes the main dependencies only",
            "export them to a requirements file (poetry export), or lock with uv",
        )


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _own(pyproject: dict[str, Any], folder: str, selection: Selection) -> tuple[LocalProject, ...]:
    """The project itself, if it is a package: where it names a build backend, as uv decides it."""
    tool = pyproject.get("tool", {})
    packaged = "build-system" in pyproject and tool.get("poetry", {}).get("package-mode", True) is not False
    if tool.get("uv", {}).get("package", packaged) is not True:
        return ()
    return (LocalProject(folder, f"[{','.join(selection.extras)}]" if selection.extras else "", editable=True),)


def _entries(pyproject: dict[str, Any], selection: Selection) -> Iterator[str]:
    """Every requirement that pyproject.toml lists, as far as they are of interest."""
    project = pyproject.get("project", {})
    lists = [project.get("dependencies", [])]
    lists += [project.get("optional-dependencies", {}).get(name, []) for name in selection.extras]
    lists += [pyproject.get("dependency-groups", {}).get(name, []) for name in selection.groups]
    yield from (entry for entries in lists for entry in entries if isinstance(entry, str))
    for source in pyproject.get("tool", {}).get("uv", {}).get("sources", {}).values():
        yield from (["git+"] if isinstance(source, dict) and "git" in source else [])


def requirements_of(root: Path, file: str, selection: Selection) -> list[Requirement]:
    """The requirements that a pyproject.toml lists itself. Raises FileError."""
    found = []
    for entry in _entries(_toml(root, file), selection):
        if entry == "git+":
            continue
        try:
            found.append(Requirement(entry))
        except InvalidRequirement as error:
            raise FileError(f"requirements ({entry}: {str(error).splitlines()[0]})", "correct the line") from error
    return found


def required_by(root: Path, project: Project, selection: Selection) -> tuple[tuple[str, Mark], ...]:
    """The distributions that pyproject.toml, or a Pipfile.lock, lists itself, each with its line. Raises FileError.

    Of a Pipfile.lock that is every package, since it does not say which of them the Pipfile names.
    """
    if project.kind == "pipenv":
        file, names = project.file, list(json.loads(read_bytes(root, project.file))["default"])
    else:
        file = f"{project.folder}/pyproject.toml" if project.folder != "." else "pyproject.toml"
        pyproject = _toml(root, file)
        poetry = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
        entries = [entry for entry in _entries(pyproject, selection) if entry != "git+"]
        names = [match[0] for entry in entries if (match := re.match(r"[A-Za-z0-9._-]+", entry))] + list(poetry)
    lines = read_bytes(root, file).decode("utf-8", "replace").splitlines()
    found: dict[str, Mark] = {}
    for name in names:
        word = re.compile(rf"""(?:^|["'\s]){re.escape(name)}(?![A-Za-z0-9._-])""")
        line = next((number for number, line in enumerate(lines, 1) if word.search(line)), 1)
        found.setdefault(canonicalize_name(name), Mark(file, line))
    return tuple(sorted(found.items(), key=lambda pair: pair[0]))


def _source(package: dict[str, Any]) -> dict[str, Any]:
    found = package.get("source", {})
    return found if isinstance(found, dict) else {}


def _locked(root: Path, folder: str, packages: list[dict[str, Any]], kind: str) -> Iterator[LocalProject]:
    """Projects of the user's own in a lock, but for the one whose lock it is."""
    for package in packages:
        source = _source(package)
        path = source.get("editable") or source.get("directory")
        if kind == "poetry":
            path = source.get("url") if source.get("type") == "directory" else None
        if path and path != ".":
            yield LocalProject(below(root, folder, path), editable="editable" in source)


def _pipenv(root: Path, file: str, folder: str) -> Project:
    try:
        packages = json.loads(read_bytes(root, file))["default"]
        git = any("git" in package for package in packages.values())
        paths = [package["path"] for package in packages.values() if "path" in package]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{_DATA} ({file}: {error})", "run pipenv lock") from error
    local = tuple(LocalProject(below(root, folder, path), editable=True) for path in paths)
    return Project("pipenv", file, folder, (file,), local=local, needs_git=git)
