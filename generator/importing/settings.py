"""One start of gunicorn to settings of a profile; what the profile has no place for becomes a note."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..audit.documents import is_number
from ..audit.given import Given, Run
from ..audit.kinds import KINDS
from ..audit.report import Report
from ..audit.worker import worker_of
from ..errors import KitError, Mark
from ..profile.document import Text
from ..profile.gunicorn_settings import OWNED, known_settings
from ..profile.schema import GUNICORN_NAMES, SETTINGS
from ..profile.secrets import holds_secret
from ..profile.workload import VARIABLE, turns_debugging_on
from ..profile.writing import Entry
from ..servers import SERVERS

#: Workers that gunicorn calls otherwise, or no longer has, and the server of the kit that does what they do.
_SERVERS = {"gevent_pywsgi": "gevent", "gevent_wsgi": "gevent"}
_STREAMS = ("-", "/dev/stdout", "/dev/stderr", "/proc/1/fd/1", "/proc/1/fd/2")
#: What the kit does by itself, so that nothing is lost where it is left out.
_DONE_ANYWAY = {"control_socket_disable", "worker_tmp_dir", "errorlog", "capture_output", "config"}


@dataclass
class Draft:
    """Settings as they were found, later ones winning, and what is said above them."""

    entries: dict[str, Entry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Where each setting was found.
    places: dict[str, str] = field(default_factory=dict)
    #: Connections of one worker, for when all of them together do not fit.
    per_worker: int | None = None

    def set(self, path: str, value: Any, place: str, above: str = "") -> None:
        """Take a setting."""
        self.entries[path] = Entry(path, value, above=(above,) if above else ())
        self.places[path] = place

    def drop(self, path: str, why: str) -> None:
        """Leave a setting out, and say why."""
        self.entries.pop(path, None)
        place = self.places.pop(path, "")
        text = why if why.startswith(f"{path} ") else f"{path}: {why}"
        self.notes.append(f"{place}: {text}" if place else text)


def place_of(one: Given) -> str:
    """Where it was given, in a note's words."""
    return f"{one.span.mark.file}:{one.span.mark.line}"


#: Where a variable is set, by its name.
Where = Callable[[str], str]


def where_of(run: Run, otherwise: str) -> Where:
    """The own line of each variable that a file sets, of a container its image's too; of others what is given."""
    places = {name: f"{span.mark.file}:{span.mark.line}" for name, span in run.places.items()}
    return lambda name: places.get(name, otherwise)


def translate(run: Run, report: Report, draft: Draft) -> None:
    """Add the settings of a run, with audit's own findings as the reasons for what is not taken."""
    found = {(one.span, one.code): one for one in report.findings}
    reasons: dict[Any, str] = {}
    for (span, _), finding in found.items():
        reasons.setdefault(span, f"{finding.text}: {finding.reason}")
    _server(run, draft)
    for one in run.effective(known_settings()):
        _take(one, run, reasons.get(one.span, ""), draft)
    settings = known_settings()
    mine = {one.span for one in run.given if one.name not in settings}
    for (span, code), finding in found.items():
        if code in ("K101", "K102") and span in mine:
            draft.notes.append(f"{span.mark.file}:{span.mark.line}: {finding.text}; gunicorn ignored it")
    for gap in [one for one in run.unseen if not one.of_another_object]:
        draft.notes.append(f"{gap.span.mark.file}:{gap.span.mark.line}: not seen{_without_literals('', gap.text)}")
    _hooks(run, draft)
    _connections(run, draft)


def _server(run: Run, draft: Draft) -> None:
    worker = worker_of(run)
    place = place_of(worker.given) if worker.given else "gunicorn's default"
    name = _SERVERS.get(worker.name, worker.name)
    if worker.given is not None and name not in SERVERS:
        shown = worker.given.value.value if worker.given.value.known else worker.given.value.unseen
        raise KitError(f"{place}: worker_class {shown!s:.80}: the kit has no such server; it has {', '.join(SERVERS)}")
    if worker.given is None:
        threads = run.last("threads")
        name = "gthread" if threads is not None and str(threads.value.value) != "1" else "sync"
    if name != "sync":
        draft.set("server", name, place)
        return
    why = f"{SERVERS['sync'].summary}. gthread with one thread a worker does the same and holds idle connections."
    draft.set("server", "gthread", place, f"It was sync, {why}")
    if run.last("threads") is None:
        draft.set("threads", 1, place)


