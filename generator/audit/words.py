"""A shell command's words with their places, and the gunicorn command among them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import Mark
from .given import Span


@dataclass(frozen=True)
class Word:
    """One word as the shell passes it on, and where it stands; ``variable`` is one without a known value in it."""

    text: str
    span: Span
    variable: str | None = None
    #: Whether it ends a command: `&&`, `;`, `|`.
    breaks: bool = False


_PIECE = re.compile(
    r"""
    (?P<space>[ \t\n]+|\\\n) | (?P<break>&&|\|\||[;|&]) | '(?P<single>[^']*)' | "(?P<double>(?:\\.|[^"\\])*)"
    | \\(?P<escaped>.) | (?P<bare>[^\s'"\\;|&]+) | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
#: Characters of all values together that one text takes in: ENV A=$A$A, sixty times, is more than any machine has.
_MAX_EXPANDED = 64 * 1024
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^{}]*))?\})")


def split(text: str, mark: Mark, environment: Mapping[str, str], shell: bool = True) -> list[Word]:
    """The words of a shell command that begins at ``mark``; without ``shell`` no variable is expanded."""
    words: list[Word] = []
    pieces: list[str] = []
    start: int | None = None
    unknown: str | None = None
    breaks = [match.start() for match in re.finditer("\n", text)]
    room = _MAX_EXPANDED

    def close(end: int) -> None:
        nonlocal start, unknown
        if start is not None:
            words.append(Word("".join(pieces), span_of(start, end, mark, breaks), unknown))
        pieces.clear()
        start, unknown = None, None

    for match in _PIECE.finditer(text):
        if match.lastgroup in ("space", "break"):
            close(match.start())
            if match.lastgroup == "break":
                words.append(Word(match[0], span_of(match.start(), match.end(), mark, breaks), breaks=True))
            continue
        start = match.start() if start is None else start
        piece = next(group for group in match.groups() if group is not None)
        if match.lastgroup in ("double", "bare") and shell:
            given = len(piece)
            piece, missing = expand(piece, environment, room)
            room -= max(0, len(piece) - given)
            unknown = unknown or missing
        pieces.append(re.sub(r'\\(["\\$`])', r"\1", piece) if match.lastgroup == "double" else piece)
    close(len(text))
    return words


def expand(text: str, environment: Mapping[str, str], room: int = _MAX_EXPANDED) -> tuple[str, str | None]:
    """The text with variables replaced by known values or their defaults; and the first that is not known, or for
    whose value there is no room."""
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        nonlocal room
        name = match[1] or match[2]
        found = environment.get(name, match[3])
        if found is None or len(found) > room:
            missing.append(name)
            return match[0]
        room -= len(found)
        return found

    expanded = _VARIABLE.sub(value, text)
    return expanded, missing[0] if missing else ("$(...)" if "$(" in expanded or "`" in expanded else None)


def span_of(start: int, end: int, mark: Mark, breaks: Sequence[int]) -> Span:
    """The place of a part of a text that begins at ``mark`` and has line breaks at ``breaks``: its first line."""
    line = bisect_left(breaks, start)
    column = mark.column + start if not line else start - breaks[line - 1]
    width = (breaks[line] if line < len(breaks) and breaks[line] < end else end) - start
    return Span(Mark(mark.file, mark.line + line, column), max(width, 1))


def commands(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The single commands of a line."""
    found: list[Word] = []
    for word in words:
        if word.breaks:
            if found:
                yield found
            found = []
        else:
            found.append(word)
    if found:
        yield found


@dataclass(frozen=True)
class Command:
    """A start of gunicorn: its own word, its arguments, variables set before it, and whether `exec` stands there."""

    word: Word
    arguments: tuple[Word, ...]
    variables: Mapping[str, str]
    replaced: bool
    #: Whether the kit's runtime starts it, with a configuration at a fixed path.
    ours: bool = False


#: Programs whose arguments name gunicorn without starting it.
_NO_START = ("pip", "pip3", "apt-get", "apk", "echo", "which", "pkill", "pgrep", "command")


def find_gunicorn(words: Sequence[Word]) -> Command | None:
    """The first command that starts gunicorn, or None."""
    for one in commands(words):
        variables: dict[str, str] = {}
        named_only = False
        for position, word in enumerate(one):
            name = word.text.rsplit("/", 1)[-1]
            if name == "gunicorn" and not named_only:
                before = [other.text for other in one[:position]]
                ours = "kit_runtime" in before
                return Command(word, tuple(one[position + 1 :]), variables, "exec" in before, ours)
            named_only = named_only or name in _NO_START
            if re.fullmatch(r"[A-Za-z_]\w*=.*", word.text, re.DOTALL) and not word.variable:
                key, _, value = word.text.partition("=")
                variables[key] = value
    return None
