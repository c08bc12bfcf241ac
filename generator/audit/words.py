"""A shell command's words with their places, and the gunicorn command among them."""

from __future__ import annotations

import re
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
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^{}]*))?\})")


def split(text: str, mark: Mark, environment: Mapping[str, str], shell: bool = True) -> list[Word]:
    """The words of a shell command that begins at ``mark``; without ``shell`` no variable is expanded."""
    words: list[Word] = []
    pieces: list[str] = []
    start: int | None = None
    unknown: str | None = None

    def close(end: int) -> None:
        nonlocal start, unknown
        if start is not None:
            words.append(Word("".join(pieces), _span(text, start, end, mark), unknown))
        pieces.clear()
        start, unknown = None, None

    for match in _PIECE.finditer(text):
        if match.lastgroup in ("space", "break"):
            close(match.start())
            if match.lastgroup == "break":
                words.append(Word(match[0], _span(text, match.start(), match.end(), mark), breaks=True))
            continue
        start = match.start() if start is None else start
        piece = next(group for group in match.groups() if group is not None)
        if match.lastgroup in ("double", "bare") and shell:
            piece, missing = expand(piece, environment)
            unknown = unknown or missing
        pieces.append(re.sub(r'\\(["\\$`])', r"\1", piece) if match.lastgroup == "double" else piece)
    close(len(text))
    return words


def expand(text: str, environment: Mapping[str, str]) -> tuple[str, str | None]:
    """The text with variables replaced by known values or their defaults; and the first that is not known."""
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in environment:
            return environment[name]
        if match[3] is None:
            missing.append(name)
            return match[0]
        return match[3]

    expanded = _VARIABLE.sub(value, text)
    return expanded, missing[0] if missing else ("$(...)" if "$(" in expanded or "`" in expanded else None)


def _span(text: str, start: int, end: int, mark: Mark) -> Span:
    before = text[:start]
    line = before.count("\n")
    column = mark.column + start if not line else start - before.rfind("\n")
    width = len(text[start:end].split("\n", maxsplit=1)[0])
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
        for position, word in enumerate(one):
            name = word.text.rsplit("/", 1)[-1]
            before = [other.text for other in one[:position]]
            if name == "gunicorn" and not any(other.rsplit("/", 1)[-1] in _NO_START for other in before):
                ours = "kit_runtime" in before
                return Command(word, tuple(one[position + 1 :]), variables, "exec" in before, ours)
            if re.fullmatch(r"[A-Za-z_]\w*=.*", word.text, re.DOTALL) and not word.variable:
                key, _, value = word.text.partition("=")
                variables[key] = value
    return None
