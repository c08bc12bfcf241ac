"""gunicorn's own settings: which exist and of what type (a table made from gunicorn itself), and which the kit owns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import FAULTS_SHOWN, nearest
from . import field_types as f
from . import logging_settings
from .document import Block, Items, Text
from .field_types import FieldType, Problem, ProblemsError

_TABLE = Path(__file__).with_name("gunicorn_settings.json")

#: Settings that the kit writes itself or that have no place in a container, with what to do instead. What a profile has
#: a setting of its own for is not among them: that follows from the setting.
OWNED = {
    "access_log_format": "use access_log: text or json",
    "capture_output": "leave it out: it does nothing when errors go to stderr",
    "chdir": "leave it out: the app lies in /app",
    "check_config": "run the image with the argument --check-config",
    "config": "leave it out: the configuration lies at a fixed path in the image",
    "control_socket": "leave it out: the control socket can stop workers and has no place in a container",
    "control_socket_disable": "leave it out: the kit turns the control socket off",
    "control_socket_mode": "leave it out: the control socket is off",
    "daemon": "leave it out: a container's server stays in the foreground",
    "default_proc_name": "leave it out: gunicorn's own",
    "errorlog": "leave it out: a container logs to stderr",
    "group": "leave it out: USER and securityContext set it",
    "initgroups": "leave it out: USER and securityContext set the groups",
    "logger_class": "use access_log: text or json",
    "paste": "use app.module",
    "pidfile": "leave it out: the server is PID 1, and the root file system is read-only",
    "print_config": "run the image with the argument --print-config",
    "proc_name": "leave it out: it does nothing without the package setproctitle",
    "protocol": "leave it out: probes and proxies speak HTTP to the container",
    "pythonpath": "use app.python_path for a folder of the app; its packages are in the image's environment",
    "raw_env": "use env",
    "raw_paste_global_conf": "use app.module",
    "reload": "use server: flask for development; an image does not change while it runs",
    "reload_engine": "use server: flask for development",
    "reload_extra_files": "use server: flask for development",
    "reuse_port": "leave it out: a worker that exits would reset the connections in its own queue",
    "sendfile": "leave it out: any value but None turns sendfile off",
    "spew": "leave it out: it prints every line that runs",
    "ssl_version": "leave it out: gunicorn ignores it since 21.0",
    "tmp_upload_dir": "leave it out: nothing in gunicorn reads it",
    "umask": "leave it out: the server writes no files",
    "user": "leave it out: USER and securityContext set it",
    "worker_tmp_dir": "leave it out: the kit uses /dev/shm, which a read-only root leaves writable",
}
#: Texts that gunicorn checks only at boot; http_parser `fast` without its package responds 500 to every request.
CHOICES = {
    "header_map": ("drop", "refuse", "dangerous"),
    "http2_cleartext": ("off", "prior-knowledge", "upgrade", "both"),
    "http_parser": ("auto", "python"),
    "proxy_protocol": ("off", "v1", "v2", "auto"),
}
#: Names that people write, and what gunicorn calls it (gunicorn silently ignores unknown names).
MISTAKEN = {"logfile": "errorlog", "log_level": "loglevel", "worker_num": "workers", "access_log": "accesslog"}


@cache
def known_settings() -> dict[str, dict[str, Any]]:
    """Every setting of the pinned gunicorn: its type (int, bool, str, list, dict, hook) and section."""
    table: dict[str, dict[str, Any]] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


def gunicorn_mapping(own_settings: Callable[[], Mapping[str, str]]) -> FieldType:
    """The type of the profile's ``gunicorn`` section: known names that the kit does not own, typed as gunicorn's.

    ``own_settings`` gives the paths of a profile's settings by gunicorn's names for them; it is called when a profile
    is read, since the section is one of the settings itself.
    """

    def parse(value: Any) -> tuple[tuple[str, Any], ...]:
        if not isinstance(value, Block):
            raise ValueError("write a mapping, for example: {limit_request_fields: 50}")
        pairs: list[tuple[str, Any]] = []
        problems: list[Problem] = []
        for name, item in value.items():
            remedy = no_place(name, own_settings(), suggest=len(problems) < FAULTS_SHOWN)
            if remedy:
                problems.append(Problem((name,), _ALLOWED, remedy, at_key=True, code="K004"))
                continue
            try:
                pairs.append((str(name), typed(name, item)))
            except ValueError as error:
                problems.append(Problem((name,), _ALLOWED, str(error)))
        if problems:
            raise ProblemsError(problems, tuple(sorted(pairs)))
        return tuple(sorted(pairs))

    schema = {"type": "object", "propertyNames": {"maxLength": 64}}
    return FieldType(parse, "a mapping of gunicorn settings", "{limit_request_fields: 50}", schema)


_ALLOWED = "a setting of gunicorn that the kit does not own"


def no_place(name: str, own_settings: Mapping[str, str], suggest: bool) -> str | None:
    """What to do instead of writing this name into the section, or None where it has its place there."""
    if (path := own_settings.get(name)) == name:
        return f"{name} stands at the top level of a profile: move it there"
    if path is not None or name in OWNED:
        return f"{name} is set by the kit: {f'use {path}' if path else OWNED[name]}"
    if (known := known_settings().get(name)) is None:
        near = (MISTAKEN.get(name) or nearest(name, sorted(known_settings()))) if suggest else None
        return f"gunicorn has no setting {name[:60]!r}" + (f"; did you mean {near}?" if near else "")
    if known["type"] == "hook":
        return f"{name} is a function: write it in the module that app.hooks names"
    return None


def typed(name: str, value: Any) -> Any:
    """The value of one of gunicorn's settings, by the type that gunicorn gives it. Raises ValueError."""
    known = known_settings()[name]
    if isinstance(value, Text) and value.is_null and not known["nullable"]:
        raise ValueError(f"{name} cannot be null: leave it out for gunicorn's default")
    try:
        parsed = _nested(value) if name == "logconfig_dict" else _PARSERS[known["type"]](value)
    except ValueError as error:
        detail = f": {error}" if str(error) else ""
        raise ValueError(f"{name} is of type {known['type']}{detail}") from None
    if name in CHOICES and parsed not in CHOICES[name]:
        raise ValueError(f"{name} is one of {', '.join(CHOICES[name])}")
    return parsed


def _strings(value: Any) -> list[str]:
    if not isinstance(value, Items):
        raise ValueError("write a list")
    return [f.text("text", "a").parse(item) for item in value]


def _string_mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, Block):
        raise ValueError("write a mapping")
    return {str(key): f.text("text", "a").parse(item) for key, item in value.items()}


def _nested(value: Any) -> dict[str, Any]:
    """logging.config's dictionary: handlers within it are mappings, and its version is a number."""
    if not isinstance(value, Block):
        raise ValueError("write a mapping")
    nested = dict(f.yaml_value().parse(value))
    if remedy := logging_settings.refused(nested):
        raise ValueError(remedy)
    return nested


def _string_or_null(value: Any) -> str | None:
    return None if isinstance(value, Text) and value.is_null else str(f.text("text", "a").parse(value))


_PARSERS: dict[str, Any] = {
    "int": f.integer(0, 2**31, 1).parse,
    "bool": f.boolean().parse,
    "str": _string_or_null,
    "list": _strings,
    "dict": _string_mapping,
}
