"""An app's dependency file, the packages that it names, and the Python that the project requires."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import KitError
from ..files import read_regular
from ..project.requirements_file import LineError, decode, logical_lines, parse_line

#: Dependency files, the one that installs the same each time before the one that does not.
_FILES = ("uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "requirements/prod.txt",
          "requirements/production.txt", "requirements/requirements.txt", "requirements/base.txt",
          "requirements.in")  # fmt: skip
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Blocking:
    """A driver in C that waits for the network itself, so that gevent's loop waits with it."""

    name: str
    #: What makes it wait by gevent's loop.
    mended_by: str = ""


_BLOCKING = (Blocking("psycopg2", "psycogreen"), Blocking("psycopg2-binary", "psycogreen"), Blocking("mysqlclient"),
             Blocking("pyodbc"), Blocking("pymssql"), Blocking("cx-oracle"), Blocking("grpcio"))  # fmt: skip
#: Packages without wheels for Linux: Debian packages that build them, and those that they load.
_BUILT = {
    "psycopg2": (("gcc", "libc6-dev", "libpq-dev"), ("libpq5",)),
    "mysqlclient": (("gcc", "libc6-dev", "pkg-config", "default-libmysqlclient-dev"), ("libmariadb3",)),
}


def text_of(path: Path) -> str:
    """A small text file of the project; empty where there is none that can be read."""
    try:
        return decode(read_regular(path, _MAX_BYTES))
    except (KitError, OSError, UnicodeDecodeError):
        return ""


def dependency_file(root: Path, folders: Iterable[str]) -> str | None:
    """The file to install from, relative to ``root``: a lock, else a requirements file, else pyproject.toml."""
    for folder in dict.fromkeys(folders):
        base = root / folder
        for name in _FILES:
            if (base / name).is_file():
                return f"{folder}/{name}".removeprefix("./")
        pyproject = toml_of(base / "pyproject.toml")
        project = table(pyproject, "project")
        if project.get("dependencies") or "dependencies" in entries(project.get("dynamic")):
            return f"{folder}/pyproject.toml".removeprefix("./")
    return None


