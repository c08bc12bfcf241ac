"""The boot report: one JSON object on stdout with every effective number and what decided it."""

from __future__ import annotations

import json
import platform
import resource
import sys
from collections.abc import Mapping
from typing import Any

from .sizing import Numbers
from .version import runtime_version


def boot_report(
    numbers: Numbers,
    effective: Mapping[str, Any],
    configured: Mapping[str, Any],
    variables: Mapping[str, str],
    **about: str,
) -> dict[str, Any]:
    """What is in force: ``effective`` holds the server's own values, ``configured`` the configuration file's.

    A value that differs from the file's was set outside it, and the report says so instead of repeating the
    file's reason. ``variables`` names the variable of the environment that the file itself took a setting from.
    """
    derived: dict[str, Any] = {}
    for name, number in numbers.by_name().items():
        derived[name] = number.as_dict()
        if name in effective and effective[name] != number.value:
            derived[name] = {"value": effective[name], **_OUTSIDE}
    fixed: dict[str, Any] = {}
    for name, value in effective.items():
        if name not in derived:
            inside = name in configured and configured[name] == value
            decided = {"decided_by": variables.get(name, "configuration")}
            fixed[name] = {"value": value, **(decided if inside else _OUTSIDE)}
    return {
        "event": "boot",
        "runtime": runtime_version(),
        "python": platform.python_version(),
        **about,
        "numbers": derived,
        "settings": fixed,
        "descriptor_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


_OUTSIDE = {
    "decided_by": "command line",
    "reason": "set outside the configuration file, by arguments or GUNICORN_CMD_ARGS",
}


def write_report(report: Mapping[str, Any]) -> None:
    """Write past every logger, so that no log level hides it."""
    print(json.dumps(report, default=str), file=sys.stdout, flush=True)


def raise_descriptor_limit(needed: int) -> str | None:
    """Raise the soft limit on open files to ``needed``, at most to the hard limit; a sentence if that is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    if soft < needed and soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed if unlimited else min(needed, hard), hard))
    if unlimited or hard >= needed:
        return None
    return f"{needed} file descriptors a worker are needed, but the hard limit is {hard}: raise it (ulimit nofile)"