def _take(one: Given, run: Run, reason: str, draft: Draft) -> None:
    """One setting that decides."""
    name, value, place = one.name, one.value, place_of(one)
    if value.function or one.how == "imported" or name in ("worker_class", "wsgi_app", "worker_connections"):
        return
    if name in _DONE_ANYWAY and not reason:
        return
    if value.unseen:
        draft.notes.append(f"{place}: {name}: not seen{_without_literals(name, value.unseen)}")
        return
    if value.cpus:
        cell = worker_of(run).cell(name)
        ignored = cell is not None and cell.verdict != "honoured"
        draft.notes.append(f"{place}: {reason}" + ("" if ignored else " Here a rule counts the container's."))
        return
    special = _SPECIAL.get(name)
    if special is not None:
        special(one, run, reason, draft)
    elif name in OWNED:
        if value.value not in (None, False, ""):
            draft.notes.append(f"{place}: {reason or f'{name}: {OWNED[name]}'}")
    else:
        draft.set(GUNICORN_NAMES.get(name, f"gunicorn.{name}"), _plain(value.value), place)


def _without_literals(name: str, unseen: str) -> str:
    """Why it was not seen; not the expression where that may hold a secret: raw_env's, and any with a text in it."""
    return "" if name == "raw_env" or re.search("[\"']", unseen) else f": {unseen}"


def _plain(value: Any) -> Any:
    """As a profile writes it: a number that a command line gave as text is one."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, str) and value in ("True", "False"):
        return value == "True"
    return [*value] if isinstance(value, tuple | set) else value


def _bind(one: Given, _: Run, __: str, draft: Draft) -> None:
    addresses = one.value.value if isinstance(one.value.value, list) else str(one.value.value).split(",")
    ports = [match[1] for text in addresses if (match := re.search(r":([0-9]{1,5})$", str(text).strip()))]
    if ports:
        draft.set("port", int(ports[0]), place_of(one))
    others = [str(text) for text in addresses[1:]] if ports else [str(text) for text in addresses]
    if others:
        listed = ", ".join(others)
        draft.notes.append(f"{place_of(one)}: bind {listed}: a container listens on one port of all addresses")


def _access(one: Given, _: Run, reason: str, draft: Draft) -> None:
    if one.value.value in (None, ""):
        return
    above = "" if one.value.value in _STREAMS else f"{reason} Here it goes to stdout."
    former = draft.entries.get("access_log")
    draft.set("access_log", former.value if former else "text", place_of(one), above)


def _format(one: Given, _: Run, reason: str, draft: Draft) -> None:
    if str(one.value.value).lstrip().startswith("{") and "access_log" in draft.entries:
        draft.set("access_log", "json", place_of(one))
    draft.notes.append(f"{place_of(one)}: {reason or 'access_log_format'} Here: {OWNED['access_log_format']}.")


def _errors(one: Given, _: Run, reason: str, draft: Draft) -> None:
    if one.value.value not in (*_STREAMS, None, ""):
        draft.notes.append(f"{place_of(one)}: {reason} Here: {OWNED['errorlog']}.")


def _environment(one: Given, _: Run, __: str, draft: Draft) -> None:
    items = one.value.value if isinstance(one.value.value, list) else [one.value.value]
    variables = dict(str(item).partition("=")[::2] for item in items)
    add_environment(variables, lambda _: place_of(one), draft)


def _recycling(one: Given, run: Run, _: str, draft: Draft) -> None:
    value = _plain(one.value.value)
    kept = "" if value == 0 else f"Kept. {SETTINGS['max_requests'].description}"
    draft.set("max_requests", value, place_of(one), kept)
    jitter = run.last("max_requests_jitter")
    if isinstance(value, int) and value > 0 and (jitter is None or str(jitter.value.value) == "0"):
        draft.set("max_requests_jitter", max(1, value // 10), place_of(one), f"Added: {KINDS['K133'].why}")


def _jitter(one: Given, _: Run, __: str, draft: Draft) -> None:
    if str(one.value.value) != "0":
        draft.set("max_requests_jitter", _plain(one.value.value), place_of(one))


def _peers(one: Given, _: Run, __: str, draft: Draft) -> None:
    value = one.value.value
    draft.set("forwarded_allow_ips", ",".join(map(str, value)) if isinstance(value, list) else value, place_of(one))


_SPECIAL: Mapping[str, Any] = {
    "bind": _bind,
    "accesslog": _access,
    "access_log_format": _format,
    "errorlog": _errors,
    "raw_env": _environment,
    "max_requests": _recycling,
    "max_requests_jitter": _jitter,
    "forwarded_allow_ips": _peers,
}


def _hooks(run: Run, draft: Draft) -> None:
    """The configuration's own functions: the file itself can be the module of hooks, if it can be imported."""
    table = known_settings()
    hooks = [one for one in run.given if one.value.function and table.get(one.name, {}).get("type") == "hook"]
    if not hooks:
        return
    names = ", ".join(dict.fromkeys(one.name for one in hooks))
    path = PurePosixPath(hooks[0].span.mark.file)
    place = place_of(hooks[0])
    if path.suffix == ".py" and path.stem.isidentifier() and len(path.parts) == 1:
        draft.set("app.hooks", path.stem, place, f"The file is still there for its functions: {names}.")
    else:
        draft.notes.append(f"{place}: {names}: write them into a module of the app, and name it as app.hooks")


