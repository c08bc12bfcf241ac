"""Reading what the user or a repository put there: a FIFO must not hang the run, a device or 3 GB not fill memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import KitError

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most ``max_bytes``; a link is followed.

    Raises FileNotFoundError, and KitError with a sentence for everything else that keeps it from being read.
    """
    try:
        # Non-blocking: opening a FIFO would wait for whoever writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        kind = _kind(path) if isinstance(error, OSError) else None
        reason = f"{kind}, not a file" if kind else getattr(error, "strerror", None) or error
        raise KitError(f"{path}: {reason}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise KitError(f"{path}: {_KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}, not a file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            # One more than allowed: a file of /proc says 0 bytes and has more.
            data = file.read(max_bytes + 1) if found.st_size <= max_bytes else None
        except OSError as error:
            raise KitError(f"{path}: {error.strerror}") from error
    if data is None or len(data) > max_bytes:
        raise KitError(f"{path}: more than {max_bytes // 1024} KiB, too large for a file of its kind")
    return data


def closed_folder(root: Path, path: str) -> Path | None:
    """The first folder on the way from ``root`` to ``path`` below it, both included, that this user may not enter.

    None where there is none, or nothing at all: whatever reads it says so.
    """
    place = root
    for part in ("", *Path(path).parts):
        place /= part
        try:
            if stat.S_ISDIR(place.stat().st_mode) and not os.access(place, os.X_OK):
                return place
        except (OSError, ValueError):
            return None
    return None


def _kind(path: Path) -> str | None:
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except OSError:
        return None
