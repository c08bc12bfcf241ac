"""Files of the user's project, below the build context: what is there, what leads outside, what COPY cannot name."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from ..errors import KitError
from ..files import read_regular

#: A lock file of a large project has some megabytes.
MAX_BYTES = 32 * 1024**2


class FileError(ValueError):
    """The file cannot be part of the build: (what is allowed, what to do)."""

    def __init__(self, allowed: str, remedy: str) -> None:
        super().__init__(allowed)
        self.allowed, self.remedy = allowed, remedy


def below(root: Path, folder: str, path: str) -> str:
    """``path``, as a file in ``folder`` writes it, relative to the build context ``root``. Raises FileError."""
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", path):
        raise FileError(
            "a path below the build context; this one is of one machine", "write it relative, inside the project"
        )
    parts: list[str] = []
    for part in (*PurePosixPath(folder).parts, *PurePosixPath(path).parts):
        if part == ".." and not parts:
            raise FileError(
                "a path below the build context; docker build sends nothing else",
                "move it into the project, or run `container-kit new` in the folder above both, which writes app.path "
                "and app.requirements from there",
            )
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    found = "/".join(parts) or "."
    if re.search(r"""[\x00-\x1f\x7f*?\[\]\\$"']""", found) or found.startswith("-"):
        raise FileError("a path that COPY can name", "rename it: COPY reads such characters as patterns or variables")
    if not (root / found).resolve().is_relative_to(root.resolve()):
        raise FileError("a path below the build context; this one leads outside by a link", "copy the files instead")
    return found


def read_bytes(root: Path, path: str) -> bytes:
    """The file's content. Raises FileError."""
    try:
        return read_regular(root / path, MAX_BYTES)
    except FileNotFoundError as error:
        allowed = f"a file below the build context; {path}: no such file or directory"
        raise FileError(allowed, "correct the name, or see --output") from error
    except KitError as error:
        reason = str(error).removeprefix(f"{root / path}: ")
        allowed = f"a file of at most 32 MiB below the build context; {path}: {reason.lower()}"
        raise FileError(allowed, "name the dependency file itself, or see --output") from error