def _connections(run: Run, draft: Draft) -> None:
    """Of one container, where gunicorn's number is of one worker."""
    own, workers = run.last("worker_connections"), run.last("workers")
    default = known_settings()["worker_connections"]["default"]
    known = own is not None and own.value.known and is_number(str(own.value.value)) and int(str(own.value.value)) > 0
    each = int(str(own.value.value)) if own is not None and known else int(default)
    count = 1
    if workers is not None and workers.value.known and is_number(str(workers.value.value)) and known:
        count = max(1, int(str(workers.value.value)))
    draft.per_worker = each
    place = place_of(own) if own is not None else "gunicorn's default"
    total = f"{count} workers x {each}" if count > 1 else str(each)
    why = f"Of the container; worker_connections was of one worker: {total}."
    if own is None:
        why = "gunicorn's default, of one worker; write what one container must hold."
    draft.set("connections", each * count, place, why)


#: What gunicorn or its image takes from the environment itself.
READ_BY_GUNICORN = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "PORT", "FORWARDED_ALLOW_IPS")
#: What the kit's image sets to the same, and values of the base image that mean what its Python does anyway.
_SET_ANYWAY = re.compile(r"(PYTHONUNBUFFERED|PYTHONDONTWRITEBYTECODE)=.*|(LANG|LC_ALL|LC_CTYPE)=C\.UTF-?8", re.I | re.S)
_OF_THE_IMAGE = re.compile(r"PYTHON.*|PIP_.*|LC_.*|PATH|HOME|LANG")
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/_=-]{16,}")
#: Words with a number behind some of them, a path: `eu-west-1-blue`, `/srv/uploads2/incoming`; and a commit.
_WORDS = re.compile(r"(/?([A-Za-z][a-z]*|[A-Z]+)[0-9]{0,3}|[0-9]{1,4})([-_/]([A-Za-z][a-z]*|[A-Z]+|v)?[0-9]{0,4})+/?")
_COMMIT_NAME = re.compile(r"(^|_)(COMMIT|SHA|REVISION|REV|VERSION|RELEASE|BUILD|DIGEST)$", re.I)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


#: A variable's value in another one's in a Dockerfile, where only what is not known is left: ENV has the others.
IN_DOCKERFILE = re.compile(r"\$\{?[A-Za-z_]")
#: Compose's and Kubernetes' are replaced before, and gunicorn takes raw_env as it stands.
NOWHERE = re.compile(r"(?!)")


def is_variable(name: str) -> bool:
    """Whether a profile can have a variable of that name; Compose and Kubernetes take `a.b` and `a-b` too."""
    try:
        VARIABLE.parse(Text(name, Mark("env"), True))
    except ValueError:
        return False
    return True


