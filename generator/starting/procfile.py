"""What a Procfile starts beside the web process: its `release` before each release, its other lines as jobs."""

from __future__ import annotations

import re
import shlex
from typing import Any

from ..audit.words import find_gunicorn, split
from ..errors import Mark
from ..plan.before_start import SUFFIX
from ..profile.writing import Entry

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
#: What only a shell understands, and a variable that is set before the command.
_SHELL = re.compile(r"[$`|&;<>()*?~\\]|^[A-Za-z_][A-Za-z0-9_]*=")
#: A URL with a user's part: what may be a password belongs into no profile.
_USER_INFO = re.compile(r"://[^/?#\s]*@")
#: Nothing there says what a process needs.
_RESOURCES = {"cpu": "500m", "memory": "512Mi"}
_RESERVED = ("app", "proxy", SUFFIX)


def process_entries(text: str, file: str) -> list[Entry]:
    """``app.before_start`` and ``jobs`` of a Procfile. A line with a password in a URL is left out, and said so."""
    release: Entry | None = None
    jobs: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for number, line in enumerate(re.sub(r"\\\n", "  ", text).splitlines(), start=1):
        if (match := _LINE.fullmatch(line.strip())) is None:
            continue
        name, command = match[1], match[2].strip()
        if name == "web" or find_gunicorn(split(command, Mark(file, number, 1), {})) is not None:
            continue
        if _USER_INFO.search(command):
            left_out.append(name)
        elif name == "release":
            release = Entry("app.before_start", _words(command), f"{file}: release")
        else:
            jobs.setdefault(job := _job_name(name), {"name": job, "command": _words(command)})
    why = f"{file}; resources are a guess"
    why += f"; left out for a password in a URL: {', '.join(left_out)}" if left_out else ""
    found = [release] if release is not None else []
    if jobs:
        # A mapping of its own for each: YAML would write a shared one as an alias.
        found.append(Entry("jobs", [{**job, "resources": dict(_RESOURCES)} for job in jobs.values()], why))
    return found


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return words if words and not _SHELL.search(command) else ["sh", "-c", command]


def _job_name(name: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:36].strip("-") or "job"
    return f"{label}-job" if label in _RESERVED else label
