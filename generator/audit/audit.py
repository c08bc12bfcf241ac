"""Files and command lines to findings: what starts gunicorn, with which configuration, where."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ..errors import Mark
from .configuration import app_of
from .containers import Build, Container, compose_services, configurations, is_compose, pod_containers
from .dockerfile import Image, read_dockerfile, starts_under_a_shell
from .documents import BadDocument, Node, read_documents, template
from .finding import Finding
from .given import Run, Span, Unseen
from .images import images_of, is_another
from .placed import plain
from .report import Report, make_report
from .runs import Runs
from .services import is_services, programs
from .sources import COMMAND_LINE, Beside, Execute, Source, Sources
from .words import Command, Word, all_gunicorns, find_gunicorn, script_of, script_words
from .wrapping import GUNICORN, base_name


def audit(
    sources: Sequence[Source], words: Sequence[str] = (), beside: Beside | None = None, execute: Execute | None = None
) -> Report:
    """Look at files and at the words of one command line. Executes nothing unless ``execute`` does."""
    return _looked_at(sources, words, beside, execute).report


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
    return Starts(tuple(work.found.runs), images, ours, work.report)


def _looked_at(
    sources: Sequence[Source], words: Sequence[str], beside: Beside | None, execute: Execute | None
) -> _Audit:
    work = _Audit(Runs(Sources(sources, beside or (lambda _name, _path: None)), execute))
    if words:
        work.command_line(words)
    for source in sources:
        work.source(source)
    work.containers()
    work.scripts()
    work.leftover()
    return work


@dataclass
class _Audit:
    found: Runs
    images: list[Image] = field(default_factory=list)
    pending: list[Container] = field(default_factory=list)
    scripts_left: list[Source] = field(default_factory=list)
    maps: list[tuple[str, Node]] = field(default_factory=list)

    @property
    def report(self) -> Report:
        return make_report(self.found.findings, self.found.unseen, self.found.texts)

    def command_line(self, words: Sequence[str]) -> None:
        column, placed = 1, []
        for text in words:
            placed.append(Word(text, Span(Mark(COMMAND_LINE, 1, column), max(len(text), 1))))
            column += len(text) + 1
        self.found.texts[COMMAND_LINE] = " ".join(words)
        command = find_gunicorn(placed)
        if command is None:
            own = next((number for number, text in enumerate(words) if base_name(text) in GUNICORN), -1)
            command = Command(placed[max(own, 0)], tuple(placed[own + 1 :]), {}, True)
        self.found.start(command, COMMAND_LINE, Run(place="process"), {})

    def source(self, source: Source) -> None:
        self.found.texts[source.name] = source.text
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
            self.found.unseen.append(Unseen(Span(Mark(source.name)), _NO_KIND))

    def _image(self, source: Source, target: str) -> Image:
        """A Dockerfile's image, with what it starts where the last stage is meant."""
        image = read_dockerfile(source.text, source.name, target)
        if target:
            return image
        self.images.append(image)
        self.found.findings += image.findings
        run = Run(place="container", unknown=frozenset(image.unknown), places=dict(image.places))
        if (command := image.command) is not None:
            self._wrapped(image.words, command, source.name)
            self.found.start(command, source.name, run, image.environment)
        else:
            self._script(image.words, source.name, run, image.environment)
        return image

    def _procfile(self, source: Source) -> None:
        whole = plain(source.text, Mark(source.name))
        for match in re.finditer(r"^([\w-]+:[ \t]*)((?:\\\r?\n|[^\n])*)", source.text, re.MULTILINE):
            words = script_words(whole.part(match.start(2), match.end(2)), {})
            if (command := find_gunicorn(words)) is not None:
                self.found.start(command, source.name, Run(place="process"), {})

    def _services(self, source: Source) -> None:
        for one in programs(source.name, source.text):
            if (command := find_gunicorn(one.words)) is not None:
                run = Run(place="process", unknown=frozenset(one.unknown), places=one.places)
                run.open = one.open_at is not None
                if one.open_at is not None:
                    run.unseen.append(Unseen(one.open_at, "variables that this file sets"))
                self.found.start(command, source.name, run, one.environment)
            else:
                self._script(one.words, source.name, Run(place="process", places=one.places), one.environment)

    def scripts(self) -> None:
        """Shell scripts that no container starts."""
        for source in self.scripts_left:
            if source.name not in self.found.used:
                for command in all_gunicorns(script_words(plain(source.text, Mark(source.name)), {})):
                    self.found.start(command, source.name, Run(place="process"), {})

    def _script(
        self, words: Sequence[Word], origin: str, run: Run, environment: Mapping[str, str], is_given: bool = False
    ) -> None:
        """What a script starts that a container runs; that it is not among the files is said."""
        named = script_of(words)
        if named is None:
            return
        source = self.found.sources.script(origin, named.text)
        if source is None:
            if not is_given:
                self.found.unseen.append(
                    Unseen(named.span, f"what {named.text:.60} starts, which is not among the files")
                )
            return
        self.found.used.add(source.name)
        self.found.texts.setdefault(source.name, source.text)
        found = script_words(plain(source.text, Mark(source.name)), environment)
        commands = all_gunicorns(found)
        # Each by itself: most stand in branches of which one is taken. The first is the container's own.
        runs = [run, *(run.copy() for _ in commands[1:])]
        for command, own in zip(commands, runs, strict=False):
            if run.place == "container" and not command.replaced:
                text = f"{origin}: the shell of {PurePosixPath(source.name).name} starts gunicorn, without exec"
                self.found.findings.append(Finding("K201", command.word.span, text))
            self.found.start(command, source.name, own, environment)

    def _wrapped(self, words: Sequence[Word], command: Command, origin: str) -> None:
        """A script between a container's init and the gunicorn that it is given: whether it gives way to that."""
        named = script_of(words)
        if named is None or any(word is named for word in command.arguments) or named.span == command.word.span:
            return
        source = self.found.sources.script(origin, named.text)
        if source is None:
            text = f"what {named.text:.60} does before it starts gunicorn: it is not among the files"
            self.found.unseen.append(Unseen(named.span, text))
            return
        self.found.used.add(source.name)
        self.found.texts.setdefault(source.name, source.text)
        if _ARGUMENTS.search(source.text) and not _gives_way(source.text):
            text = f"the shell of {PurePosixPath(source.name).name} starts gunicorn, without exec"
            self.found.findings.append(Finding("K201", command.word.span, text))

    def _documents(self, source: Source) -> None:
        braces = _TEMPLATE.search(source.text)
        try:
            # JSON may be indented with tabs, YAML may not; its texts have none.
            is_json = source.name.endswith(".json")
            documents = read_documents(source.text.replace("\t", " ") if is_json else source.text, source.name)
        except BadDocument as error:
            if braces is None:
                self.found.findings.append(Finding("K100", error.span, f"no YAML: {error}"))
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
                self.found.unseen.append(Unseen(document.span, "neither a Compose file nor a manifest: it has no kind"))
            self.maps += [(name, node) for name, node in configurations(document)]

    def _template(self, span: Span) -> None:
        self.found.unseen.append(Unseen(span, "it is a template: render it first, as helm template does"))

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
                    self.found.findings.append(Finding("K201", command.word.span, text))
            if command is not None:
                self.found.findings += one.findings
                self._wrapped(words, command, command.word.span.mark.file)
                self.found.start(command, command.word.span.mark.file, one.run, environment)
                continue
            if gap and one.span is not None:
                self.found.unseen.append(Unseen(one.span, gap))
            if not one.starts and not is_another(one):
                self.found.findings += one.findings
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
        source = self.found.sources.named(name) or self.found.sources.beside(build.file, path)
        if source is None:
            return None
        self.found.texts.setdefault(source.name, source.text)
        return self._image(source, build.target)

    def leftover(self) -> None:
        """Configurations that no command names."""
        for source in self.found.sources.given:
            if source.name.endswith(".py") and source.name not in self.found.used:
                run = self.found.configuration(source, {})
                if (app := app_of(run)) is None:
                    self.found.judge(run)
                else:
                    self.found.unseen.append(Unseen(app, _AN_APP))
        for _, node in self.maps:
            self.found.judge(self.found.configuration(Source(node.file, node.text), {}, within=node.placed))


#: All arguments of a script.
_ARGUMENTS = re.compile(r"\$\{?[@*]")
#: What begins a shell's script that has no suffix.
_SHEBANG = re.compile(r"#!\s*\S*(/|\s)(sh|bash|dash|ash)\b")
#: Braces of Helm's and its like; a quoted text may hold others, as Docker's {{.Name}} and Vault's.
_TEMPLATE = re.compile(r"\{\{")
_AN_APP = (
    "the module of an app, no configuration: name the file that gunicorn's -c names, or what starts gunicorn, or write"
    " the command line behind --"
)
_NO_KIND = (
    "no kind of file that audit reads: name gunicorn configurations (.py), a Procfile, Dockerfiles, Compose files and"
    " manifests (.yaml, .json), shell scripts (.sh), supervisord's (.conf, .ini) and systemd's units (.service), or"
    " write the command line behind --"
)


def _gives_way(script: str) -> bool:
    """Whether a script replaces itself by what some variable names: its arguments may have been put into another."""
    lines = re.sub(r"\\\r?\n", " ", script).split("\n")
    return any("$" in line[match.end() :] for line in lines if (match := re.search(r"\bexec\b", line)))
