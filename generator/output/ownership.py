"""Whose a file is: each folder's list of generated files with their hashes, and which names it may hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import TargetError
from .paths import LIST_NAME, read


def hash_of(content: bytes) -> str:
    """As the lists have it: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def encode(text: str) -> bytes:
    """Text as it lies on disk; what was read from a file that is not UTF-8 is that file again."""
    return text.encode("utf-8", "surrogateescape")


def decode(content: bytes) -> str:
    """The reverse of ``encode``."""
    return content.decode("utf-8", "surrogateescape")


def list_text(files: Mapping[str, str]) -> str:
    """The list of these files."""
    return json.dumps({path: hash_of(encode(text)) for path, text in files.items()}, indent=2, sort_keys=True) + "\n"


def read_list(path: Path) -> dict[str, str]:
    """Path to hash, as the list says; empty where there is none. Raises TargetError for what is no list."""
    content = read(path)
    if content is None:
        return {}
    try:
        return {str(name): str(digest) for name, digest in json.loads(content.decode("utf-8")).items()}
    except (ValueError, AttributeError, RecursionError):
        raise TargetError(f"{path}: not a list of generated files; remove it and use --force") from None


def may_own(folder: str, path: str) -> bool:
    """Whether ``folder``'s list may name ``path``: a list that was copied here names another profile's files, and none
    names itself."""
    manifest = f"k8s/{folder.removeprefix('docker/')}.yaml"
    if path == f"{folder}/{LIST_NAME}":
        return False
    return path == manifest or (path.startswith(f"{folder}/") and _is_plain(path))


def _is_plain(path: str) -> bool:
    """Whether a file system takes the path, and it leads down only."""
    parts = path.encode("utf-8", "replace").split(b"/")
    return path.isprintable() and all(part not in (b"", b".", b"..") and len(part) < 256 for part in parts)
