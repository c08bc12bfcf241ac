"""Files: drift, ownership by a list with hashes, and a write that is whole or not at all. It never looks inside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import TargetError

LIST_NAME = ".generated.json"
_TEMPORARY = ".kit-new"


@dataclass(frozen=True)
class Bundle:
    """Files that belong together: one profile's, or the runtime's; ``folder`` holds their list."""

    folder: str
    files: Mapping[str, str]


@dataclass
class Change:
    """What a run does, or would do, to one path: created, changed, unchanged or removed."""

    path: str
    verb: str
    old: str | None = field(default=None, repr=False)
    new: str | None = field(default=None, repr=False)

    def diff(self) -> str:
        import difflib

        # A foreign file need not be UTF-8, but a terminal takes nothing else.
        shown = (self.old or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        old, new = shown.splitlines(True), (self.new or "").splitlines(True)
        return "".join(difflib.unified_diff(old, new, f"{self.path} (on disk)", f"{self.path} (generated)"))


def plan_changes(root: Path, bundles: Iterable[Bundle], force: bool = False) -> list[Change]:
    """What writing the bundles below ``root`` would change; nothing is written.

    Raises TargetError where a path leads outside ``root`` or somebody else's file is in the way, unless ``force``.
    """
    changes: list[Change] = []
    foreign: list[str] = []
    for bundle in bundles:
        list_path = f"{bundle.folder}/{LIST_NAME}"
        listed = _listed(_inside(root, list_path))
        for path, text in {**bundle.files, list_path: _list_text(bundle.files)}.items():
            target = _inside(root, path)
            old = _read(target)
            verb = "created" if old is None else "unchanged" if old == text else "changed"
            changes.append(Change(path, verb, old, text))
            if verb == "changed" and path != list_path and listed.get(path) != _hash(old or ""):
                foreign.append(f"{path}: " + ("changed by hand" if path in listed else "not made by the generator"))
        for path in sorted(path for path in listed.keys() - bundle.files.keys() if _may_own(bundle.folder, path)):
            old = _read(_inside(root, path))
            if old is not None and (listed[path] == _hash(old) or force):
                changes.append(Change(path, "removed", old, None))
    if foreign and not force:
        raise TargetError("\n".join([*foreign, "move them away, or overwrite them with --force"]))
    return changes


def apply_changes(root: Path, changes: Iterable[Change]) -> None:
    """Write all temporary files, then rename each into place; a failure puts back what was there before."""
    todo = [change for change in changes if change.verb != "unchanged"]
    temporary: list[Path] = []
    done: list[Change] = []
    try:
        for change in todo:
            if change.new is not None:
                temporary.append(_temporary(root / change.path))
                _write_temporary(root / change.path, change.new)
        for change in todo:
            target = root / change.path
            if change.new is None:
                target.unlink()
            else:
                _temporary(target).replace(target)
            done.append(change)
    except OSError as error:
        for change in reversed(done):
            _put_back(root / change.path, change.old)
        raise TargetError(f"{error.filename or root}: {error.strerror}; nothing was changed") from error
    finally:
        for path in temporary:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}{_TEMPORARY}")


def _write_temporary(target: Path, text: str) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    path = _temporary(target)
    path.unlink(missing_ok=True)
    # As _read: what is put back may be somebody's file that is not UTF-8.
    with path.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
    return path


def _put_back(target: Path, old: str | None) -> None:
    if old is None:
        target.unlink(missing_ok=True)
    else:
        _write_temporary(target, old).replace(target)


def _may_own(folder: str, path: str) -> bool:
    """Whether ``folder``'s list may name ``path``: a list that was copied here names another profile's files."""
    manifest = f"k8s/{folder.removeprefix('docker/')}.yaml"
    return path == manifest or (path.startswith(f"{folder}/") and ".." not in path.split("/"))


def _leads_outside(root: Path, target: Path) -> bool:
    try:
        return not target.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return True


def _inside(root: Path, path: str) -> Path:
    target = root / path
    if target.is_symlink() or _leads_outside(root, target.parent):
        raise TargetError(f"{path}: leads outside the output folder by a link; remove the link")
    return target


def require_inputs(root: Path, paths: Iterable[tuple[str, bool, str]]) -> None:
    """The app's own files must lie below ``root``, since the build context ends there.

    ``paths`` are (path, is a folder, the place that names it). Raises TargetError with every path that does not.
    """
    problems = []
    for path, is_folder, place in paths:
        target = root / path
        if _leads_outside(root, target):
            problems.append(f"{place}: {path}: leads outside the build context by a link; copy the files instead")
        elif not _is_there(target, is_folder):
            problems.append(f"{place}: {path}: no such {'folder' if is_folder else 'file'} below {root}; see --output")
    if problems:
        raise TargetError("\n".join(problems))


def _is_there(target: Path, is_folder: bool) -> bool:
    try:
        return target.is_dir() if is_folder else target.is_file()
    except OSError:  # a name that is too long
        return False


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _list_text(files: Mapping[str, str]) -> str:
    return json.dumps({path: _hash(text) for path, text in files.items()}, indent=2, sort_keys=True) + "\n"


def _listed(path: Path) -> dict[str, str]:
    text = _read(path)
    if text is None:
        return {}
    try:
        listed = json.loads(text)
        return {str(name): str(digest) for name, digest in listed.items()}
    except (ValueError, AttributeError):
        raise TargetError(f"{path}: not a list of generated files; remove it and use --force") from None
