"""Paths below the output root: where they lead, what lies there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import KitError, TargetError
from ..files import read_regular

#: Far more than the largest generated file; a larger one in its place is not the generator's.
MAX_BYTES = 16 * 1024**2
#: Holds the hashes of a folder's generated files.
LIST_NAME = ".generated.json"


def output_root(given: str) -> Path:
    """The folder that ``--output`` names. Raises TargetError where it is empty or no folder."""
    if not given.strip():
        raise TargetError("--output: empty; write . for this folder")
    if "\0" in given:
        raise TargetError("--output: holds a NUL")
    root = Path(given)
    existing = next(place for place in (root, *root.parents) if os.path.lexists(place))
    if not existing.is_dir():
        raise TargetError(f"--output: {existing}: not a folder")
    return root


def inside(root: Path, path: str) -> Path:
    """The place of ``path`` below ``root``. Raises TargetError where a link leads elsewhere."""
    return places(root, [path])[path]


def places(root: Path, paths: Iterable[str]) -> dict[str, Path]:
    """The place of each path below ``root``, as ``inside``: a folder's links are followed once for all its files."""
    found = {path: root / path for path in paths}
    folders = {place.parent for place in found.values()}
    outside = {folder for folder in folders if leads_outside(root, folder)}
    for folder in folders - outside:
        if (link := _dangling(root, folder)) is not None:
            raise TargetError(f"{link}: a link that leads to nothing; remove the link")
    for path, place in found.items():
        if place.parent in outside or place.is_symlink():
            raise TargetError(f"{path}: leads outside the output folder by a link; remove the link")
    return found


def _dangling(root: Path, folder: Path) -> str | None:
    """The link on the way to a folder below ``root`` where nothing is, so that no folder can be made either."""
    while folder not in (root, folder.parent):
        if folder.is_symlink() and not folder.exists():
            return folder.relative_to(root).as_posix()
        folder = folder.parent
    return None


def leads_outside(root: Path, target: Path) -> bool:
    """Whether ``target``, with its links followed, lies outside of ``root``; a loop of links does."""
    try:
        return not target.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return True


def read(path: Path) -> bytes | None:
    """What lies there, None for nothing. Raises TargetError for what cannot be read, or is no file of that size."""
    try:
        return read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return None
    except KitError as error:
        raise TargetError(f"{error}; move it away") from error


def require_inputs(root: Path, paths: Iterable[tuple[str, bool, str]]) -> None:
    """The app's own files must lie below ``root``, since the build context ends there.

    ``paths`` are (path, is a folder, the place that names it). Raises TargetError with every path that does not, or is
    a folder that the generator writes.
    """
    problems = []
    for path, is_folder, place in paths:
        target = root / path
        if leads_outside(root, target):
            problems.append(f"{place}: {path}: leads outside the build context by a link; copy the files instead")
        elif not _is_there(target, is_folder):
            problems.append(f"{place}: {path}: no such {'folder' if is_folder else 'file'} below {root}; see --output")
        elif is_folder and _is_there(target / LIST_NAME, False):
            problems.append(f"{place}: {path}: a folder of generated files; name a folder that holds only the app")
    if problems:
        raise TargetError("\n".join(problems))


def _is_there(target: Path, is_folder: bool) -> bool:
    try:
        return target.is_dir() if is_folder else target.is_file()
    except (OSError, ValueError):  # a name that is too long
        return False
