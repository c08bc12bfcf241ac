"""A Dockerfile's last stage: what it starts, its environment, and what is wrong around that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import Mark
from .finding import Finding
from .given import Span
from .words import Command, Word, expand, find_gunicorn, span_of, split

#: Health programs that images of Python lack, by the tag's suffix.
_LACKS = {"slim": ("curl", "wget"), "alpine": ("curl",)}


@dataclass(frozen=True)
class Instruction:
    """One instruction; ``text`` keeps its line breaks, so that places in it can be named."""

    name: str
    text: str
    mark: Mark


@dataclass
class Image:
    """What a Dockerfile's last stage says."""

    words: list[Word] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    base: str = ""
    #: Names that only the build knows.
    arguments: set[str] = field(default_factory=set)
    ports: list[str] = field(default_factory=list)
    #: Packages of its apt-get and apk lines, by stage, the last one's last.
    packages: dict[str, list[str]] = field(default_factory=dict)

    @property
    def command(self) -> Command | None:
        """The start of gunicorn, if it is one."""
        return find_gunicorn(self.words)


def instructions(text: str, file: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile; comments and empty lines between continued ones become blanks."""
    start = 0
    held: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#") or not line.strip():
            if held:
                held.append(" \\" if held[-1].endswith("\\") else "")
            continue
        if not held:
            start = number
        held.append(line)
        if line.rstrip().endswith("\\"):
            held[-1] = line.rstrip()
            continue
        yield from _instruction("\n".join(held), Mark(file, start, 1))
        held = []
    if held:
        yield from _instruction("\n".join(held), Mark(file, start, 1))


def _instruction(whole: str, mark: Mark) -> Iterator[Instruction]:
    if match := re.match(r"(\s*)([A-Za-z]+)(\s+)", whole):
        yield Instruction(match[2].upper(), whole[match.end() :], Mark(mark.file, mark.line, match.end() + 1))


def read_dockerfile(text: str, file: str) -> Image:
    """The last stage of a Dockerfile, with what it inherits of stages in the same file."""
    stages: dict[str, Image] = {}
    image, stage = Image(), "0"
    health: Instruction | None = None
    entry: Instruction | None = None
    command: Instruction | None = None
    installed: set[str] = set()
    for one in instructions(text, file):
        if one.name == "FROM":
            stages[stage] = image
            words = [word for word in one.text.split() if not word.startswith("--")]
            above = stages.get(words[0].lower()) if words else None
            stage = words[2].lower() if len(words) > 2 else str(len(stages))
            base = above.base if above else words[0] if words else ""
            packages = image.packages
            image = Image(environment=dict(above.environment) if above else {}, base=base)
            image.packages = {**packages, stage: list(packages.get(words[0].lower(), ())) if words else []}
            health = entry = command = None
            installed = set()
        elif one.name in ("ENV", "ARG"):
            variables = _variables(one, image.environment)
            image.environment |= variables
            image.arguments |= variables.keys() if one.name == "ARG" else set()
        elif one.name == "EXPOSE":
            image.ports += [expand(word, image.environment)[0].partition("/")[0] for word in one.text.split()]
        elif one.name == "RUN":
            found = re.findall(r"(?:apt-get|apt|apk)\s+(?:-\S+\s+)*(?:install|add)\s+([^&|;]*)", one.text)
            names = [word for part in found for word in part.replace("\\\n", " ").split() if not word.startswith("-")]
            installed |= set(names)
            image.packages.setdefault(stage, []).extend(names)
        elif one.name in ("HEALTHCHECK", "ENTRYPOINT", "CMD"):
            health = one if one.name == "HEALTHCHECK" else health
            entry = one if one.name == "ENTRYPOINT" else entry
            command = one if one.name == "CMD" else command
    image.words = [*_words(entry, image), *(_words(command, image) if entry is None or _is_json(entry.text) else [])]
    image.findings += [*_shell(entry or command, image), *_health(health, image, installed)]
    return image


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("[")


def _words(one: Instruction | None, image: Image) -> list[Word]:
    if one is None:
        return []
    if not _is_json(one.text):
        return split(one.text, one.mark, image.environment)
    return list(json_words(one.text, one.mark, image.environment))


def json_words(text: str, mark: Mark, environment: Mapping[str, str]) -> Iterator[Word]:
    """The words of an exec form; those of `sh -c` are a shell's."""
    try:
        items = json.loads(text.replace("\\\n", " \n"))
    except (ValueError, RecursionError):
        return
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return
    position, previous = 0, ""
    breaks = [match.start() for match in re.finditer("\n", text)]
    for item in items:
        literal = json.dumps(item, ensure_ascii=False)
        at = text.find(literal, position)
        at = position if at < 0 else at
        position = at + len(literal)
        found = span_of(at, at, mark, breaks).mark
        place = Mark(found.file, found.line, found.column + 1)
        if re.fullmatch(r"-[a-z]*c", previous) and " " in item:
            yield from split(item, place, environment)
        else:
            yield Word(item, Span(place, max(len(item), 1)))
        previous = item


def _variables(one: Instruction, known: Mapping[str, str]) -> dict[str, str]:
    words = split(one.text, one.mark, known)
    if one.name == "ENV" and words and "=" not in words[0].text:
        return {words[0].text: " ".join(word.text for word in words[1:])}
    pairs = (word.text.partition("=") for word in words if not word.variable)
    return {name: value for name, equals, value in pairs if equals}


def _shell(one: Instruction | None, image: Image) -> Iterator[Finding]:
    command = image.command
    if one is not None and command is not None and starts_under_a_shell(image.words, command, _is_json(one.text)):
        yield Finding("K201", command.word.span, f"{one.name} starts gunicorn through a shell, without exec")


def starts_under_a_shell(words: list[Word], command: Command, is_list: bool) -> bool:
    """Whether a shell stays between the container's init and gunicorn."""
    if command.replaced:
        return False
    first = words[0].text.rsplit("/", 1)[-1]
    return not is_list or (first in ("sh", "bash", "ash", "dash") and words[0].span != command.word.span)


def _health(one: Instruction | None, image: Image, installed: set[str]) -> Iterator[Finding]:
    if one is None:
        return
    lacks = next((names for suffix, names in _LACKS.items() if re.search(rf"python.*{suffix}", image.base)), ())
    match = re.search(rf"(?<![\w/-])({'|'.join(lacks)})(?![\w-])", one.text) if lacks else None
    if match and match[1] not in installed:
        line = one.text[: match.start()].count("\n")
        newline = one.text.rfind("\n", 0, match.start())
        column = one.mark.column + match.start() if not line else match.start() - newline
        span = Span(Mark(one.mark.file, one.mark.line + line, column), len(match[1]))
        yield Finding("K202", span, f"{image.base} has no {match[1]}, and the last stage installs none")
