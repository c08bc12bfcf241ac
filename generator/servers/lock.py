"""Renew the locks of the server packages and the table of gunicorn's settings (`make locks`). Needs the registry.

The one input is the packages that each server names. A lock has, for every package that pip resolves on amd64
and arm64, its version and the hash of exactly the files that such an image installs.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import KitError
from . import SERVERS
from .server import Server

LOCKS = Path(__file__).with_name("locks")
SETTINGS = Path(__file__).parents[1] / "profile" / "gunicorn_settings.json"
#: Settings whose default gunicorn takes from the machine or the environment, so that a table cannot hold it.
_OF_THE_MACHINE = {"chdir", "control_socket", "forwarded_allow_ips", "group", "sendfile", "user", "workers"}
ARCHITECTURES = ("x86_64", "aarch64")
#: Wheels for these run on every Debian since 11, so on each base image that the kit builds on.
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux2014", "manylinux_2_17")


def resolve(server: Server, architecture: str) -> list[tuple[str, str, str]]:
    """Name, version and hash of each file that pip would install in an image of that architecture."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", server.pythons[0]]
    for platform in PLATFORMS:
        command += ["--platform", f"{platform}_{architecture}"]
    command += ["--target", "unused", *server.packages]
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise KitError(f"{server.name}: pip finds no packages for {architecture}; what it said stands above")
    report = json.loads(ended.stdout)
    found = []
    for item in report["install"]:
        metadata, archive = item["metadata"], item["download_info"]["archive_info"]
        found.append((metadata["name"].lower(), metadata["version"], archive["hashes"]["sha256"]))
    return found


def lock(server: Server) -> str:
    """The text of a server's lock file: requirements with hashes, sorted by name."""
    hashes: dict[tuple[str, str], set[str]] = {}
    for architecture in ARCHITECTURES:
        for name, version, digest in resolve(server, architecture):
            hashes.setdefault((name, version), set()).add(digest)
    names = [name for name, _ in hashes]
    if len(names) != len(set(names)):
        raise KitError(f"{server.name}: the architectures resolve to different versions: {sorted(hashes)}")
    lines = [f"# Renewed by `make locks`; Python {server.pythons[0]} on {' and '.join(ARCHITECTURES)}."]
    for (name, version), digests in sorted(hashes.items()):
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{d}" for d in sorted(digests))]))
    return "\n".join(lines) + "\n"


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


def renew() -> Iterator[str]:
    """Renew every lock, then the table of the installed gunicorn's settings; yields each path when it is written.

    Raises KitError where pip finds no solution.
    """
    for server in SERVERS.values():
        if server.packages:
            path = LOCKS / f"{server.name}.txt"
            path.write_text(lock(server), encoding="utf-8")
            yield str(path)
    SETTINGS.write_text(json.dumps(gunicorn_settings(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    yield str(SETTINGS)
