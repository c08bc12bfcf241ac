"""gunicorn's command line to settings, by the flags of gunicorn's own table."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..profile.gunicorn_settings import known_settings
from .given import Given, Span
from .values import Value
from .words import Word


@dataclass
class Arguments:
    """What a command line gives: settings, the app, and options that gunicorn would refuse."""

    given: list[Given] = field(default_factory=list)
    app: Word | None = None
    #: Words that may be any options, as an unquoted variable is.
    unknown: list[Word] = field(default_factory=list)
    #: Options that gunicorn does not know, or that lack a value.
    wrong: list[tuple[Word, str]] = field(default_factory=list)


def read_arguments(words: Sequence[Word]) -> Arguments:
    """The settings of a command line, as argparse would read it."""
    found = Arguments()
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word.text.startswith("-") and word.text not in ("-", "--"):
            _option(word, rest, found)
        elif word.several:
            found.unknown.append(word)
        elif word.text != "--":
            found.app = found.app or word
    _gather(found)
    return found


def _gather(found: Arguments) -> None:
    """The last option of a list has all of its values, each that stands before it its own."""
    whole: dict[str, list[Any]] = {}
    last: dict[str, int] = {}
    for number, one in enumerate(found.given):
        if known_settings()[one.name]["type"] == "list":
            whole.setdefault(one.name, []).extend(one.value.value)
            last[one.name] = number
    for name, number in last.items():
        one = found.given[number]
        found.given[number] = replace(one, value=replace(one.value, value=whole[name]))


def _option(word: Word, rest: deque[Word], found: Arguments) -> None:
    """Add one option, with its value, which is taken from ``rest`` where it stands there."""
    flag, value = _split(word.text)
    name = _setting(flag)
    if name is None:
        found.wrong.append((word, f"gunicorn has no option {flag}"))
        if value is None and len(rest) > 1 and not rest[0].text.startswith("-"):
            rest.popleft()
        return
    takes = known_settings()[name]["takes"]
    follows = bool(rest) and (rest[0].text == "-" or not rest[0].text.startswith("-"))
    span, unknown, given = word.span, word.variable, value
    if takes == "nothing":
        found.given.append(Given(name, Value(name != "sendfile"), span, "option"))  # --no-sendfile
        return
    if value is None and takes == "optional" and not follows:
        given = "auto"
    elif value is None and follows:
        following = rest.popleft()
        given, unknown = following.text, following.variable
        if following.span.mark.line == span.mark.line:
            span = Span(span.mark, following.span.mark.column + following.span.width - span.mark.column)
    elif value is None:
        found.wrong.append((word, f"the option {flag} needs a value"))
        return
    own: Any = [given] if known_settings()[name]["type"] == "list" else given
    reason = f"the variable {unknown} is not known here" if unknown else ""
    found.given.append(Given(name, Value(own, unseen=reason), span, "option"))


def options_of(environment: Mapping[str, str]) -> list[str]:
    """The words of GUNICORN_CMD_ARGS, which stand before a command line's own."""
    import shlex

    try:
        return shlex.split(environment.get("GUNICORN_CMD_ARGS", ""))
    except ValueError:
        return []


def _split(text: str) -> tuple[str, str | None]:
    """The flag and the value that is written with it: `--workers=4`, `-w4`."""
    if text.startswith("--"):
        flag, equals, value = text.partition("=")
        return flag, value if equals else None
    return text[:2], text[2:].removeprefix("=") or None


def _flags() -> Iterator[tuple[str, str]]:
    for name, row in known_settings().items():
        for flag in row.get("flags", ()):
            yield flag, name


def _setting(flag: str) -> str | None:
    """The setting of a flag, or of the only one that it begins, as argparse has it."""
    table = dict(_flags())
    if flag in table:
        return table[flag]
    begun = {name for other, name in table.items() if flag.startswith("--") and other.startswith(flag)}
    return begun.pop() if len(begun) == 1 else None