def add_environment(
    variables: Mapping[str, str],
    where: Where,
    draft: Draft,
    without: Iterable[str] = (),
    references: re.Pattern[str] = NOWHERE,
) -> None:
    """The app's variables; a value that may be a secret is named, and never shown."""
    left = {*READ_BY_GUNICORN, *without}
    of_image: dict[str, list[str]] = {}
    for name, value in variables.items():
        place = where(name)
        if name in left or _SET_ANYWAY.fullmatch(f"{name}={value}"):
            continue
        if not is_variable(name):
            draft.notes.append(f"{place}: {name[:60]!r}: left out: no profile has a variable of such a name")
        elif (why := _debugging(name, value)) is not None:
            draft.notes.append(f"{place}: {name}: left out: {why}")
        elif name == "PYTHONPATH":
            draft.notes.append(f"{place}: PYTHONPATH: use app.python_path for a folder of the app")
        elif _OF_THE_IMAGE.fullmatch(name):
            of_image.setdefault(place, []).append(name)
        elif holds_secret(name, value) or _is_random(name, value) or re.search(r"[\r\n\x00]", value):
            do = "name in env_secrets which Secret has it"
            do += f"; where it is no secret, write it in env, and env_allowed: [{name}]"
            why = "its value may be a secret: image, history and manifests would all show them"
            draft.notes.append(f"{place}: {name}: {why}; {do}")
        elif references.search(value):
            add_unknown(name, place, draft)
        else:
            draft.set(f"env.{name}", value, place)
    for place, names in of_image.items():
        why = "left out: they are of the interpreter, pip or the image, whose own the kit sets"
        draft.notes.append(f"{place}: {', '.join(names)}: {why}")


def _debugging(name: str, value: str) -> str | None:
    """Why a variable is left out that makes Flask show errors to everybody, under gunicorn as well; else None."""
    if turns_debugging_on(name, value):
        return "it turns debug mode on, which shows tracebacks and settings to whoever provokes an error"
    if name == "FLASK_ENV" and value == "development":
        return "Flask before 2.3 takes it for debug mode, a later one ignores it; write it in env if the app reads it"
    return None


def add_unknown(name: str, place: str, draft: Draft) -> None:
    """A variable whose value has others in it that nobody here knows."""
    do = "write what it is in env, or give it to the container when it runs"
    draft.notes.append(f"{place}: {name}: its value follows from variables that are not known here; {do}")


def _is_random(name: str, value: str) -> bool:
    """Whether a value reads like a generated one, whatever it is called."""
    is_commit = _COMMIT_NAME.search(name) and _COMMIT.fullmatch(value)
    return bool(_TOKEN.fullmatch(value)) and not (is_commit or _WORDS.fullmatch(value))


def add_read_variables(run: Run, where: Where, draft: Draft) -> None:
    """What gunicorn itself takes from the environment where no option and no configuration says it."""
    given = {name: run.environment[name] for name in READ_BY_GUNICORN if run.environment.get(name)}
    if "PORT" in run.unknown:
        given["PORT"] = ""
    if (port := given.get("PORT")) is not None:
        place = where("PORT")
        if not is_number(port):
            draft.notes.append(f"{place}: PORT: no number is known here; write it as port")
        elif run.last("bind") is None:
            draft.set("port", int(port), place)
        elif "port" not in draft.entries or draft.entries["port"].value != int(port):
            draft.notes.append(f"{place}: PORT {port}: gunicorn listens where bind says")
    if (peers := given.get("FORWARDED_ALLOW_IPS")) is not None:
        place = where("FORWARDED_ALLOW_IPS")
        if run.last("forwarded_allow_ips") is None:
            draft.set("forwarded_allow_ips", peers, place)
        else:
            draft.notes.append(f"{place}: FORWARDED_ALLOW_IPS: forwarded_allow_ips is given, and decides")
    workers = run.last("workers")
    if "WEB_CONCURRENCY" in given and workers is not None and workers.how != "variable":
        place = where("WEB_CONCURRENCY")
        draft.notes.append(f"{place}: WEB_CONCURRENCY: workers is given at {place_of(workers)}, and decides")
