"""Everything that can go wrong, each in one of the exit codes: 1 drift, 2 the user's input, 3 our own fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: So many faults are printed, the others are counted: nobody reads more before correcting the first ones.
FAULTS_SHOWN = 50


def printable(text: str) -> str:
    """The text on one line: a file or a key may be named with control characters, which would act on a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Mark:
    """A place in what the user wrote: a file, or ``--set``; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a profile: where, which field, what was given, what is allowed, what to do."""

    mark: Mark
    path: str
    given: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        lines = [f"{self.mark}: {self.path or 'profile'}: {self.given}"]
        lines += [f"    allowed: {self.allowed}"] if self.allowed else []
        lines += [f"    do: {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


class KitError(Exception):
    """Base of all errors that end the command with a message and ``exit_code``, without a traceback."""

    exit_code = 2

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in super().__str__().split("\n"))


class ProfileError(KitError):
    """One or more profiles are wrong; carries every fault found, not the first only."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults), key=lambda f: (f.mark.file, f.mark.line, f.mark.column, f.path)))
        lines = [str(fault) for fault in self.faults[:FAULTS_SHOWN]]
        if len(self.faults) > FAULTS_SHOWN:
            lines.append(f"... and {len(self.faults) - FAULTS_SHOWN} more faults")
        super().__init__("\n".join(lines))


class TargetError(KitError):
    """The output folder cannot take the files: a foreign file is in the way, or a path leads outside."""


class OwnFault(KitError):
    """The kit made something that its consumer would refuse: not the user's fault, hence an exit code of its own."""

    exit_code = 3


def nearest(word: str, options: Sequence[str]) -> str | None:
    """The option that the word most likely misspells, or None where none is near."""
    from difflib import get_close_matches  # only for messages: a good profile does not wait for its import

    return next(iter(get_close_matches(word.lower()[:100], options, n=1, cutoff=0.6)), None)