def toml_of(path: Path) -> dict[str, Any]:
    """A TOML file's content; empty where there is none that can be read."""
    try:
        return tomllib.loads(text_of(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def table(found: Any, *path: str) -> dict[str, Any]:
    """The table below a path of keys; empty where something else stands there."""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def entries(found: Any) -> list[Any]:
    """A list's entries; none of anything else."""
    return found if isinstance(found, list) else []


def package_names(root: Path, files: Iterable[str]) -> set[str]:
    """Normal names of the packages that dependency files name directly."""
    names: set[str] = set()
    for file in files:
        path = root / file
        if path.suffix in (".toml", ".lock") and path.name != "Pipfile.lock":
            pyproject = toml_of(path.with_name("pyproject.toml"))
            names |= {_name(entry) for entry in entries(table(pyproject, "project").get("dependencies"))}
            names |= {_name(name) for name in table(pyproject, "tool", "poetry", "dependencies")}
        elif path.name == "Pipfile.lock":
            names |= {_name(name) for name in table(_pipfile(path), "default")}
        else:
            for number, line, single in logical_lines(text_of(path)):
                try:
                    parsed = parse_line(number, line, single)
                except LineError:
                    continue
                names |= {_name(parsed.named.name)} if parsed.named else set()
    return names - {""}


def _pipfile(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text_of(path))
    except (ValueError, RecursionError):
        return {}
    return table(found)


def _name(entry: object) -> str:
    try:
        return canonicalize_name(Requirement(str(entry)).name)
    except InvalidRequirement:
        return ""


def blocking_driver(names: set[str]) -> str | None:
    """The first package that would stop gevent's loop, or None."""
    return next((one.name for one in _BLOCKING if one.name in names and one.mended_by not in names), None)


def debian_packages(names: set[str]) -> tuple[list[str], list[str], str]:
    """Debian packages for building and for running, and the Python packages that need them."""
    needing = [name for name in _BUILT if name in names]
    build = [package for name in needing for package in _BUILT[name][0]]
    run = [package for name in needing for package in _BUILT[name][1]]
    return list(dict.fromkeys(build)), list(dict.fromkeys(run)), ", ".join(needing)


def required_python(root: Path, offered: tuple[str, ...], usual: str) -> tuple[str | None, str]:
    """The version among ``offered``, oldest first, that the project requires, and where; None where none fits.

    Of a range it is the usual one, if that is in it, and else the newest. Where nothing is said, that is nowhere.
    """
    for name, required in _exact_pythons(root):
        return (required if required in offered else None), name
    for where, text, read in _python_ranges(root):
        try:
            specifiers = read(text)
        except InvalidSpecifier:
            continue
        # A patch release that no `>=3.12.1` refuses.
        fitting = [one for one in offered if any(specifier.contains(f"{one}.99") for specifier in specifiers)]
        return (usual if usual in fitting else fitting[-1] if fitting else None), where
    return usual, ""


_VERSION = re.compile(r"\s*(?:c?python-)?([0-9]+\.[0-9]+)(?![0-9])")
#: In a file that has one version in a line.
_COMMENT = re.compile(r"^[ \t]*#.*\n?", re.MULTILINE)
#: One release; the image has its minor's newest.
_EXACTLY = re.compile(r"(?<![<>!~=])={1,3}\s*([0-9]+\.[0-9]+)(?:\.[0-9]+)*(?![\w.*])")


def _exact_pythons(root: Path) -> Iterator[tuple[str, str]]:
    """Files that name one version, and its first two numbers."""
    tools = re.search(r"^python[ \t]+(\S+)", text_of(root / ".tool-versions"), re.MULTILINE)
    pipfile = table(toml_of(root / "Pipfile"), "requires")
    texts = {
        ".python-version": _COMMENT.sub("", text_of(root / ".python-version")),
        "runtime.txt": _COMMENT.sub("", text_of(root / "runtime.txt")),
        ".tool-versions": tools[1] if tools else "",
        "Pipfile.lock": table(_pipfile(root / "Pipfile.lock"), "_meta", "requires").get("python_version", ""),
        "Pipfile": pipfile.get("python_version") or pipfile.get("python_full_version") or "",
    }
    for name, text in texts.items():
        if (match := _VERSION.match(str(text))) is not None:
            yield name, match[1]


def _python_ranges(root: Path) -> Iterator[tuple[str, str, Callable[[str], list[SpecifierSet]]]]:
    """Where a project says which versions it runs with, what is written there, and how that is read."""
    pyproject = toml_of(root / "pyproject.toml")
    if required := table(pyproject, "project").get("requires-python"):
        yield "pyproject.toml: requires-python", str(required), lambda text: [_specifiers(text)]
    poetry = table(pyproject, "tool", "poetry", "dependencies").get("python")
    if poetry := poetry.get("version") if isinstance(poetry, dict) else poetry:
        yield "pyproject.toml: tool.poetry.dependencies.python", str(poetry), poetry_specifiers
    if setup := _setup_option(root / "setup.cfg", "python_requires"):
        yield "setup.cfg: python_requires", setup, lambda text: [_specifiers(text)]


def _setup_option(path: Path, name: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text_of(path))
    except configparser.Error:
        return ""
    return parser.get("options", name, fallback="").strip()


def _specifiers(text: str) -> SpecifierSet:
    return SpecifierSet(_EXACTLY.sub(r"==\1.*", text))


def poetry_specifiers(text: str) -> list[SpecifierSet]:
    """Poetry's constraint as specifiers of which one must hold: `^3.11`, `~3.11`, `3.11.*`, `>=3.9 <3.13 || 3.14`.

    Raises InvalidSpecifier for what is none.
    """
    return [_specifiers(",".join(_poetry_parts(one))) for one in re.split(r"\|\|?", text)]


def _poetry_parts(text: str) -> Iterator[str]:
    """The parts of one alternative. An operator may have a blank behind it, and a comma or a blank ends a part."""
    for part in re.sub(r"([<>=!~^])\s+(?=[0-9])", r"\1", text).replace(",", " ").split():
        match = re.fullmatch(r"(\^|~=|~|)([0-9]+(?:\.[0-9]+)*)(\.\*)?", part)
        if part == "*" or (match and match[1] == "~="):
            yield from [part] if match else []
        elif match and match[1]:
            numbers = [int(number) for number in match[2].split(".")]
            # ^3.11 stays below 4, ~3.11 below 3.12, ~3 below 4.
            kept = numbers[:1] if match[1] == "^" else numbers[:2]
            above = ".".join(map(str, [*kept[:-1], kept[-1] + 1]))
            yield from (f">={match[2]}", f"<{above}")
        elif match:  # 3.11, one version or all below it; of a patch release its minor, which the image has
            yield f"=={'.'.join(match[2].split('.')[:2])}.*"
        else:
            yield part
