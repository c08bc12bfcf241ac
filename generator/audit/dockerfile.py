"""A Dockerfile's last stage: what it starts, its environment, and what is wrong around that."""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import Mark, lines_of
from .expansion import expand
from .finding import Finding
from .given import Span
from .placed import Placed, plain, unquoted
from .words import SHELLS, Command, Word, find_gunicorn, list_words, script_words
from .wrapping import is_gunicorn

#: Health programs that images of Python lack, by the tag's suffix.
_LACKS = {"slim": ("curl", "wget"), "alpine": ("curl",)}


@dataclass(frozen=True)
class Instruction:
    """One instruction; ``text`` keeps its line breaks, so that places in it can be named."""

    name: str
    text: str
    mark: Mark

    @property
    def placed(self) -> Placed:
        """Its text with the place of each character."""
        return plain(self.text, self.mark)


@dataclass
class Image:
    """What a Dockerfile's last stage says."""

    file: str = ""
    words: list[Word] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    #: Variables that it sets to what is not known.
    unknown: set[str] = field(default_factory=set)
    #: Where it sets its variables.
    places: dict[str, Span] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    base: str = ""
    #: Names that only the build knows.
    arguments: set[str] = field(default_factory=set)
    #: The build's own variables, whose values no container has.
    build: dict[str, str] = field(default_factory=dict)
    entry: Instruction | None = None
    start: Instruction | None = None
    health: Instruction | None = None
    #: What its stages install, and every word of what they run: an image has the programs that its build uses.
    installed: set[str] = field(default_factory=set)
    ports: list[str] = field(default_factory=list)
    #: The line of the stage's FROM.
    begun: int = 0
    #: Packages of the apt-get and apk lines, by stage; the last one's are last, with those that it inherits.
    packages: dict[str, list[str]] = field(default_factory=dict)

    @property
    def command(self) -> Command | None:
        """The start of gunicorn, if it is one."""
        return find_gunicorn(self.words)

    def words_with(self, arguments: Iterable[Placed], words: Iterable[Word] = ()) -> list[Word]:
        """What it starts with other arguments than its CMD."""
        if self.entry is not None and not _is_json(self.entry.text):
            return script_words(self.entry.placed, self.environment)
        own, rest = list(arguments), list(words)
        given = [*list_words(own, self.environment), *rest]
        every = [*list_words([*_items(self.entry), *own], self.environment), *rest]
        # Of an entry that nobody knows: what else would it do with gunicorn and its options than start it?
        return given if find_gunicorn(every) is None and is_gunicorn(given) else every


