"""Images whose own start script turns variables into gunicorn's settings: tiangolo's, and those made after them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..audit.command_line import options_of, read_arguments
from ..audit.documents import is_number
from ..audit.given import Given, Run, Span
from ..audit.values import Value
from ..audit.words import Word
from .settings import Draft, Where

#: What the start script's variables become.
_SETTINGS = {
    "BIND": "bind",
    "LOG_LEVEL": "loglevel",
    "ACCESS_LOG": "accesslog",
    "ERROR_LOG": "errorlog",
    "GRACEFUL_TIMEOUT": "graceful_timeout",
    "TIMEOUT": "timeout",
    "KEEP_ALIVE": "keepalive",
    "WORKER_CLASS": "worker_class",
    "WEB_CONCURRENCY": "workers",
}
_OTHERS = ("APP_MODULE", "MODULE_NAME", "VARIABLE_NAME", "WORKERS_PER_CORE", "MAX_WORKERS", "HOST", "PORT",
           "GUNICORN_CONF", "PRE_START_PATH")  # fmt: skip
VARIABLES = (*_SETTINGS, *_OTHERS)
#: Those that only such an image reads.
_TELLING = {"APP_MODULE", "MODULE_NAME", "WORKERS_PER_CORE", "MAX_WORKERS"}
_MIN_WORKERS = 2


def is_started_by_variables(base: str, environment: Mapping[str, str]) -> bool:
    """Whether an image without a gunicorn command of its own is of that kind."""
    return base.startswith("tiangolo/") or bool(_TELLING & environment.keys())


def run_of(base: str, environment: Mapping[str, str], span: Span, places: Mapping[str, Span]) -> Run:
    """The start that those variables mean; ``span`` is where the image is named, ``places`` where they are set."""
    module = environment.get("MODULE_NAME")
    start = places.get("MODULE_NAME" if module else "APP_MODULE", span)
    run = Run(place="container", environment=dict(environment), command=start, places=dict(places))

    def give(name: str, value: object, variable: str = "") -> None:
        run.given.append(Given(name, Value(value), places.get(variable, span), "variable"))

    if "meinheld" in base:
        give("worker_class", "egg:meinheld#gunicorn_worker")
    elif "uvicorn" in base:
        give("worker_class", "uvicorn.workers.UvicornWorker")
    for name, setting in _SETTINGS.items():
        if environment.get(name):
            give(setting, environment[name], name)
    if "BIND" not in environment and environment.get("PORT"):
        give("bind", f"{environment.get('HOST', '0.0.0.0')}:{environment['PORT']}", "PORT")
    options = places.get("GUNICORN_CMD_ARGS", span)
    run.given += read_arguments([Word(text, options) for text in options_of(environment)]).given
    named = f"{module}:{environment.get('VARIABLE_NAME', 'app')}" if module else ""
    run.app = environment.get("APP_MODULE") or named
    return run


def add_worker_rule(environment: Mapping[str, str], where: Where, draft: Draft) -> None:
    """WORKERS_PER_CORE and MAX_WORKERS as a rule of the container's own CPUs."""
    per_core, max_workers = environment.get("WORKERS_PER_CORE", ""), environment.get("MAX_WORKERS", "")
    if environment.get("WEB_CONCURRENCY") or not (per_core or max_workers):
        return
    place = where("WORKERS_PER_CORE" if per_core else "MAX_WORKERS")
    if not re.fullmatch(r"[0-9]{1,18}(\.0+)?", per_core or "1"):
        draft.notes.append(f"{place}: WORKERS_PER_CORE {per_core}: not a whole number; here the server's rule")
        return
    rule = {"per_cpu": int(float(per_core or "1")), "at_least": _MIN_WORKERS}
    if is_number(max_workers) and int(max_workers) > 0:
        rule = {**rule, "at_least": min(_MIN_WORKERS, int(max_workers)), "at_most": int(max_workers)}
    draft.set("workers", rule, place, "Of the container's CPUs; the image's start script counted the node's.")
