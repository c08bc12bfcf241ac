"""Files and command lines to findings: what starts gunicorn, with which configuration, where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ..errors import Mark
from ..profile.gunicorn_settings import known_settings
from .command_line import options_of, read_arguments
from .configuration import Unreadable, read_configuration
from .containers import Container, compose_services, configurations, is_compose, pod_containers
from .dockerfile import Image, read_dockerfile
from .documents import BadDocument, Node, read_documents
from .finding import Finding
from .given import Given, Run, Span, Unseen
from .kinds import KINDS
from .names import check_names
from .settings import check_grace, check_settings
from .values import Value
from .words import Command, Word, find_gunicorn, split


@dataclass(frozen=True)
class Source:
    """One text to look at; ``name`` is its path in messages."""

    name: str
    text: str


@dataclass(frozen=True)
class Report:
    """What was found, and what could not be seen, each in the order of the sources."""

    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a finding is an error."""
        return any(finding.kind.severity == "error" for finding in self.findings)


#: Reads a file beside a source: the source's name and the path that it names; None where there is none.
Beside = Callable[[str, str], Source | None]
#: Evaluates a configuration by running it: name, text and environment to values by name; None where that failed.
Execute = Callable[[Source, Mapping[str, str]], "tuple[Mapping[str, object], str]"]


def audit(
    sources: Sequence[Source], words: Sequence[str] = (), beside: Beside | None = None, execute: Execute | None = None
) -> Report:
    """Look at files and at the words of one command line. Executes nothing unless ``execute`` does."""
    return _looked_at(sources, words, beside, execute).report()


@dataclass(frozen=True)
class Starts:
    """Every start of gunicorn, in the order of the sources, and what surrounds them."""

    runs: tuple[Run, ...]
    images: tuple[Image, ...]
    containers: tuple[Container, ...]
    report: Report


def read_starts(sources: Sequence[Source], words: Sequence[str] = (), beside: Beside | None = None) -> Starts:
    """What files and the words of one command line start, with the findings about it."""
    work = _looked_at(sources, words, beside, None)
    return Starts(tuple(work.runs), tuple(work.images), tuple(work.pending), work.report())


def _looked_at(
    sources: Sequence[Source], words: Sequence[str], beside: Beside | None, execute: Execute | None
) -> _Audit:
    work = _Audit(sources, beside or (lambda _name, _path: None), execute)
    if words:
        work.command_line(words)
    for source in sources:
        work.source(source)
    work.containers()
    work.leftover()
    return work


#: The name under which a command line's own words are reported.
COMMAND_LINE = "command line"


