"""What a Dockerfile's instructions do that its image does not tell: variables by build arguments, other commands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import PurePosixPath

from ..audit.dockerfile import Instruction, instructions
from ..audit.given import Span
from ..audit.placed import plain
from ..audit.sources import COMMAND_LINE, Source
from ..audit.words import Word, commands, line_words, split
from ..errors import Mark
from ..profile.secrets import secret_word
from .settings import IN_DOCKERFILE, Draft

#: Commands of a RUN that the kit's own image does in its way, or has no need of.
_DONE = re.compile(
    r"apt-get|apt|apk|pip[0-9.]*|uv|poetry|pipenv|rm|mkdir|chown|chmod|useradd|adduser|groupadd|addgroup|usermod|set|cd"
    r"|true|echo|printf|find|export"
)
#: Words that a note shows of a command, at most.
_SHOWN = 4
_PLAIN = re.compile(r"[a-z][a-z_./:-]{0,40}")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def dockerfile_of(sources: Sequence[Source]) -> Source | None:
    """The first Dockerfile among the sources, as audit tells one: by its own name, not its folder's."""
    for one in sources:
        name = PurePosixPath(one.name).name.lower()
        if ("dockerfile" in name or "containerfile" in name) and not name.endswith((".yaml", ".yml")):
            return one
    return None


@dataclass(frozen=True)
class Variable:
    """One ENV of the last stage, or of a stage that it begins from, and the build arguments in it."""

    place: str
    arguments: tuple[str, ...]


def variables_of(source: Source) -> dict[str, Variable]:
    """Every variable that ENV sets in the last stage."""
    stages: dict[str, dict[str, Variable]] = {}
    found: dict[str, Variable] = {}
    arguments: set[str] = set()
    for one in instructions(source.text, source.name):
        if one.name == "FROM":
            found, arguments = dict(_above(one, stages)), set()
            stages[_stage(one, str(len(stages)))] = found
        elif one.name == "ARG":
            arguments |= {word.partition("=")[0] for word in one.text.split()} - found.keys()
        elif one.name == "ENV":
            for name, value, line in _pairs(one):
                used = tuple(dict.fromkeys(name for name in re.findall(r"\$\{?(\w+)", value) if name in arguments))
                found[name] = Variable(f"{source.name}:{line}", used)
    return found


def _above(one: Instruction, stages: Mapping[str, dict[str, Variable]]) -> Mapping[str, Variable]:
    words = [word for word in one.text.split() if not word.startswith("--")]
    return stages.get(words[0].lower(), {}) if words else {}


def _stage(one: Instruction, number: str) -> str:
    words = [word for word in one.text.split() if not word.startswith("--")]
    return words[2].lower() if len(words) > 2 else number


def _pairs(one: Instruction) -> Iterator[tuple[str, str, int]]:
    """Names and values of an ENV as they are written, and the line of each."""
    words = line_words(plain(one.text, one.mark), {})
    if words and "=" not in words[0].text:
        yield words[0].text, " ".join(word.text for word in words[1:]), words[0].span.mark.line
        return
    for word in words:
        name, equals, value = word.text.partition("=")
        if equals:
            yield name, value, word.span.mark.line


def add_build(source: Source, known: Mapping[str, str], given: Collection[str], draft: Draft) -> None:
    """Notes of what the build decides or does beside packages: its arguments, and its other commands.

    ``known`` are the image's variables as far as they are, ``given`` the names of those that its container has of its
    own.
    """
    for name, variable in variables_of(source).items():
        if not variable.arguments or name in given:
            continue
        listed, path = ", ".join(variable.arguments), f"env.{name}"
        if name not in known or IN_DOCKERFILE.search(known[name]):
            draft.entries.pop(path, None)
            do = "write it in env, or give it to the container when it runs"
            draft.notes.append(f"{variable.place}: {name}: the build argument {listed} has no default: {do}")
        elif path in draft.entries:
            why = f"The build argument {listed} could give another value; here it is the default."
            draft.set(path, draft.entries[path].value, variable.place, why)
    for one in instructions(source.text, source.name):
        if one.name == "RUN":
            _run(one, draft)
        elif one.name == "HEALTHCHECK" and "health.readiness_path" not in draft.entries:
            why = "the kit's own asks the server; name a page that it asks too as health.readiness_path"
            draft.notes.append(f"{source.name}:{one.mark.line}: HEALTHCHECK: left out: {why}")


def _run(one: Instruction, draft: Draft) -> None:
    text = re.sub(r"^(--\S+\s+)+", "", one.text).replace("\\\n", " ")
    found = [[word.text for word in command] for command in commands(split(text, one.mark, {}))]
    if others := [_shown(words) for words in found if not _is_done(words)]:
        do = "app.build_commands has commands that run in the build"
        draft.notes.append(f"{one.mark.file}:{one.mark.line}: RUN {' && '.join(others)}: left out; {do}")


