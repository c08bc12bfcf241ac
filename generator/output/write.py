"""Writing, and the look at what writing would change: each under the lock of the output root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import TargetError
from . import journal
from .drift import Bundle, Change, plan_changes
from .lock import locked, signals_held
from .ownership import encode


def write_bundles(root: Path, bundles: Iterable[Bundle], force: bool = False) -> list[Change]:
    """Bring the files below ``root`` to what the bundles say, all of them or none; what was done to each path.

    Raises TargetError where somebody else's file is in the way, unless ``force``, or the folder takes no files.
    """
    with locked(root):
        changes = plan_changes(root, bundles, force)
        apply_changes(root, changes)
    return changes


def find_drift(root: Path, bundles: Iterable[Bundle]) -> list[Change]:
    """What ``write_bundles`` with ``force`` would do; nothing is written. Raises TargetError."""
    with locked(root, writing=False):
        return plan_changes(root, bundles, force=True)


def write_changes(root: Path, changes: Iterable[Change]) -> None:
    """Apply changes that were planned without a lock; what changed meanwhile is reported. Raises TargetError."""
    with locked(root):
        apply_changes(root, changes)


def apply_changes(root: Path, changes: Iterable[Change]) -> None:
    """All changes or, where one fails, none; for whoever holds the lock. Raises TargetError."""
    todo = [change for change in changes if change.verb != "unchanged"]
    if not todo:
        return
    to_undo = True
    try:
        planned = journal.stage(root, [(change.path, _bytes(change.old), _bytes(change.new)) for change in todo])
        with signals_held():
            to_undo = False  # commit puts back what it did itself
            journal.commit(root, planned)
    except FileExistsError as error:
        to_undo = False
        raise TargetError(f"{error.filename}: left by an interrupted run; run again") from error
    except OSError as error:
        raise TargetError(f"{error.filename or root}: {error.strerror}; nothing was changed") from error
    finally:
        if to_undo:
            with signals_held():
                journal.undo_stage(root)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else encode(text)
