"""Checks of names and values: what gunicorn knows, and what it would refuse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

from ..errors import nearest
from ..profile.gunicorn_settings import CHOICES, MISTAKEN, known_settings
from .finding import Finding
from .given import Given, Run
from .worker import REMOVED, known_workers


def check_names(run: Run) -> Iterator[Finding]:
    """Findings about what is given, each by itself."""
    for one in run.given:
        row = known_settings().get(one.name)
        if row is None:
            yield from () if run.ours else _unknown(one)  # not every server of the kit is gunicorn
        elif one.how == "imported":
            yield from _import(one)
        elif one.value.function:
            if row["type"] != "hook" and one.name not in ("logger_class", "worker_class"):
                yield Finding("K105", one.span, f"the function or class {one.name} becomes gunicorn's {one.name}")
        elif one.name == "config" and one.how == "assigned":
            yield Finding("K105", one.span, "config becomes gunicorn's setting config, the path of this file")
        elif not one.value.unseen and not (one.value.value is None and one.value.variable):
            yield from () if run.ours and one.name == "worker_class" else _value(one, row)


def _unknown(one: Given) -> Iterator[Finding]:
    if one.how not in ("assigned", "function") or one.read or one.name.startswith("_"):
        return
    if meant := intended(one.name, hooks=one.how == "function"):
        yield Finding(
            "K101", one.span, f"gunicorn has no setting {one.name}: it is {meant}", fix=f"write {meant}, not {one.name}"
        )
    elif one.how == "assigned":
        yield Finding("K102", one.span, f"gunicorn has no setting {one.name}, and nothing else reads it")


@cache
def _spellings() -> dict[str, str]:
    """What a setting is called without case and punctuation, and by its options."""
    found = {name.replace("_", ""): name for name in known_settings()}
    for name, row in known_settings().items():
        for flag in row.get("flags", ()):
            found.setdefault(flag.strip("-").replace("-", "").replace("_", ""), name)
    return found | {wrong.replace("_", ""): right for wrong, right in MISTAKEN.items()}


def intended(name: str, hooks: bool = False) -> str | None:
    """The setting that a name most likely stands for, or None; ``hooks`` looks among functions only."""
    bare = name.lower().replace("_", "")
    spellings = {key: one for key, one in _spellings().items() if len(key) > 1}
    if hooks:
        spellings = {key: one for key, one in spellings.items() if known_settings()[one]["type"] == "hook"}
    if bare in spellings:
        return spellings[bare]
    near = get_close_matches(bare, [key for key in spellings if len(key) > 3], n=1, cutoff=0.85)
    return spellings[near[0]] if near else None


def _import(one: Given) -> Iterator[Finding]:
    """A module, or what can only be one of another purpose; a value may well be imported."""
    full = one.value.unseen.rpartition(" ")[2]
    module = "." not in full or full.partition(".")[0] in sys.stdlib_module_names
    if known_settings()[one.name]["type"] != "hook" and (module or one.name == "config"):
        yield Finding("K105", one.span, f"the import {one.name} becomes gunicorn's setting {one.name}")


def _value(one: Given, row: dict[str, Any]) -> Iterator[Finding]:
    value = one.value.value
    if one.name == "worker_class":
        yield from _worker_class(one)
    elif problem := refused(one.name, row, value):
        shown = "" if row["section"] == "Server Mechanics" and one.name == "raw_env" else f" {value!r:.60}"
        yield Finding("K104", one.span, f"{one.name} is {problem}, not{shown}", fix=f"write {problem}")


def _worker_class(one: Given) -> Iterator[Finding]:
    name = one.value.value
    if not isinstance(name, str):
        if name is None or isinstance(name, int | float | list | dict):
            yield Finding("K104", one.span, f"worker_class is a name or a class, not {name!r:.60}")
    elif name in REMOVED:
        yield Finding("K116", one.span, f"gunicorn has no worker {name} any more")
    elif "." not in name and ":" not in name and name not in known_workers():
        near = nearest(name, known_workers())
        hint = f"; did you mean {near}?" if near else ""
        fix = f"write {near}" if near else f"write one of {', '.join(known_workers())}, or a class's full name"
        yield Finding("K104", one.span, f"gunicorn has no worker {name!r:.60}{hint}", fix=fix)


#: What gunicorn looks up, or ignores: not known from the value alone.
_OF_THE_SYSTEM = ("group", "ssl_version", "user")


def refused(name: str, row: dict[str, Any], value: Any) -> str | None:
    """What the setting takes, where gunicorn would refuse the value; None where it takes it."""
    if row["type"] == "int" and name not in _OF_THE_SYSTEM:
        return None if _is_count(value) else "a whole number, 0 or more"
    if row["type"] == "bool":
        words = isinstance(value, str) and value.strip().lower() in ("true", "false")
        return None if value is None or isinstance(value, bool) or words else "True or False"
    if row["type"] == "dict":
        return None if isinstance(value, dict) else "a dictionary"
    if row["type"] == "list":
        items = [] if not value else value if isinstance(value, list | dict) else [value]
        return None if all(item is None or isinstance(item, str) for item in items) else "a list of texts"
    if row["type"] == "hook":
        return "a function"
    if name in CHOICES and isinstance(value, str) and value.lower() not in (*CHOICES[name], "fast", "true", "false"):
        return f"one of {', '.join(CHOICES[name])}"
    if row.get("only_text"):
        return None if value is None or isinstance(value, str) else "a text"
    return None


def _is_count(value: Any) -> bool:
    if isinstance(value, str):
        try:
            return int(value, 0) >= 0
        except ValueError:
            return False
    return isinstance(value, int) and value >= 0
