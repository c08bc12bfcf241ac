"""A write that is whole or not at all, whatever ends it: staged first, then journalled, then moved into place.

Everything lies in one folder below the root. `N.new` is the new content of the journal's entry N, `N.old` what was
there before. `journal.json` names paths, old and new hashes and the direction; it appears by a rename once all is
staged, and goes first. While it is not there, nothing is half done, and the run that finds the folder removes it; while
it is, that run finishes what was begun: forward, or back where a failure had turned it. Each step may be repeated, so a
kill during that is repaired likewise. Nothing is synced: what a power failure tore has another hash, and then all goes
back.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import TargetError
from .ownership import decode, hash_of
from .paths import inside, read

FOLDER = ".kit-journal"
_JOURNAL = "journal.json"
_DRAFT = "journal.new"
_OURS = re.compile(r"[0-9]+\.(new|old)|journal\.new")
#: Whatever the umask: nginx and the server run as users of their own and must read their configuration.
_MODE = 0o644


@dataclass(frozen=True)
class Entry:
    """One path and its hashes; None where there is no file."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Journal:
    """All entries of one run, the folders that it made, and whether it goes forward or back."""

    entries: tuple[Entry, ...]
    folders: tuple[str, ...]
    back: bool = False


def write_new(path: Path, content: bytes) -> None:
    """A file that is not there yet. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        os.fchmod(descriptor, _MODE)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def stage(root: Path, changes: list[tuple[str, bytes | None, bytes | None]]) -> Journal:
    """Put each (path, old, new) into the folder, and then the journal.

    Raises OSError, FileExistsError where an interrupted run was not recovered, and TargetError where a file is not
    the old one any more. ``undo_stage`` tidies up, but for FileExistsError.
    """
    home = root / FOLDER
    home.mkdir()
    entries: list[Entry] = []
    for number, (path, old, new) in enumerate(changes):
        entries.append(Entry(path, _hash(old), _hash(new)))
        if new is not None:
            write_new(home / f"{number}.new", new)
        if old is not None:
            _keep(root / path, home / f"{number}.old")
            if _hash_on_disk(home / f"{number}.old") != entries[-1].old:
                raise TargetError(f"{path}: changed while this run was reading it; run again")
    missing = {folder for entry in entries for folder in Path(entry.path).parents if not (root / folder).is_dir()}
    journal = Journal(tuple(entries), tuple(sorted(map(str, missing))))
    _store(home, journal)
    return journal


def commit(root: Path, journal: Journal) -> None:
    """Move everything into place; where that fails, put everything back and raise what went wrong."""
    try:
        _forward(root, journal, strict=True)
    except BaseException:
        _turn_back(root, journal)
        _remove(root)
        raise
    with suppress(OSError):  # what stays is removed by the next run
        _remove(root)


def recover(root: Path) -> None:
    """Finish what an interrupted run left. Raises TargetError where it cannot."""
    home = root / FOLDER
    if not os.path.lexists(home):
        return
    if home.is_symlink() or not home.is_dir():
        raise TargetError(f"{FOLDER}: not a folder of the generator; move it away")
    try:
        journal = _load(home)
        if journal is not None:
            if journal.back or not _all_intact(home, journal):
                _turn_back(root, journal)
            else:
                _forward(root, journal, strict=False)
        _remove(root)
    except OSError as error:
        where = error.filename or home
        raise TargetError(f"{where}: {error.strerror}; an interrupted run cannot be finished before that") from error


def pending(root: Path) -> Iterator[tuple[str, str]]:
    """What an interrupted run left, as (path, text), for a run that must not write."""
    home = root / FOLDER
    if os.path.lexists(home):
        yield f"{FOLDER}/{_JOURNAL}", decode(read(home / _JOURNAL) or b"(no journal: nothing was changed yet)\n")


def undo_stage(root: Path) -> None:
    """Remove what ``stage`` made before it failed."""
    with suppress(OSError):
        _remove(root)


def _forward(root: Path, journal: Journal, strict: bool) -> None:
    home = root / FOLDER
    for number, entry in enumerate(journal.entries):
        target, staged = inside(root, entry.path), home / f"{number}.new"
        if (found := _hash_on_disk(target)) not in (entry.old, entry.new):
            if strict:
                raise TargetError(f"{entry.path}: changed while this run was writing; run again")
            continue  # changed by hand since; whoever plans next says so
        if entry.new is None:
            if found is not None:
                target.unlink()
        elif staged.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(target)


def _turn_back(root: Path, journal: Journal) -> None:
    home = root / FOLDER
    if not journal.back:
        _store(home, Journal(journal.entries, journal.folders, back=True))
    for number, entry in enumerate(journal.entries):
        kept = home / f"{number}.old"
        try:
            target = inside(root, entry.path)
        except TargetError:  # a link is in the way: nothing was written through it
            continue
        if entry.old == entry.new or _hash_on_disk(target) != entry.new:
            continue
        if entry.old is None:
            target.unlink()
        elif kept.exists():
            kept.replace(target)
    for folder in reversed(journal.folders):
        with suppress(OSError, TargetError):  # not there, or somebody put a file or a link into its place
            inside(root, folder).rmdir()


def _keep(target: Path, kept: Path) -> None:
    try:
        os.link(target, kept, follow_symlinks=False)
    except OSError:  # another's file, or a file system without links
        shutil.copy2(target, kept, follow_symlinks=False)


def _store(home: Path, journal: Journal) -> None:
    with suppress(FileNotFoundError):
        (home / _DRAFT).unlink()
    write_new(home / _DRAFT, json.dumps(asdict(journal), indent=2).encode())
    (home / _DRAFT).replace(home / _JOURNAL)


def _load(home: Path) -> Journal | None:
    content = read(home / _JOURNAL)
    if content is None:
        return None
    try:
        found = json.loads(content)
        entries = tuple(Entry(_text(e["path"]), _digest(e["old"]), _digest(e["new"])) for e in found["entries"])
        return Journal(entries, tuple(_text(folder) for folder in found["folders"]), bool(found["back"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise TargetError(f"{home / _JOURNAL}: not a journal of the generator; remove {home}") from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or value.startswith("/") or ".." in value.split("/"):
        raise ValueError(value)
    return value


def _digest(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)):
        raise ValueError(value)
    return value


def _all_intact(home: Path, journal: Journal) -> bool:
    """Whether everything that was not moved yet has its hash; after a power failure it may not."""
    staged = ((home / f"{number}.new", entry.new) for number, entry in enumerate(journal.entries))
    return all(_hash_on_disk(path) in (None, digest) for path, digest in staged)


def _remove(root: Path) -> None:
    """The folder, the journal first of its files: nothing of it is wanted any more."""
    home = root / FOLDER
    with suppress(FileNotFoundError):
        (home / _JOURNAL).unlink()
    for path in home.iterdir():
        if _OURS.fullmatch(path.name):
            path.unlink()
    home.rmdir()


def _hash(content: bytes | None) -> str | None:
    return None if content is None else hash_of(content)


def _hash_on_disk(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return ""  # neither the old nor the new
    except (FileNotFoundError, NotADirectoryError):
        return None
    content = read(path)
    return None if content is None else hash_of(content)
