"""Files and command lines to findings: what starts gunicorn, with which configuration, where."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ..errors import Mark, lines_of
from ..profile.gunicorn_settings import known_settings
from .command_line import options_of, read_arguments
from .configuration import Unreadable, read_configuration
from .containers import Build, Container, compose_services, configurations, is_compose, pod_containers
from .dockerfile import Image, read_dockerfile, starts_under_a_shell
from .documents import BadDocument, Node, read_documents, template
from .expansion import Variables
from .finding import Finding
from .given import Given, Run, Span, Unseen
from .images import images_of, is_another
from .kinds import KINDS
from .names import check_names
from .patching import modules_of, patches
from .placed import Placed, plain
from .services import is_services, programs
from .settings import check_grace, check_settings, preloads_unpatched
from .values import Value
from .words import Command, Word, all_gunicorns, find_gunicorn, script_of, script_words
from .wrapping import GUNICORN, base_name


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
    ours = tuple(one for one in work.pending if one.starts or not is_another(one))
    names = {source.name for source in sources}
    images = tuple(one for one in work.images if one.file in names)  # not those that lie beside
    return Starts(tuple(work.runs), images, ours, work.report())


def _looked_at(
    sources: Sequence[Source], words: Sequence[str], beside: Beside | None, execute: Execute | None
) -> _Audit:
    work = _Audit(sources, beside or (lambda _name, _path: None), execute)
    if words:
        work.command_line(words)
    for source in sources:
        work.source(source)
    work.containers()
    work.scripts()
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
    scripts_left: list[Source] = field(default_factory=list)
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
            own = next((number for number, text in enumerate(words) if base_name(text) in GUNICORN), -1)
            command = Command(placed[max(own, 0)], tuple(placed[own + 1 :]), {}, True)
        self._start(command, COMMAND_LINE, Run(place="process"), {})

    def source(self, source: Source) -> None:
        self.texts[source.name] = source.text
        name = PurePosixPath(source.name).name
        if name.endswith((".yaml", ".yml", ".json")):
            self._documents(source)
        elif "dockerfile" in name.lower() or "containerfile" in name.lower():
            self._image(source, "")
        elif name.lower().startswith("procfile"):
            self._procfile(source)
        elif name.endswith(".sh") or _SHEBANG.match(source.text):
            self.scripts_left.append(source)
        elif is_services(source.name, source.text):
            self._services(source)
        elif not name.endswith(".py"):
            self.unseen.append(Unseen(Span(Mark(source.name)), _NO_KIND))

    def _image(self, source: Source, target: str) -> Image:
        """A Dockerfile's image, with what it starts where the last stage is meant."""
        image = read_dockerfile(source.text, source.name, target)
        if target:
            return image
        self.images.append(image)
        self.findings += image.findings
        run = Run(place="container", unknown=frozenset(image.unknown), places=dict(image.places))
        if (command := image.command) is not None:
            self._wrapped(image.words, command, source.name)
            self._start(command, source.name, run, image.environment)
        else:
            self._script(image.words, source.name, run, image.environment)
        return image

    def _procfile(self, source: Source) -> None:
        whole = plain(source.text, Mark(source.name))
        for match in re.finditer(r"^([\w-]+:[ \t]*)((?:\\\r?\n|[^\n])*)", source.text, re.MULTILINE):
            words = script_words(whole.part(match.start(2), match.end(2)), {})
            if (command := find_gunicorn(words)) is not None:
                self._start(command, source.name, Run(place="process"), {})

    def _services(self, source: Source) -> None:
        for one in programs(source.name, source.text):
            if (command := find_gunicorn(one.words)) is not None:
                run = Run(place="process", unknown=frozenset(one.unknown), open=one.open_at is not None)
                if one.open_at is not None:
                    run.unseen.append(Unseen(one.open_at, "variables that this file sets"))
                self._start(command, source.name, run, one.environment)
            else:
                self._script(one.words, source.name, Run(place="process"), one.environment)

    def scripts(self) -> None:
        """Shell scripts that no container starts."""
        for source in self.scripts_left:
            if source.name not in self.used:
                for command in all_gunicorns(script_words(plain(source.text, Mark(source.name)), {})):
                    self._start(command, source.name, Run(place="process"), {})

    def _script(
        self, words: Sequence[Word], origin: str, run: Run, environment: Mapping[str, str], is_given: bool = False
    ) -> None:
        """What a script starts that a container runs; that it is not among the files is said."""
        named = script_of(words)
        if named is None:
            return
        source = self._script_file(origin, named.text)
        if source is None:
            if not is_given:
                self.unseen.append(Unseen(named.span, f"what {named.text:.60} starts, which is not among the files"))
            return
        self.used.add(source.name)
        self.texts.setdefault(source.name, source.text)
        found = script_words(plain(source.text, Mark(source.name)), environment)
        commands = all_gunicorns(found)
        # Each by itself: most stand in branches of which one is taken. The first is the container's own.
        runs = [run, *(run.copy() for _ in commands[1:])]
        for command, own in zip(commands, runs, strict=False):
            if run.place == "container" and not command.replaced:
                text = f"{origin}: the shell of {PurePosixPath(source.name).name} starts gunicorn, without exec"
                self.findings.append(Finding("K201", command.word.span, text))
            self._start(command, source.name, own, environment)

    def _script_file(self, origin: str, path: str) -> Source | None:
        """A script by its path in the image, which most likely has its name here too."""
        return self._find(origin, path) or self.beside(origin, PurePosixPath(path).name)

    def _wrapped(self, words: Sequence[Word], command: Command, origin: str) -> None:
        """A script between a container's init and the gunicorn that it is given: whether it gives way to that."""
        named = script_of(words)
        if named is None or any(word is named for word in command.arguments) or named.span == command.word.span:
            return
        source = self._script_file(origin, named.text)
        if source is None:
            text = f"what {named.text:.60} does before it starts gunicorn: it is not among the files"
            self.unseen.append(Unseen(named.span, text))
            return
        self.used.add(source.name)
        self.texts.setdefault(source.name, source.text)
        if _ARGUMENTS.search(source.text) and not _gives_way(source.text):
            text = f"the shell of {PurePosixPath(source.name).name} starts gunicorn, without exec"
            self.findings.append(Finding("K201", command.word.span, text))

    def _documents(self, source: Source) -> None:
        braces = _TEMPLATE.search(source.text)
        try:
            # JSON may be indented with tabs, YAML may not; its texts have none.
            is_json = source.name.endswith(".json")
            documents = read_documents(source.text.replace("\t", " ") if is_json else source.text, source.name)
        except BadDocument as error:
            if braces is None:
                self.findings.append(Finding("K100", error.span, f"no YAML: {error}"))
            else:
                self._template(plain(source.text, Mark(source.name)).span(*braces.span()))
            return
        if (span := next(filter(None, map(template, documents)), None)) is not None and braces is not None:
            self._template(span)
            return
        for document in documents:
            if is_compose(document):
                self.pending += compose_services(document)
            elif document.get("kind") is not None:
                self.pending += pod_containers(document)
            else:
                self.unseen.append(Unseen(document.span, "neither a Compose file nor a manifest: it has no kind"))
            self.maps += [(name, node) for name, node in configurations(document)]

    def _template(self, span: Span) -> None:
        self.unseen.append(Unseen(span, "it is a template: render it first, as helm template does"))

    def containers(self) -> None:
        """The containers of documents, each with its image's Dockerfile where that is known."""
        for one, image, gap in images_of(self.pending, self.images, self._built):
            words, environment = one.words, dict(one.environment)
            command = find_gunicorn(words)
            if command is None and image is not None:
                words = image.words_with(one.items, () if one.items else one.words) if one.starts else image.words
                command = find_gunicorn(words)
                environment = {**image.environment, **environment}
                one.run.unknown |= image.unknown - environment.keys()
                one.run.places = {**image.places, **one.run.places}
                if command is not None and one.starts and starts_under_a_shell(words, command, True):
                    text = f"{one.name}: a shell starts gunicorn"
                    self.findings.append(Finding("K201", command.word.span, text))
            if command is not None:
                self.findings += one.findings
                self._wrapped(words, command, command.word.span.mark.file)
                self._start(command, command.word.span.mark.file, one.run, environment)
                continue
            if gap and one.span is not None:
                self.unseen.append(Unseen(one.span, gap))
            if not one.starts and not is_another(one):
                self.findings += one.findings
            if words:
                # A script of the image that is given another command most likely runs that.
                is_given = words is not one.words and one.starts
                self._script(words, words[0].span.mark.file, one.run, environment, is_given)

    def _built(self, build: Build, image: Image | None) -> Image | None:
        """The image of a Compose service's build: of a Dockerfile here, or beside the Compose file."""
        if image is not None and not build.target:
            return image
        path = posixpath.normpath(posixpath.join(build.context, build.dockerfile))
        name = image.file if image is not None else ""
        source = next((one for one in self.sources if one.name == name), None) or self.beside(build.file, path)
        if source is None:
            return None
        self.texts.setdefault(source.name, source.text)
        return self._image(source, build.target)

    def leftover(self) -> None:
        """Configurations that no command names."""
        for source in self.sources:
            if source.name.endswith(".py") and source.name not in self.used:
                self._judge(self._configuration(source, {}))
        for _, node in self.maps:
            self._judge(self._configuration(Source(node.file, node.text), {}, within=node.placed))

    def _configuration(self, source: Source, environment: Variables, within: Placed | None = None) -> Run:
        self.used.add(source.name)
        self.texts.setdefault(source.name, source.text)
        try:
            run = read_configuration(source.text, source.name, environment)
        except Unreadable as error:
            span = error.span if within is None else within.shifted(error.span)
            self.findings.append(Finding("K100", span, f"no Python: {error}"))
            return Run(partial=True)
        if within is not None:
            run.given = [replace(one, span=within.shifted(one.span)) for one in run.given]
            run.unseen = [replace(one, span=within.shifted(one.span)) for one in run.unseen]
        elif self.execute is not None:
            self._executed(run, source, {name: value for name, value in environment.items() if value is not None})
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
        run.unknown = (run.unknown - command.variables.keys()) | command.unknown
        run.environment = {name: value for name, value in run.environment.items() if name not in run.unknown}
        run.gunicorn = command.word.span
        run.command = run.command or command.word.span
        if command.sourced is not None:
            run.open = True
            run.unseen.append(Unseen(command.sourced.span, f"variables that {command.sourced.text:.60} sets"))
        early = read_arguments([Word(text, command.word.span) for text in options_of(run.environment)])
        late = read_arguments(command.arguments)
        wrong = [*early.wrong, *late.wrong]
        self.findings += [Finding("K103", word.span, text) for word, text in wrong]
        for word in {word.text: word for word in reversed(late.unknown)}.values():
            run.partial = True
            run.unseen.append(Unseen(word.span, f"the arguments that {word.text:.60} stands for"))
        if "GUNICORN_CMD_ARGS" in run.unknown:
            run.partial = True
            span = run.places.get("GUNICORN_CMD_ARGS", command.word.span)
            run.unseen.append(Unseen(span, "the options that GUNICORN_CMD_ARGS gives"))
        run.given += [*_defaults(run, command.word.span), *early.given, *late.given]
        self._with_configuration(run, origin, command.ours)
        app = late.app or early.app
        run.app = app.text if app and not app.variable else ""
        if app is None and run.last("wsgi_app") is None:
            run.partial = True  # gunicorn ends without an app: more comes from elsewhere
        self._look_for_patches(run, origin, app)
        self._judge(run)

    def _look_for_patches(self, run: Run, origin: str, app: Word | None) -> None:
        """Whether the app's own module, or a package that it lies in, patches before gunicorn's worker does."""
        target, place = run.app, app.span if app is not None else None
        own = run.last("wsgi_app")
        if app is None and own is not None and own.value.known:
            target, place = str(own.value.value), own.span
        if place is None:
            return
        folders = [str(one.value.value) for name in ("chdir", "pythonpath") if (one := run.last(name)) is not None]
        modules = [module for path in modules_of(target, folders) if (module := self._module(origin, path)) is not None]
        self.used |= {module.name for module in modules}
        run.patched |= any(patches(module.text) for module in modules)
        if not any(_is_module(module.name, target) for module in modules):
            run.app_unseen = place

    def _module(self, origin: str, path: str) -> Source | None:
        given = [one for one in self.sources if one.name == path or one.name.endswith(f"/{path}")]
        return given[0] if given else self.beside(origin, path)

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
        unknown: dict[str, str | None] = dict.fromkeys(run.unknown)
        inner = self._configuration(source, {**run.environment, **unknown})
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
        if run.app_unseen is not None and preloads_unpatched(run) is not None:
            shown = f"the module of {run.app:.60}" if run.app else "the app's module"
            self.unseen.append(Unseen(run.app_unseen, f"whether {shown} patches first: it is not among the files"))
        self.unseen += [
            Unseen(one.span, f"{one.name}: {one.value.unseen}")
            for one in run.effective(known_settings())
            if one.value.unseen and one.how != "imported"
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


#: All arguments of a script.
_ARGUMENTS = re.compile(r"\$\{?[@*]")
#: What begins a shell's script that has no suffix.
_SHEBANG = re.compile(r"#!\s*\S*(/|\s)(sh|bash|dash|ash)\b")
#: Braces of Helm's and its like; a quoted text may hold others, as Docker's {{.Name}} and Vault's.
_TEMPLATE = re.compile(r"\{\{")
_NO_KIND = (
    "no kind of file that audit reads: name gunicorn configurations (.py), a Procfile, Dockerfiles, Compose files and"
    " manifests (.yaml, .json), shell scripts (.sh), supervisord's (.conf, .ini) and systemd's units (.service), or"
    " write the command line behind --"
)
#: Settings whose defaults are variables of the environment; gunicorn's config.py has PORT as bind's too.
_DEFAULTS = {"WEB_CONCURRENCY": "workers", "FORWARDED_ALLOW_IPS": "forwarded_allow_ips"}


def _gives_way(script: str) -> bool:
    """Whether a script replaces itself by what some variable names: its arguments may have been put into another."""
    lines = re.sub(r"\\\r?\n", " ", script).split("\n")
    return any("$" in line[match.end() :] for line in lines if (match := re.search(r"\bexec\b", line)))


def _defaults(run: Run, command: Span) -> Iterator[Given]:
    """Settings that the environment gives where nothing else does."""
    for name, setting in _DEFAULTS.items():
        span = run.places.get(name, command)
        if name in run.environment:
            yield Given(setting, Value(run.environment[name]), span, "variable")
        elif name in run.unknown:
            yield Given(setting, Value(unseen=f"the variable {name} is not known here"), span, "variable")


def _is_module(name: str, target: str) -> bool:
    """Whether a file is the module that an app's name begins with, and not only a package above it."""
    parts = target.partition(":")[0].split(".")
    path = PurePosixPath(name)
    return [*path.parts[:-1], path.stem][-len(parts) :] == parts or path.parts[-len(parts) - 1 :] == (
        *parts,
        "__init__.py",
    )


def _overridden(run: Run) -> Iterator[Finding]:
    """Two known values for one setting, one in the configuration and one on the command line."""
    deciding = run.deciding()
    for one in run.given:
        other = deciding.get(one.name)
        if one.how != "assigned" or one.otherwise or other is None or other.how != "option" or other is one:
            continue
        if run.gunicorn is not None and run.gunicorn.mark.file != other.span.mark.file:
            continue  # a container's own arguments for its image: what they are there for
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
        for number, line in enumerate(lines_of(text), start=1):
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