@dataclass
class _Audit:
    sources: Sequence[Source]
    beside: Beside
    execute: Execute | None
    runs: list[Run] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    pending: list[Container] = field(default_factory=list)
    maps: list[tuple[str, Node]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)

    def command_line(self, words: Sequence[str]) -> None:
        column, placed = 1, []
        for text in words:
            placed.append(Word(text, Span(Mark(COMMAND_LINE, 1, column), max(len(text), 1))))
            column += len(text) + 1
        self.texts[COMMAND_LINE] = " ".join(words)
        command = find_gunicorn(placed)
        if command is None:
            command = Command(placed[0], tuple(placed), {}, True)
        self._start(command, COMMAND_LINE, Run(place="process"), {})

    def source(self, source: Source) -> None:
        self.texts[source.name] = source.text
        name = PurePosixPath(source.name).name
        if name.endswith((".yaml", ".yml")):
            self._documents(source)
        elif "dockerfile" in name.lower() or "containerfile" in name.lower():
            image = read_dockerfile(source.text, source.name)
            self.images.append(image)
            self.findings += image.findings
            if (command := image.command) is not None:
                self._start(command, source.name, Run(place="container"), image.environment)
        elif name.lower().startswith("procfile") or name.endswith(".sh"):
            self._lines(source)

    def _lines(self, source: Source) -> None:
        is_procfile = not source.name.endswith(".sh")
        environment: dict[str, str] = {}
        text = re.sub(r"\\\n", "  ", source.text) if is_procfile else source.text
        for number, line in enumerate(text.splitlines(), start=1):
            match = re.match(r"[\w-]+:\s*", line) if is_procfile else re.match(r"\s*", line)
            if match is None or line.lstrip().startswith("#"):
                continue
            if exported := re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(\S*)\s*$", line):
                environment[exported[1]] = exported[2].strip("'\"")
            words = split(line[match.end() :], Mark(source.name, number, match.end() + 1), environment)
            if (command := find_gunicorn(words)) is not None:
                self._start(command, source.name, Run(place="process"), environment)

    def _documents(self, source: Source) -> None:
        if template := re.search(r"\{\{-?\s*(\.|include|if|end|toYaml|range|with|template|define)", source.text):
            line = source.text[: template.start()].count("\n") + 1
            column = template.start() - source.text.rfind("\n", 0, template.start())
            span = Span(Mark(source.name, line, column), len(template[0]))
            self.unseen.append(Unseen(span, "it is a template: render it first, as helm template does"))
            return
        try:
            documents = read_documents(source.text, source.name)
        except BadDocument as error:
            self.findings.append(Finding("K100", error.span, f"no YAML: {error}"))
            return
        for document in documents:
            self.pending += compose_services(document) if is_compose(document) else pod_containers(document)
            self.maps += [(name, node) for name, node in configurations(document)]

    def containers(self) -> None:
        """The containers of documents; one that does not say what it starts does what the only image does."""
        for one in self.pending:
            command, environment = find_gunicorn(one.words), dict(one.environment)
            if command is None and not one.starts and len(self.images) == 1:
                command, environment = self.images[0].command, {**self.images[0].environment, **environment}
            if command is None and (one.starts or not self.images) and not self.maps:
                ours = not one.starts and not re.search("nginx|postgres|redis", one.name)
                self.findings += one.findings if ours else []
                continue
            self.findings += one.findings
            if command is not None:
                self._start(command, command.word.span.mark.file, one.run, environment)

    def leftover(self) -> None:
        """Configurations that no command names."""
        for source in self.sources:
            if source.name.endswith(".py") and source.name not in self.used:
                self._judge(self._configuration(source, {}, Mark(source.name)))
        for name, node in self.maps:
            source = Source(node.file, node.text)
            mark = node.content_mark
            self._judge(self._configuration(source, {}, mark, label=f"{node.file}: {name}"))

    def _configuration(self, source: Source, environment: Mapping[str, str], mark: Mark, label: str = "") -> Run:
        self.used.add(source.name)
        self.texts.setdefault(source.name, source.text)
        try:
            run = read_configuration(source.text, source.name, environment)
        except Unreadable as error:
            self.findings.append(Finding("K100", _shifted(error.span, mark), f"no Python: {error}"))
            return Run(partial=True)
        if self.execute is not None and not label:
            self._executed(run, source, environment)
        if mark.line > 1:
            run.given = [replace(one, span=_shifted(one.span, mark)) for one in run.given]
            run.unseen = [replace(one, span=_shifted(one.span, mark)) for one in run.unseen]
        return run

    def _executed(self, run: Run, source: Source, environment: Mapping[str, str]) -> None:
        values, note = self.execute(source, environment) if self.execute else ({}, "")
        if note:
            self.unseen.append(Unseen(Span(Mark(source.name)), note))
        if not values and note:
            return
        known = {one.name for one in run.given}
        run.given = [
            replace(one, value=Value(values[one.name])) if one.value.unseen and one.name in values else one
            for one in run.given
        ]
        top = Span(Mark(source.name))
        run.given += [Given(name, Value(value), top, read=True) for name, value in values.items() if name not in known]
        run.unseen = []

    def _start(self, command: Command, origin: str, run: Run, environment: Mapping[str, str]) -> None:
        run.environment = {**environment, **command.variables}
        run.command = run.command or command.word.span
        early = read_arguments([Word(text, command.word.span) for text in options_of(run.environment)])
        late = read_arguments(command.arguments)
        wrong = [*early.wrong, *late.wrong]
        self.findings += [Finding("K103", word.span, text) for word, text in wrong]
        run.given += [one for one in (*early.given, *late.given)]
        if "WEB_CONCURRENCY" in run.environment:
            value = Value(run.environment["WEB_CONCURRENCY"])
            run.given.insert(0, Given("workers", value, command.word.span, "variable"))
        self._with_configuration(run, origin, command.ours)
        app = late.app or early.app
        run.app = app.text if app else ""
        if app is not None and (module := self.beside(origin, app.text.partition(":")[0].replace(".", "/") + ".py")):
            run.patched |= "monkey.patch_all" in module.text
        self._judge(run)

    def _with_configuration(self, run: Run, origin: str, ours: bool) -> None:
        named = run.last("config")
        path = str(named.value.value) if named else "gunicorn.conf.py"
        path = path.removeprefix("file:")
        if path.startswith("python:"):
            path = path.removeprefix("python:").replace(".", "/") + ".py"
        source = self._find(origin, path)
        if source is None:
            run.partial = run.partial or named is not None or ours
            if named is not None:
                run.unseen.append(Unseen(named.span, f"the configuration {path} is not among the files"))
            return
        inner = self._configuration(source, run.environment, Mark(source.name))
        variables = [one for one in run.given if one.how == "variable"]
        run.given = [*variables, *inner.given, *(one for one in run.given if one.how != "variable")]
        run.unseen += inner.unseen
        run.patched |= inner.patched
        run.ours |= inner.ours
        run.partial |= inner.partial
        run.given = [one for one in run.given if one.name != "config" or one.how != "option"]

    def _find(self, origin: str, path: str) -> Source | None:
        base_name = PurePosixPath(path).name
        given = [one for one in self.sources if PurePosixPath(one.name).name == base_name]
        return given[0] if len(given) == 1 else self.beside(origin, path)

    def _judge(self, run: Run) -> None:
        self.runs.append(run)
        self.findings += [*check_names(run), *check_settings(run), *_overridden(run)]
        if run.place == "container":
            self.findings += check_grace(run)
        self.unseen += run.unseen
        self.unseen += [
            Unseen(one.span, f"{one.name}: {one.value.unseen}")
            for one in run.given
            if one.value.unseen and one.how != "imported" and _is_setting(one.name) and run.last(one.name) is one
        ]

    def report(self) -> Report:
        """Findings and gaps without duplicates, those that a comment ignores left out."""
        order = {name: number for number, name in enumerate(self.texts)}
        beside_limit = {one.span for one in self.findings if one.code == "K111"}
        kept: dict[tuple[str, Span], Finding] = {}
        for one in self.findings:
            if not (one.code == "K110" and one.span in beside_limit):
                kept.setdefault((one.code, one.span), one)
        ignored, unreasoned = _ignores(self.texts)
        found = [one for one in kept.values() if not _is_ignored(one, ignored)]
        found += unreasoned

        def place(span: Span) -> tuple[int, int, int]:
            return order.get(span.mark.file, len(order)), span.mark.line, span.mark.column

        unseen = sorted(dict.fromkeys(self.unseen), key=lambda one: place(one.span))
        return Report(tuple(sorted(found, key=lambda one: (*place(one.span), one.code))), tuple(unseen))


