"""``--explain``: the plan of a profile for people (a table) and for programs (JSON)."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from ..errors import KitError, nearest, printable
from ..profile.schema import SETTINGS
from .plan import Plan


def explanation(plan: Plan) -> dict[str, Any]:
    """The same numbers and reasons that the boot report gives in a container with the profile's limits."""
    times = plan.times.by_name() if plan.server.production else {}
    memory = plan.uploads.by_name() if plan.server.production else {}
    pods = {**plan.kubernetes.by_name(), **plan.probes.by_name()} if plan.server.production else {}
    proxy = plan.proxy.by_name() if plan.server.production else {}
    return {
        "profile": plan.name,
        "served_by": plan.server.name,
        "numbers": {name: number.as_dict() for name, number in plan.numbers.by_name().items()},
        "times": {name: number.as_dict() for name, number in times.items()},
        "stop_seconds": plan.stop_seconds.as_dict(),
        "memory": {name: number.as_dict() for name, number in memory.items()},
        "kubernetes": {name: number.as_dict() for name, number in pods.items()},
        "proxy": {name: number.as_dict() for name, number in proxy.items()},
        "settings": {**plan.explained, **plan.settings},
        "warnings": [*plan.numbers.warnings, *plan.times.warnings, *plan.probes.warnings],
        "command_line": command_line(plan),
    }


def every_number(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of an explanation: all its derived numbers by their names."""
    return {
        **found["numbers"],
        **found["times"],
        "stop_seconds": found["stop_seconds"],
        **found["memory"],
        **found["kubernetes"],
        **found["proxy"],
    }


def story(plan: Plan, name: str) -> str:
    """All that is known of one number or setting: its value, what decided it, how and why, and how to change it.

    Raises KitError, with the nearest name, where the plan has none of that name.
    """
    found = explanation(plan)
    numbers = every_number(found)
    values = {key: value for key, value in found["settings"].items() if value is not None}
    if name not in numbers and name not in values:
        near = nearest(name, [*numbers, *values])
        raise KitError(f"{plan.name} has no number {name!r}" + (f"; did you mean {near}?" if near else ""))
    number = numbers.get(name, {})
    lines = [f"{plan.name}: {name}: {number.get('value', values.get(name))}"]
    rows = [("decided by", number.get("decided_by", "")), ("how", number.get("reason", ""))]
    rows.append(("why", {"workers": plan.texts.workers_why, "threads": plan.texts.threads_why}.get(name, "")))
    if (setting := SETTINGS.get(name)) is not None:
        is_set = plan.profile.is_set(name)
        place = str(plan.profile.place(name)) if is_set else "not set, so the default"
        rows += [("setting", setting.description), ("takes", setting.type.allowed), ("profile", place)]
        rows.append(("gunicorn", setting.gunicorn or ""))
    return "\n".join([*lines, *(f"    {label + ':':11} {text}" for label, text in rows if text)])


def command_line(plan: Plan) -> str:
    """What one would type without the kit; it lacks the worker class' own limits, the report and the checks."""
    if plan.server.family == "standalone":
        return "none: gevent's server has no command, and serves from one process"
    if plan.server.family != "gunicorn":
        return "python code.py"
    numbers = plan.numbers
    words = ["gunicorn", "-w", numbers.workers.value, "-k", plan.server.stock_worker_class, "--bind", plan.texts.bind]
    if numbers.threads is not None:
        words += ["--threads", numbers.threads.value]
    if numbers.worker_connections is not None:
        words += ["--worker-connections", numbers.worker_connections.value]
    words += ["--backlog", numbers.backlog.value]
    words += ["--preload"] if plan.preload_app else []
    words += ["--no-control-socket", "--worker-tmp-dir", "/dev/shm", plan.texts.wsgi_app]
    return shlex.join(str(word) for word in words)


def as_json(plans: list[Plan]) -> str:
    """The explanations of all plans as one JSON list."""
    return json.dumps([explanation(plan) for plan in plans], indent=2)


def print_tables(plans: list[Plan]) -> None:
    """A table for each plan; plain text, without colour or borders' cutting, where stdout is not a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False, emoji=False)
    for plan in plans:
        profile = plan.profile
        title = f"{plan.name}: {profile.connections} connections, {plan.texts.cpu_text} CPU, {plan.texts.memory_text}"
        table = Table(title=f"{title}, {plan.server.name}", title_justify="left")
        for column, style in (("setting", "bold"), ("value", "cyan"), ("decided by", ""), ("reason", "")):
            table.add_column(column, style=style, overflow="fold")
        numbers = {**plan.numbers.by_name(), "stop_seconds": plan.stop_seconds}
        if plan.server.production:
            numbers |= plan.times.by_name() | plan.kubernetes.by_name() | plan.probes.by_name() | plan.proxy.by_name()
            numbers |= plan.uploads.by_name()
        for name, number in numbers.items():
            table.add_row(name, str(number.value), number.decided_by, number.reason)
        for name, value in explanation(plan)["settings"].items():
            if name not in numbers and value is not None:
                section = "profile" if profile.is_set(name) or name in plan.settings else "default"
                table.add_row(name, printable(str(value)), section, "")
        console.print(table)
        notes = [*explanation(plan)["warnings"], f"on stop it {plan.server.graceful_stop}"]
        notes += [note for note in (plan.texts.proxy_note, plan.times.request_note) if note]
        for note in notes:
            console.print(f"- {note}", markup=False)
        console.print(f"- without the kit: {command_line(plan)}", markup=False, soft_wrap=True)
