"""The machine's package index settings, carried by a stand-in so that an unchanged Dockerfile builds."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from generator.containers.command import say

KEYS = ("index-url", "extra-index-url", "trusted-host")


def config_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks, the strongest last."""
    home = Path(environ.get("HOME", "/nonexistent"))
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    return [*files, Path(environ["PIP_CONFIG_FILE"])] if environ.get("PIP_CONFIG_FILE") else files


def host_index_settings(environ: Mapping[str, str] = os.environ, files: Iterable[Path] | None = None) -> dict[str, str]:
    """PIP_INDEX_URL and its like, as environment variables, from pip's files and then its environment."""
    found: dict[str, str] = {}
    for path in config_files(environ) if files is None else files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            for key in KEYS:
                if parser.has_option(section, key):
                    found[_variable(key)] = " ".join(parser.get(section, key).split())
    found |= {_variable(key): environ[_variable(key)] for key in KEYS if environ.get(_variable(key))}
    return {name: value for name, value in found.items() if _may_be_stored(name, value)}


def _variable(key: str) -> str:
    return "PIP_" + key.upper().replace("-", "_")


def _may_be_stored(name: str, value: str) -> bool:
    """Whether the value is free of a password, which has no place in an image."""
    if any(urlsplit(word).username for word in value.split()):
        say(f"{name} holds a user name, so it is not put into the base image; pass it as a build argument")
        return False
    return True
