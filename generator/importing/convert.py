"""Files and a command line to a profile's text: chosen, translated, planned, and audited until nothing is found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..audit.audit import Starts, audit, read_starts
from ..audit.containers import Container
from ..audit.dockerfile import Image
from ..audit.documents import BadDocument, Node, read_documents
from ..audit.given import Run, Span
from ..audit.sources import Beside, Source
from ..errors import Fault, KitError, Mark, ProfileError
from ..plan.plan import Plan
from ..profile.schema import GUNICORN_NAMES
from ..profile.secrets import is_secret, secrets_in
from ..profile.writing import Entry
from ..render.render import render
from ..starting.applications import Application, application_at
from ..starting.dependencies import text_of
from ..starting.draft import CPU, Written, app_entries, settle
from ..starting.look import Found, look
from ..starting.procfile import left_out, process_entries
from .build import add_before, add_build, add_process, dockerfile_of, variables_of
from .settings import (
    IN_DOCKERFILE,
    NOWHERE,
    Draft,
    add_environment,
    add_read_variables,
    translate,
    where_of,
)
from .surroundings import add_container, add_image
from .tiangolo import VARIABLES, add_worker_rule, is_started_by_variables, run_of

#: Settings that a profile cannot lack.
_REQUIRED = ("name", "app.module", "app.path", "server", "connections", "resources.cpu")
_HEAD = "Made by container-kit import. What follows was changed or left out, with the reason:"
#: Of a note, its place and the name that it is about.
_ABOUT = re.compile(r"(?:[^:]{1,200}(?::[0-9]+)?: )?[\w.]*")
_ORDER = ("container", "process", "configuration")


@dataclass(frozen=True)
class _Start:
    """The start that is taken over, with the container or image that it stands in."""

    run: Run
    container: Container | None = None
    image: Image | None = None
    by_variables: bool = False


def convert(
    sources: Sequence[Source], words: Sequence[str], beside: Beside, root: Path, file: str, given: Mapping[str, str]
) -> Written:
    """The profile of what the sources and the words start. ``given`` are settings that the user decides.

    Raises KitError where nothing starts gunicorn, or where the kit has no server of that kind, and ProfileError where
    no profile can be made of it.
    """
    starts = read_starts(sources, words, beside)
    start = _chosen(starts)
    draft = Draft()
    documents = [node for source in sources for node in _documents(source)]
    translate(start.run, starts.report, draft)
    draft.notes += _unread(starts, start.run)
    image = starts.images[0] if starts.images else None
    if image is not None and start.container is not None:
        # A container with a command of its own has its image's variables all the same.
        start.run.environment = {**image.environment, **start.run.environment}
        start.run.places = {**image.places, **start.run.places}
    where = where_of(start.run, _place_of(start))
    if start.by_variables:
        add_worker_rule(start.run.environment, where, draft)
    dockerfile = dockerfile_of(sources) if image is not None else None
    set_by_build = image.arguments - variables_of(dockerfile).keys() if image and dockerfile else set()
    add_read_variables(start.run, where, draft)
    without = (*set_by_build, *(VARIABLES if start.by_variables else ()))
    in_dockerfile = start.container is None or start.container.document is None
    add_environment(start.run.environment, where, draft, without, IN_DOCKERFILE if in_dockerfile else NOWHERE)
    found = look(root)
    name = given.get("name", found.name)
    app = _application(start, found, given)
    entries = app_entries(root, found, app, {**given, "server": _value(draft, "server")})
    procfiles = [one for one in sources if PurePosixPath(one.name).name.lower().startswith("procfile")]
    entries += [entry for one in procfiles for entry in process_entries(one.text, one.name)]
    # That of the folder is among the app's own files, named or not.
    texts = {"Procfile": text_of(root / "Procfile"), **{one.name: one.text for one in procfiles}}
    draft.notes += [note for name, text in texts.items() for note in left_out(text, name)]
    seen = {one.path: one for one in [Entry("name", name), *entries] if one.path != "server"}
    draft.entries = {**seen, **draft.entries}
    if image is not None and dockerfile is not None:
        add_image(image, dockerfile, draft)
        add_build(dockerfile, image.environment, start.container.environment if start.container else (), draft)
    if start.container is not None:
        add_container(start.container, documents, draft)
    for started in (start.container.words if start.container else [], image.words if image else []):
        add_before(started, start.run.command, draft)
    if start.run.place == "process" and start.run.command is not None:
        add_process(sources, words, start.run.command, draft)
    _without_secrets(draft)
    draft.entries.setdefault("resources.cpu", Entry("resources.cpu", int(CPU)))
    return _settled(draft, file, root)


def _unread(starts: Starts, run: Run) -> Iterator[str]:
    """What to say of files that are no YAML, no Python, or a template of either."""
    read = {one.span.mark.file for one in run.given}
    gaps = [(one.span, one.text) for one in starts.report.findings if one.code == "K100"]
    gaps += [(one.span, one.text) for one in starts.report.unseen if one.text.startswith("it is a template")]
    for span, text in gaps:
        if span.mark.file not in read:
            yield f"{span.mark.file}:{span.mark.line}: not read: {text}"


def _without_secrets(draft: Draft) -> None:
    """Leave out, before anything is written, what of a setting, a comment or a note may be a secret."""
    for path, entry in list(draft.entries.items()):
        names_only = path in _REQUIRED or path.startswith(("env_secrets.", "kubernetes."))
        if not names_only and next(secrets_in(path.rpartition(".")[2], entry.value), None) is not None:
            draft.drop(path, "left out for what may be a secret: have the app read it from the environment")
        elif any(map(is_secret, entry.above)):
            draft.entries[path] = replace(entry, above=())
    for number, note in enumerate(draft.notes):
        if is_secret(note) and (about := _ABOUT.match(note)) is not None:
            draft.notes[number] = f"{about[0]}: not shown, for what may be a secret"


def _value(draft: Draft, path: str) -> str:
    return str(draft.entries[path].value)


def _documents(source: Source) -> list[Node]:
    if not source.name.endswith((".yaml", ".yml")):
        return []
    try:
        return read_documents(source.text, source.name)
    except BadDocument:
        return []


def _chosen(starts: Starts) -> _Start:
    """A container's start before an image's, a process', and a configuration that nothing names."""
    by_run = {id(one.run): one for one in starts.containers}
    image = starts.images[0] if starts.images else None
    ranked = sorted(starts.runs, key=lambda run: (_ORDER.index(run.place), id(run) not in by_run))
    for run in ranked:
        if run.place != "configuration":
            return _Start(run, by_run.get(id(run)), image)
    base = image.base if image is not None else ""
    inherited = dict(image.environment) if image is not None else {}
    silent: list[Container | None] = [one for one in starts.containers if not one.starts]
    if image is not None and image.command is None:
        silent.append(None)
    for one in silent:
        environment = {**inherited, **(one.environment if one is not None else {})}
        if is_started_by_variables(base, environment):
            mark = Mark(image.file, image.begun) if image is not None else Mark("environment")
            mark = one.node.span.mark if one is not None and one.node is not None else mark
            places = {**(image.places if image is not None else {}), **(one.run.places if one is not None else {})}
            return _Start(run_of(base, environment, Span(mark), places), one, image, by_variables=True)
    if ranked:
        return _Start(ranked[0])
    raise KitError("nothing here starts gunicorn: name a configuration, Procfile or Dockerfile, or a command after --")


