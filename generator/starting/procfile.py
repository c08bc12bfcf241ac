"""What a Procfile starts beside the web process: its `release` before each release, its other lines as jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..audit.words import find_gunicorn, split
from ..errors import Mark
from ..plan.before_start import SUFFIX
from ..profile.secrets import secret_word
from ..profile.workload import command_words
from ..profile.writing import Entry

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
#: Nothing there says what a process needs.
_RESOURCES = {"cpu": "500m", "memory": "512Mi"}
_RESERVED = ("app", "proxy", SUFFIX)


def process_entries(text: str, file: str) -> list[Entry]:
    """``app.before_start`` and ``jobs`` of a Procfile, without the lines of `left_out`."""
    release: Entry | None = None
    jobs: dict[str, dict[str, Any]] = {}
    for number, name, command in _processes(text, file):
        if secret_word(command) is not None:
            continue
        if name == "release":
            release = Entry("app.before_start", command, f"{file}:{number}")
        else:
            jobs.setdefault(job := _job_name(name), {"name": job, "command": command})
    found = [release] if release is not None else []
    if jobs:
        # A mapping of its own for each: YAML would write a shared one as an alias.
        listed = [{**job, "resources": dict(_RESOURCES)} for job in jobs.values()]
        found.append(Entry("jobs", listed, f"{file}; resources are a guess"))
    return found


def left_out(text: str, file: str) -> list[str]:
    """What to say of each line that a profile must not have, since it may hold a secret."""
    do = "have the command read it from the environment, and name it in env_secrets"
    lines = (one for one in _processes(text, file) if secret_word(one[2]) is not None)
    return [f"{file}:{number}: {name}: left out for what may be a secret: {do}" for number, name, _ in lines]


def _processes(text: str, file: str) -> Iterator[tuple[int, str, list[str]]]:
    """Line, name and command of what is not the server."""
    number = 1
    for whole in re.split(r"(?<!\\)\n", text):
        line, here = re.sub(r"\\\n", "  ", whole), number
        number += whole.count("\n") + 1
        if (match := _LINE.fullmatch(line.strip())) is None:
            continue
        name, command = match[1], match[2].strip()
        if name != "web" and find_gunicorn(split(command, Mark(file, here, 1), {})) is None:
            yield here, name, command_words(command)


def _job_name(name: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:36].strip("-") or "job"
    return f"{label}-job" if label in _RESERVED else label