def _is_setting(name: str) -> bool:
    return name in known_settings()


def _shifted(span: Span, mark: Mark) -> Span:
    """A place in a text that itself begins at ``mark``, each line indented as its first."""
    own = span.mark
    if mark.line == 1:
        return span
    return Span(Mark(mark.file, own.line + mark.line - 1, own.column + mark.column - 1), span.width)


def _overridden(run: Run) -> Iterator[Finding]:
    """Two known values for one setting, one in the configuration and one on the command line."""
    for one in run.given:
        other = run.last(one.name)
        if one.how != "assigned" or one.otherwise or other is None or other.how != "option" or other is one:
            continue
        differs = one.value.known and other.value.known and str(one.value.value) != str(other.value.value)
        if differs and not isinstance(other.value.value, list):
            yield Finding("K106", one.span, f"the command line gives {one.name} {other.value.value!s:.60}")


_IGNORE = re.compile(r"#\s*kit:\s*ignore\[([A-Z0-9,\s]+)\][ \t]*([^\n]*)")


def _ignores(texts: Mapping[str, str]) -> tuple[dict[tuple[str, int], set[str]], list[Finding]]:
    """The codes that comments ignore, by file and line: the comment's own line, or the one below it if it is alone."""
    found: dict[tuple[str, int], set[str]] = {}
    wrong = []
    for name, text in texts.items():
        if name == COMMAND_LINE:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if (match := _IGNORE.search(line)) is None:
                continue
            codes = {code.strip() for code in match[1].split(",")}
            span = Span(Mark(name, number, match.start() + 1), len(match[0].rstrip()))
            unknown = sorted(codes - KINDS.keys())
            if not match[2].strip() or unknown:
                fault = f"there is no finding {', '.join(unknown)}" if unknown else "no reason follows"
                wrong.append(Finding("K290", span, fault))
                continue
            alone = not line[: match.start()].strip()
            found.setdefault((name, number + alone), set()).update(codes)
    return found, wrong


def _is_ignored(one: Finding, ignored: Mapping[tuple[str, int], Iterable[str]]) -> bool:
    return one.code in ignored.get((one.span.mark.file, one.span.mark.line), ())
