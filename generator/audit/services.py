"""Command lines of supervisord's programs and systemd's units."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..errors import Mark
from .expansion import outside
from .given import Span
from .placed import Placed, plain
from .words import Word, line_words

_SECTION = re.compile(r"\[([^\]\n]+)\]\s*$")
_OPTION = re.compile(r"([A-Za-z_]\w*)[ \t]*=[ \t]*")
_PAIR = re.compile(r"""(?<!\w)([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^,\s"']*)""")


@dataclass
class Program:
    """One program or unit: what it starts, with which variables."""

    words: list[Word] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    #: Where it sets its variables.
    places: dict[str, Span] = field(default_factory=dict)
    #: Where a file of variables is named.
    open_at: Span | None = None


def is_services(name: str, text: str) -> bool:
    """Whether a file is a unit of systemd, or a configuration of supervisord."""
    if name.endswith(".service"):
        return True
    return name.endswith((".conf", ".ini")) and re.search(r"^\[program:", text, re.MULTILINE) is not None


def programs(name: str, text: str) -> Iterator[Program]:
    """Every program of supervisord, or the unit of systemd."""
    is_unit = name.endswith(".service")
    found: Program | None = Program() if is_unit else None
    commands: list[Placed] = []
    for section, option, value in _options(text, name):
        if not option:
            if found is not None and not is_unit:
                yield _read(found, commands, is_unit)
            found = found if is_unit else Program() if section.startswith("program:") else None
            commands = commands if is_unit else []
        elif found is None or (is_unit and section != "Service"):
            continue
        elif option in ("ExecStart", "command"):
            commands.append(value)
        elif option in ("Environment", "environment"):
            _variables(_assignments(value.text, is_unit), value, found)
        elif option == "EnvironmentFile":
            found.open_at = value.span(0, len(value.text))
    if found is not None:
        yield _read(found, commands, is_unit)


def _options(text: str, file: str) -> Iterator[tuple[str, str, Placed]]:
    """Section, option and value of each line, continued ones joined; a section's own line has no option."""
    whole, section = plain(text, Mark(file)), ""
    lines = re.compile(r"^(?![#;])(?:[^\n]*\\\n)*[^\n]*(?:\n[ \t]+\S[^\n]*)*", re.MULTILINE)
    for line in lines.finditer(text):
        if (head := _SECTION.match(line[0])) is not None:
            section = head[1].strip()
            yield section, "", whole.part(line.start(), line.start())
        elif (option := _OPTION.match(line[0])) is not None:
            yield section, option[1], whole.part(line.start() + option.end(), line.end())


def _assignments(text: str, is_unit: bool) -> list[tuple[str, str]]:
    """Names and values: a unit quotes a whole assignment or a value, supervisord has commas between them."""
    if is_unit:
        try:
            words = shlex.split(text.replace("\\\n", " "))
        except ValueError:  # a quote that nothing closes
            words = text.split()
        return [(name, value) for name, equals, value in (word.partition("=") for word in words) if equals]
    return [(name, written.strip("\"'")) for name, written in _PAIR.findall(text)]


def _variables(pairs: Iterable[tuple[str, str]], whole: Placed, found: Program) -> None:
    starts = {match[1]: match.span(1) for match in re.finditer(r"(?<!\w)(\w+)=", whole.text)}
    for name, value in pairs:
        if name in starts:
            found.places[name] = whole.span(*starts[name])
        if "%" in value:
            found.unknown.add(name)
        else:
            found.environment[name] = value


def _read(found: Program, commands: list[Placed], is_unit: bool) -> Program:
    for one in commands:
        if is_unit:
            prefix = len(one.text) - len(one.text.lstrip("-@:+!"))
            found.words += line_words(one.part(prefix, len(one.text)), found.environment, found.environment)
        else:
            found.words += line_words(_formatted(one), found.environment)
        found.words.append(Word(";", one.span(0, 0), breaks=True))
    return found


def _formatted(text: Placed) -> Placed:
    """What supervisord replaces in a command: %(ENV_NAME)s, of its own environment."""
    pieces: list[tuple[str, range | list[int]]] = []
    at = 0
    for match in re.finditer(r"%\((?:ENV_)?(\w+)\)[a-z0-9]|%%", text.text):
        pieces.append((text.text[at : match.start()], range(at, match.start())))
        value = outside(match[1]) if match[1] else "%"
        pieces.append((value, [match.start()] * len(value)))
        at = match.end()
    pieces.append((text.text[at:], range(at, len(text.text))))
    return text.made_of(pieces, len(text.text))
