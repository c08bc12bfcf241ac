"""Renew the locks of the server packages and the table of gunicorn's settings (`make locks`). Needs the registry.

The one input is the packages that each server names. A lock has, for every package that pip resolves on amd64
and arm64, its version and the hash of exactly the files that such an image installs.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import KitError
from . import SERVERS
from .server import PYTHONS, Server

LOCKS = Path(__file__).with_name("locks")
SETTINGS = Path(__file__).parents[1] / "profile" / "gunicorn_settings.json"
#: What reads the app's own lock files in the builder stage (uv: MIT or Apache-2.0; micropipenv: LGPL-3.0-or-later,
#: only run there). Nothing of them is in the image.
TOOLS = {"uv": ("uv==0.13.9",), "micropipenv": ("uv==0.13.9", "micropipenv==1.10.0")}
#: Settings whose default gunicorn takes from the machine or the environment, so that a table cannot hold it.
_OF_THE_MACHINE = {"chdir", "control_socket", "forwarded_allow_ips", "group", "sendfile", "user", "workers"}
ARCHITECTURES = ("x86_64", "aarch64")
#: Wheels for these run on every Debian since 11, so on each base image that the kit builds on.
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux2014", "manylinux_2_17")


@dataclass(frozen=True)
class Locked:
    """One file that pip would install: its package, and what that requires itself."""

    name: str
    version: str
    digest: str
    requires: tuple[str, ...]


def resolve(packages: Sequence[str], python: str, architecture: str) -> list[Locked]:
    """Each file that pip would install for those packages in an image of that Python and architecture."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    for platform in PLATFORMS:
        command += ["--platform", f"{platform}_{architecture}"]
    command += ["--target", "unused", *packages]
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise KitError(f"{' '.join(packages)}: pip finds none for {python} on {architecture}; its message is above")
    report = json.loads(ended.stdout)
    found = []
    for item in report["install"]:
        metadata, archive = item["metadata"], item["download_info"]["archive_info"]
        requires = tuple(metadata.get("requires_dist", ()))
        name = metadata["name"].lower()
        found.append(Locked(name, metadata["version"], archive["hashes"]["sha256"], requires))
    return found


def lock(packages: Sequence[str], pythons: Sequence[str]) -> tuple[str, list[Locked]]:
    """The text of a lock file, requirements with hashes sorted by name, and what it was made of."""
    found = [one for python in pythons for arch in ARCHITECTURES for one in resolve(packages, python, arch)]
    hashes: dict[tuple[str, str], set[str]] = {}
    for one in found:
        hashes.setdefault((one.name, one.version), set()).add(one.digest)
    names = [name for name, _ in hashes]
    if len(names) != len(set(names)):
        raise KitError(
            f"{' '.join(packages)}: Pythons or architectures resolve to different versions: {sorted(hashes)}"
        )
    lines = [f"# Renewed by `make locks`; Python {', '.join(pythons)} on {' and '.join(ARCHITECTURES)}."]
    for (name, version), digests in sorted(hashes.items()):
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{d}" for d in sorted(digests))]))
    return "\n".join(lines) + "\n", found


def constraints(server: Server, locked: Sequence[Locked]) -> str:
    """What the server allows of the app's requirements: its own packages as locked, of what they need the range."""
    lines = [f"{name}=={version}" for name, version in server.pins.items()]
    own = [one for one in locked if one.name in server.pins]
    needed = [Requirement(text) for one in own for text in one.requires]
    ranges = {python: _ranges(server, needed, python) for python in server.pythons}
    for name in {name: None for found in ranges.values() for name in found}:
        texts = {python: found.get(name, "") for python, found in ranges.items()}
        if len(set(texts.values())) == 1:
            lines.append(f"{name}{texts[server.pythons[0]]}")
        else:
            lines += [f'{name}{text} ; python_version == "{python}"' for python, text in texts.items() if text]
    return (
        "\n".join(["# Renewed by `make locks`, from the metadata of the packages in the lock.", *sorted(lines)]) + "\n"
    )


def _ranges(server: Server, needed: Sequence[Requirement], python: str) -> dict[str, str]:
    """The versions that the server's own packages allow of others with that Python, by name."""
    about = {"extra": "", "python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    found: dict[str, SpecifierSet] = {}
    for requirement in needed:
        name = canonicalize_name(requirement.name)
        if name not in server.pins and (requirement.marker is None or requirement.marker.evaluate(about)):
            found[name] = found.get(name, SpecifierSet()) & requirement.specifier
    return {name: str(specifiers) for name, specifiers in found.items() if str(specifiers)}


def gunicorn_settings() -> dict[str, dict[str, Any]]:
    """Every setting that the installed gunicorn knows: type, section, and how a command line gives it."""
    from gunicorn import config, workers

    types = {
        config.validate_pos_int: "int",
        config.validate_bool: "bool",
        config.validate_list_string: "list",
        config.validate_dict: "dict",
    }
    table = {}
    for setting in config.KNOWN_SETTINGS:
        validator = inspect.getattr_static(setting, "validator", None)
        validator = getattr(validator, "__func__", validator)
        name = "hook" if setting.section.endswith("Hooks") else types.get(validator, "str")
        if setting.type is int or (isinstance(setting.default, int) and not isinstance(setting.default, bool)):
            name = "int"
        table[setting.name] = row = {"type": name, "nullable": setting.default is None, "section": setting.section}
        if setting.cli:
            takes = {"store_true": "nothing", "store_const": "nothing"}.get(setting.action or "", "value")
            row |= {"flags": list(setting.cli), "takes": "optional" if setting.nargs == "?" else takes}
        if validator is config.validate_string:
            row["only_text"] = True
        if setting.name not in _OF_THE_MACHINE and isinstance(setting.default, str | bool | int) and name != "hook":
            row["default"] = setting.default
    table["worker_class"]["choices"] = sorted(workers.SUPPORTED_WORKERS)
    return table


def every_server() -> Iterator[Server]:
    """Those with packages of their own, each also with the other versions of one package that profiles may take."""
    for server in SERVERS.values():
        if server.packages:
            yield server
            for name, versions in server.other_packages.items():
                yield from (server.with_packages({name: version}) for version in versions)


def renew() -> Iterator[str]:
    """Renew every lock, then the table of the installed gunicorn's settings; yields each path when it is written.

    Raises KitError where pip finds no solution.
    """
    for server in every_server():
        text, locked = lock(server.packages, server.pythons)
        yield _written(LOCKS / f"{server.lock}.txt", text)
        yield _written(LOCKS / f"{server.lock}-constraints.txt", constraints(server, locked))
    for name, packages in TOOLS.items():
        yield _written(LOCKS / f"{name}.txt", lock(packages, PYTHONS)[0])
    SETTINGS.write_text(json.dumps(gunicorn_settings(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    yield str(SETTINGS)


def _written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)
