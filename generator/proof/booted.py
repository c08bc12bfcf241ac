"""The boot report, and what to say of a container that has printed none."""

from __future__ import annotations

import json
from typing import Any

from ..plan.plan import Plan

#: Of an app that starts a server while it is imported, which never comes to its end then.
UNGUARDED = (
    "Something in the app's import starts a server of its own, as an unguarded app.run() does: put it below "
    'if __name__ == "__main__":, or take it out.'
)
NOT_IMPORTED = (
    "The app's import has not come to its end: does it start a server of its own (an unguarded app.run()), wait for "
    "something, or take longer than health.startup_seconds?"
)
FOREIGN_IMAGE = "Was the image (--image) made by this generator? Its output begins with a boot report."


def boot_report(log: str) -> dict[str, Any] | None:
    """Of the standard output of a container."""
    lines = (line for line in log.splitlines() if '"event": "boot"' in line)
    return next(map(json.loads, lines), None)


def why_no_report(plan: Plan, answers: str | None, is_built: bool) -> str:
    """What to do about a container that serves without a boot report.

    ``answers`` is its responses' Server header: pywsgi sends none. ``is_built``: the image was made just now.
    """
    if answers is None or answers.startswith("gunicorn") or plan.server.family == "development":
        return "Does the app's import redirect stdout, or start a server of its own?" if is_built else FOREIGN_IMAGE
    return f"What answers is {answers}, not the profile's server. {UNGUARDED if is_built else FOREIGN_IMAGE}"