_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?(['\"]?)([A-Za-z_]\w*)\1")


def instructions(text: str, file: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile; comments and empty lines between continued ones become blanks."""
    start = 0
    held: list[str] = []
    delimiters: list[str] = []
    last = {line.strip(): number for number, line in enumerate(lines_of(text), start=1)}
    for number, line in enumerate(lines_of(text), start=1):
        if delimiters:
            held.append(line)
            delimiters = delimiters[1:] if line.strip() == delimiters[0] else delimiters
        elif line.lstrip().startswith("#") or not line.strip():
            if held:
                held.append(" \\" if held[-1].endswith("\\") else "")
            continue
        else:
            start = start if held else number
            held.append(line.rstrip() if line.rstrip().endswith("\\") else line)
            if held[-1].endswith("\\"):
                continue
            # One that nothing ends is none, as in $((A<<B)).
            delimiters = [one for one in _delimiters("\n".join(held)) if last.get(one, 0) > number]
        if not delimiters:
            yield from _instruction("\n".join(held), Mark(file, start, 1))
            held = []
    if held:
        yield from _instruction("\n".join(held), Mark(file, start, 1))


def _delimiters(whole: str) -> list[str]:
    """The ends of the here-documents that an instruction begins."""
    if re.match(r"\s*(RUN|COPY|ADD)\s", whole, re.IGNORECASE) is None:
        return []
    return [match[2] for match in _HERE_DOCUMENT.finditer(whole)]


def _instruction(whole: str, mark: Mark) -> Iterator[Instruction]:
    if match := re.match(r"(\s*)([A-Za-z]+)(\s+)", whole):
        yield Instruction(match[2].upper(), whole[match.end() :], Mark(mark.file, mark.line, match.end() + 1))


def read_dockerfile(text: str, file: str, target: str = "") -> Image:
    """The last stage of a Dockerfile, or the one named ``target``, with what it inherits of stages in the same file."""
    everywhere, stages = _stages(text, file, target.lower())
    chain: dict[int, None] = {}  # the stages that the last one is made of, itself the first
    number = len(stages) - 1 if stages else None
    while number is not None:
        chain[number] = None
        number = stages[number].above
    image = Image(file, base=stages[next(reversed(chain))].base if stages else "")
    for number, stage in enumerate(stages):
        image.begun = stage.line
        # Of one beside them only its packages are of interest; its base's are that one's.
        follower = image if number in chain else Image(file, packages=image.packages)
        for one in stage.instructions:
            _follow(one, follower, stage.name, everywhere)
    if stages:
        packages = [name for number in reversed(chain) for name in image.packages.get(stages[number].name, ())]
        image.packages.pop(stages[-1].name, None)
        image.packages[stages[-1].name] = packages
    image.words = _started(image)
    image.findings += [*_shell(image), *_health(image)]
    return image


@dataclass
class _Stage:
    """One FROM and what follows it."""

    name: str
    base: str
    line: int
    #: The number of the stage that it begins with, if its base is one.
    above: int | None
    instructions: list[Instruction] = field(default_factory=list)


def _stages(text: str, file: str, target: str) -> tuple[dict[str, str], list[_Stage]]:
    """The ARGs above the first FROM, and the stages, up to the one named ``target``."""
    everywhere: dict[str, str] = {}
    stages: list[_Stage] = []
    numbers: dict[str, int] = {}
    for one in instructions(text, file):
        if one.name == "FROM":
            if target and stages and stages[-1].name == target:
                break
            words = [expand(word, everywhere)[0] for word in one.text.split() if not word.startswith("--")]
            base = words[0] if words else ""
            name = words[2].lower() if len(words) > 2 else str(len(stages))
            stages.append(_Stage(name, base, one.mark.line, numbers.get(base.lower())))
            numbers[name] = len(stages) - 1
        elif stages:
            stages[-1].instructions.append(one)
        elif one.name == "ARG":
            everywhere |= _variables(one, everywhere)[0]
    return everywhere, stages


def _follow(one: Instruction, image: Image, stage: str, everywhere: Mapping[str, str]) -> None:
    """Take over what one instruction says."""
    known = ChainMap(image.environment, image.build)
    if one.name == "ARG":
        names = {word.text.partition("=")[0] for word in script_words(one.placed, known)}
        image.arguments |= names - image.environment.keys()
        image.build |= {name: everywhere[name] for name in names if name in everywhere} | _variables(one, known)[0]
    elif one.name == "ENV":
        variables, unknown, places = _variables(one, known)
        for name in unknown:
            image.environment.pop(name, None)
        image.environment |= variables
        image.unknown = (image.unknown | unknown) - variables.keys()
        image.places |= places
        image.arguments -= variables.keys()
    elif one.name == "EXPOSE":
        image.ports += [expand(word, known)[0].partition("/")[0] for word in one.text.split()]
    elif one.name == "RUN":
        _run(one.text.replace("\\\n", " "), known, image, stage)
    elif one.name in ("COPY", "ADD"):
        image.installed |= set(_PROGRAM.findall(one.text))
    elif one.name == "HEALTHCHECK":
        image.health = one
    elif one.name == "CMD":
        image.start = one
    elif one.name == "ENTRYPOINT":
        # One of the stage's own resets the CMD that it has from above; the stage's own stays.
        is_inherited = image.start is not None and image.start.mark.line < image.begun
        image.entry, image.start = one, None if is_inherited else image.start


_PROGRAM = re.compile(r"[\w.+-]+")
#: A package manager with its options, none of which it begins in again: `apt -apt -apt`.
_PACKAGES = r"(?<![\w-])(?:apt-get|apt|apk)\s+(?:-\S+\s+)*"


def _run(text: str, known: Mapping[str, str], image: Image, stage: str) -> None:
    """What a RUN installs and removes."""
    found = re.findall(_PACKAGES + r"(?:install|add)\s+([^&|;\n]*)", text)
    names = [word for part in found for word in expand(part, known)[0].split() if not word.startswith("-")]
    image.packages.setdefault(stage, []).extend(names)
    removed = re.findall(
        r"(?<![\w-])(?:apt-get|apt|apk)\s+(?:-\S+\s+)*(?:purge|remove|autoremove|del)\s+([^&|;\n]*)", text
    )
    gone = {re.split(r"[=:/]", word)[0] for part in removed for word in part.split()}
    image.installed |= set(_PROGRAM.findall(expand(text, known)[0]))
    image.installed -= gone


def _started(image: Image) -> list[Word]:
    if image.entry is not None and not _is_json(image.entry.text):
        return script_words(image.entry.placed, image.environment)  # whose shell gets no CMD
    if image.start is not None and not _is_json(image.start.text):
        # As Docker has it: the arguments of an entry are then the shell and its script.
        own = script_words(image.start.placed, image.environment)
        return [*list_words(_items(image.entry), image.environment), *own]
    return image.words_with(_items(image.start))


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("[")


def _items(one: Instruction | None) -> Iterator[Placed]:
    """The words of an exec form, unexpanded."""
    if one is None or not _is_json(one.text):
        return
    try:
        items = json.loads(one.text.replace("\\\n", " \n"))
    except (ValueError, RecursionError):
        return
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return
    source = one.placed
    for item, match in zip(items, re.finditer(r'"(?:\\.|[^"\\])*"', one.text), strict=False):
        yield unquoted(item, source.part(match.start(), match.end()), '"')


def _variables(one: Instruction, known: Mapping[str, str]) -> tuple[dict[str, str], set[str], dict[str, Span]]:
    """The variables that an instruction sets: known ones, names of others, and where each stands."""
    words = script_words(one.placed, known)
    if one.name == "ENV" and words and "=" not in words[0].text:
        value = " ".join(word.text for word in words[1:])
        is_known = not any(word.variable for word in words)
        name = words[0].text
        return ({name: value} if is_known else {}), (set() if is_known else {name}), {name: words[0].span}
    pairs = [(*word.text.partition("=")[::2], word) for word in words if "=" in word.text]
    return (
        {name: value for name, value, word in pairs if not word.variable},
        {name for name, _, word in pairs if word.variable},
        {name: word.span for name, _, word in pairs},
    )


def _shell(image: Image) -> Iterator[Finding]:
    one, command = image.entry or image.start, image.command
    if one is not None and command is not None and starts_under_a_shell(image.words, command, _is_json(one.text)):
        yield Finding("K201", command.word.span, f"{one.name} starts gunicorn through a shell, without exec")


def starts_under_a_shell(words: list[Word], command: Command, is_list: bool) -> bool:
    """Whether a shell stays between the container's init and gunicorn: its own script, not a file that it reads."""
    if command.replaced:
        return False
    first = words[0].text.rsplit("/", 1)[-1]
    return not is_list or (first in SHELLS and any(word.breaks for word in words))


def _health(image: Image) -> Iterator[Finding]:
    one = image.health
    if one is None:
        return
    tag = image.base.partition("python")[2]
    lacks = next((names for suffix, names in _LACKS.items() if suffix in tag), ())
    match = re.search(rf"(?<![\w/-])({'|'.join(lacks)})(?![\w-])", one.text) if lacks else None
    if match and match[1] not in image.installed:
        span = one.placed.span(match.start(), match.end())
        yield Finding("K202", span, f"{image.base} has no {match[1]}, and the last stage installs none")
