"""Each start of gunicorn: its configuration read, its words and environment put over it, the result judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ..errors import Mark
from ..profile.gunicorn_settings import known_settings
from .command_line import options_of, read_arguments
from .configuration import Unreadable, read_configuration
from .expansion import Variables
from .finding import Finding
from .given import Given, Run, Span, Unseen
from .names import check_names
from .patching import modules_of, patches
from .placed import Placed
from .settings import check_grace, check_settings, preloads_unpatched
from .sources import Execute, Source, Sources
from .values import Value
from .words import Command, Word


@dataclass
class Runs:
    """Every start so far, what was found and not seen, and which texts were looked at."""

    sources: Sources
    execute: Execute | None
    runs: list[Run] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    #: The names of texts that something starts or reads.
    used: set[str] = field(default_factory=set)
    #: Every text looked at, by its name.
    texts: dict[str, str] = field(default_factory=dict)

    def configuration(self, source: Source, environment: Variables, within: Placed | None = None) -> Run:
        """What a configuration gives; ``within`` is the document that it stands in."""
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

    def start(self, command: Command, origin: str, run: Run, environment: Mapping[str, str]) -> None:
        """One start of gunicorn that ``origin`` has: ``run`` knows where, and becomes all that is given to it."""
        run.environment = {**environment, **command.variables}
        run.places = {name: span for name, span in run.places.items() if name not in command.variables}
        run.unknown = (run.unknown - command.variables.keys()) | command.unknown
        run.environment = {name: value for name, value in run.environment.items() if name not in run.unknown}
        run.gunicorn = command.word.span
        run.command = run.command or command.word.span
        if command.sourced is not None:
            run.open = True
            run.unseen.append(Unseen(command.sourced.span, f"variables that {command.sourced.text:.60} sets"))
        options = run.places.get("GUNICORN_CMD_ARGS", command.word.span)
        early = read_arguments([Word(text, options) for text in options_of(run.environment)])
        late = read_arguments(command.arguments)
        wrong = [*early.wrong, *late.wrong]
        self.findings += [Finding("K103", word.span, text) for word, text in wrong]
        for word in {word.text: word for word in reversed(late.unknown)}.values():
            run.partial = True
            run.unseen.append(Unseen(word.span, f"the arguments that {word.text:.60} stands for"))
        if "GUNICORN_CMD_ARGS" in run.unknown:
            run.partial = True
            run.unseen.append(Unseen(options, "the options that GUNICORN_CMD_ARGS gives"))
        run.given += [*_defaults(run, command.word.span), *early.given, *late.given]
        self._with_configuration(run, origin, command.ours)
        app = late.app or early.app
        run.app = app.text if app and not app.variable else ""
        if app is None and run.last("wsgi_app") is None:
            run.partial = True  # gunicorn ends without an app: more comes from elsewhere
        self._look_for_patches(run, origin, app)
        self.judge(run)

    def _look_for_patches(self, run: Run, origin: str, app: Word | None) -> None:
        """Whether the app's own module, or a package that it lies in, patches before gunicorn's worker does."""
        target, place = run.app, app.span if app is not None else None
        own = run.last("wsgi_app")
        if app is None and own is not None and own.value.known:
            target, place = str(own.value.value), own.span
        if place is None:
            return
        folders = [str(one.value.value) for name in ("chdir", "pythonpath") if (one := run.last(name)) is not None]
        modules = [
            module for path in modules_of(target, folders) if (module := self.sources.module(origin, path)) is not None
        ]
        self.used |= {module.name for module in modules}
        run.patched |= any(patches(module.text) for module in modules)
        if not any(_is_module(module.name, target) for module in modules):
            run.app_unseen = place

    def _with_configuration(self, run: Run, origin: str, ours: bool) -> None:
        named = run.last("config")
        path = str(named.value.value) if named else "gunicorn.conf.py"
        path = path.removeprefix("file:")
        if path.startswith("python:"):
            path = path.removeprefix("python:").replace(".", "/") + ".py"
        source = self.sources.find(origin, path)
        if source is None:
            run.partial = run.partial or named is not None or ours
            if named is not None:
                run.unseen.append(Unseen(named.span, f"the configuration {path} is not among the files"))
            return
        unknown: dict[str, str | None] = dict.fromkeys(run.unknown)
        inner = self.configuration(source, {**run.environment, **unknown})
        variables = [one for one in run.given if one.how == "variable"]
        run.given = [*variables, *inner.given, *(one for one in run.given if one.how != "variable")]
        run.unseen += inner.unseen
        run.patched |= inner.patched
        run.ours |= inner.ours
        run.partial |= inner.partial
        run.given = [one for one in run.given if one.name != "config" or one.how != "option"]

    def judge(self, run: Run) -> None:
        """The findings about one start, or about a configuration that nothing starts."""
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


#: Settings whose defaults are variables of the environment; gunicorn's config.py has PORT as bind's too.
_DEFAULTS = {"WEB_CONCURRENCY": "workers", "FORWARDED_ALLOW_IPS": "forwarded_allow_ips"}


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
