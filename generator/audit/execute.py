"""Evaluates a configuration by running it: in a process of its own, without network, for a limited time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..profile.gunicorn_settings import known_settings
from .audit import Source

SECONDS = 10
#: Runs the file named first and prints those of its names that are settings, where JSON can hold their values.
_PROGRAM = """
import json, resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
names = runpy.run_path(sys.argv[1])
found = {}
for name in json.loads(sys.argv[2]):
    if name in names and isinstance(names[name], (str, int, float, bool, list, tuple, dict, type(None))):
        try:
            found[name] = json.loads(json.dumps(names[name]))
        except (TypeError, ValueError):
            pass
print("\\n" + json.dumps(found))
"""


def run_configuration(source: Source, environment: Mapping[str, str]) -> tuple[Mapping[str, object], str]:
    """The settings that running the configuration gives, and what is worth saying about the run."""
    isolated = _isolation()
    note = "" if isolated else "it ran with network: this machine lets no user make a network namespace (unshare -rn)"
    path = Path(source.name).resolve()
    command = [*isolated, sys.executable, "-I", "-c", _PROGRAM, str(path), json.dumps(sorted(known_settings()))]
    try:
        ended = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=path.parent,
            env={"PATH": "/usr/bin:/bin", **environment},
        )
    except subprocess.TimeoutExpired:
        return {}, f"it did not end within {SECONDS} s"
    except OSError as error:
        return {}, f"it could not be run: {error.strerror}"
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        return {}, f"running it failed: {last[:200]}"
    try:
        found = json.loads(ended.stdout.rstrip().rpartition("\n")[2])
    except ValueError:
        return {}, "running it gave no settings"
    return (found if isinstance(found, dict) else {}), note


def _isolation() -> list[str]:
    """The words that put a command into a network namespace of its own, or none where that is not allowed."""
    if shutil.which("unshare") is None:
        return []
    words = ["unshare", "--user", "--map-root-user", "--net"]
    tried = subprocess.run([*words, "true"], check=False, capture_output=True)
    return words if tried.returncode == 0 else []