def _place_of(start: _Start) -> str:
    """Where the start stands, for variables of which nothing says where they are set."""
    if start.container is not None and start.container.node is not None:
        mark = start.container.node.span.mark
    elif start.run.command is not None:
        mark = start.run.command.mark
    else:
        return "environment"
    return f"{mark.file}:{mark.line}"


def _application(start: _Start, found: Found, given: Mapping[str, str]) -> Application:
    target = given.get("app.module") or start.run.app or _wsgi_app(start.run)
    if not target:
        if len(found.applications) == 1:
            return found.applications[0]
        listed = ", ".join(one.target for one in found.applications) or "none found"
        raise KitError(f"what the server imports is not known ({listed}): add -- gunicorn module:app, or --module")
    module, _, name = target.partition(":")
    place = next((one for one in found.modules if one.name == module), None)
    if place is not None and "app.module" in given:
        return application_at(place, name or "application")
    where = start.run.command.mark if start.run.command is not None else Mark("option")
    return Application(module, name or "application", where, place.folder if place is not None else ".")


def _wsgi_app(run: Run) -> str:
    one = run.last("wsgi_app")
    return str(one.value.value) if one is not None and one.value.known else ""


def _settled(draft: Draft, file: str, root: Path) -> Written:
    """Plan it; what the profile refuses, and what audit finds in the result, is left out with the reason."""
    for _ in range(len(draft.entries) + 4):
        written = settle((_HEAD, *draft.notes) if draft.notes else (), draft.entries.values(), file, root)
        own = [fault for fault in written.faults if fault.mark.file == file]
        if not own and written.plan is None:
            return written
        if not own and written.plan is not None:
            reasons = dict(_found(written.plan))
            if not reasons:
                return written
        else:
            reasons = {fault.path: _reason(fault) for fault in own}
        before = (set(draft.entries), _value(draft, "connections"))
        for path, why in reasons.items():
            _give_way(path, why, draft)
        if before == (set(draft.entries), _value(draft, "connections")):
            raise ProfileError(own) if own else KitError(f"audit finds in the result: {reasons}")
    raise KitError("no profile can be made of it")


def _reason(fault: Fault) -> str:
    """Why it is left out; of a variable, which the app may not start without, also what to write instead."""
    instead = fault.remedy.removeprefix("remove it here, and ")
    return f"allowed is {fault.allowed}" + (f"; {instead}" if fault.path.startswith("env.") else "")


def _give_way(path: str, why: str, draft: Draft) -> None:
    """Leave out the setting that a reason is about; of memory that is too small, the connections first."""
    each = draft.per_worker
    if path in ("resources.memory", "worker_connections") and each and _value(draft, "connections") != str(each):
        draft.set("connections", each, draft.places["connections"], f"Of all workers together they do not fit: {why}.")
        return
    parts = path.split(".")
    above = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    for one in (*above, *(name for name in draft.entries if name.startswith(f"{path}."))):
        if one in draft.entries and one not in _REQUIRED:
            draft.drop(one, why)
            return


def _found(plan: Plan) -> list[tuple[str, str]]:
    """Paths of settings that audit finds something about in the generated files, with the reason."""
    files = render(plan)
    name = next((path for path in files if path.endswith("/gunicorn.conf.py")), "")
    if not name:
        return []
    text = files[name]
    found = []
    for one in audit([Source(name, text)]).findings:
        setting = re.match(r"[\w.]*", text.splitlines()[one.span.mark.line - 1])
        key = setting[0] if setting else ""
        found.append((GUNICORN_NAMES.get(key, f"gunicorn.{key}"), f"{one.text}: {one.reason}"))
    return found
