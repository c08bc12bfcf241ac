"""What writing would change: the files to write against those on disk, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import TargetError
from . import journal
from .ownership import decode, encode, hash_of, list_text, may_own, read_list
from .paths import LIST_NAME, inside, places, read


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
        texts = {**bundle.files, list_path: list_text(bundle.files)}
        on_disk = places(root, texts)
        listed = read_list(on_disk[list_path])
        for path, text in texts.items():
            old = _read_text(on_disk[path])
            verb = "created" if old is None else "unchanged" if old == text else "changed"
            changes.append(Change(path, verb, old, text))
            if verb == "changed" and path != list_path and listed.get(path) != hash_of(encode(old or "")):
                foreign.append(f"{path}: " + ("changed by hand" if path in listed else "not made by the generator"))
        owned = sorted(path for path in listed.keys() - bundle.files.keys() if may_own(bundle.folder, path))
        for path, place in places(root, owned).items():
            old = _read_text(place)
            if old is not None and (listed[path] == hash_of(encode(old)) or force):
                changes.append(Change(path, "removed", old, None))
        changes += _leftovers(root, [*texts, *owned])
    if foreign and not force:
        raise TargetError("\n".join([*foreign, "move them away, or overwrite them with --force"]))
    return changes + [Change(path, "removed", text, None) for path, text in journal.pending(root)]


def _leftovers(root: Path, paths: Iterable[str]) -> Iterator[Change]:
    """Temporary files that a killed run of an earlier version left beside its targets."""
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        leftover = f"{folder}/.{name}.kit-new"
        if os.path.lexists(root / leftover) and (old := _read_text(inside(root, leftover))) is not None:
            yield Change(leftover, "removed", old, None)


def _read_text(path: Path) -> str | None:
    content = read(path)
    return None if content is None else decode(content)