def _is_done(words: Sequence[str]) -> bool:
    own = [*dropwhile(_ASSIGNMENT.fullmatch, words)]
    program = own[0].rpartition("/")[2] if own else ""
    is_pip = program.startswith("python") and own[1:3] in (["-m", "pip"], ["-m", "venv"])
    return not own or is_pip or _DONE.fullmatch(program) is not None


#: What only passes on to the next word, or does what the kit's entry point does.
_PASSES_ON = re.compile(
    r"exec|env|sh|bash|ash|dash|-[a-z]*c|python[0-9.]*|-m|-u|poetry|pipenv|uv|run|tini|dumb-init|-g|-s|--|gosu|su-exec"
)
#: Programs that become the server, with what of their own they take before it.
_WRAPPERS = {"ddtrace-run": (), "opentelemetry-instrument": (), "newrelic-admin": ("run-program", "run-python")}


def add_before(words: Sequence[Word], at: Span | None, draft: Draft) -> None:
    """What stands before gunicorn in what is started: a wrapper that is known, or else a note of each command."""
    number = next((number for number, word in enumerate(words) if word.span == at), None)
    if number is None or at is None:
        return
    place = f"{at.mark.file}:{at.mark.line}"
    before = list(commands(words[:number]))
    own = before.pop() if before and not words[number - 1].breaks else []
    rest = [one.text for one in own if not (_PASSES_ON.fullmatch(one.text) or _ASSIGNMENT.fullmatch(one.text))]
    rest = rest[1:] if own and own[0].text in ("gosu", "su-exec") else rest
    first = next((number for number, text in enumerate(rest) if text in _WRAPPERS), len(rest))
    if first < len(rest) and set(rest[first + 1 :]) <= set(_WRAPPERS[rest[first]]):
        draft.set("app.wrapper", rest[first:], place)
        rest = rest[:first]
    if rest:
        what = _shown(rest)
        draft.notes.append(f"{place}: {what} before gunicorn: left out; app.wrapper, or app.before_start, can start it")
    for one in before:
        texts = [word.text for word in one]
        while texts and _PASSES_ON.fullmatch(texts[0]) and not texts[0].startswith("python"):
            texts.pop(0)
        if not _is_done(texts):
            do = "app.before_start runs a command once before each release serves"
            draft.notes.append(f"{place}: {_shown(texts)} before gunicorn: left out; {do}")


def _shown(words: Sequence[str]) -> str:
    """Which command it is: its program, and words behind it that are plain; any other may be a secret."""
    own = [*dropwhile(_ASSIGNMENT.fullmatch, words)]
    plain = [*takewhile(_PLAIN.fullmatch, own[1:_SHOWN])] if secret_word(words) is None else []
    return " ".join([own[0][:60], *plain]) if own else ""


def add_process(sources: Sequence[Source], words: Sequence[str], at: Span, draft: Draft) -> None:
    """What a Procfile, a script or the words of a command line start before gunicorn."""
    if at.mark.file == COMMAND_LINE:
        number = next((number for number, text in enumerate(words) if text.rpartition("/")[2] == "gunicorn"), 0)
        add_before(
            [Word(text, at if place == number else Span(at.mark, 0)) for place, text in enumerate(words)], at, draft
        )
    for source in sources:
        if source.name == at.mark.file:
            is_script = source.name.endswith(".sh")
            # The line that the start stands on, with those that continue it.
            below = "\n".join(source.text.split("\n")[at.mark.line - 1 :])
            line = below.partition("\n")[0] if is_script else re.sub(r"\\\n", "  ", below).partition("\n")[0]
            match = re.match(r"\s*" if is_script else r"[\w-]+:\s*", line)
            end = match.end() if match is not None else 0
            add_before(split(line[end:], Mark(source.name, at.mark.line, end + 1), {}), at, draft)
            if is_script:
                _script(source, at, draft)


#: A script's comments and options; its variables are the server's.
_SAYS_NOTHING = re.compile(r"\s*($|#|set |(export\s+)?[A-Za-z_]\w*=\S*\s*$)")


def _script(source: Source, at: Span, draft: Draft) -> None:
    """A note of what a script does on its other lines."""
    lines = enumerate(source.text.splitlines(), start=1)
    others = [f"{number}" for number, line in lines if number != at.mark.line and not _SAYS_NOTHING.match(line)]
    if others:
        do = "app.before_start runs a command once before each release serves"
        draft.notes.append(f"{source.name}: lines {', '.join(others)}: left out; {do}")
