"""Evaluates a configuration by running it: in a process of its own, without network, for a limited time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..errors import KitError
from ..profile.gunicorn_settings import known_settings
from .sources import Source

SECONDS = 10
#: Runs the file named first and prints those of its names that are settings, where JSON can hold their values. What
#: lies beside it can be imported, or where audit runs: gunicorn puts its working directory before everything else
#: (app/base.py: chdir), and that is most likely one of the two.
_PROGRAM = """
import json, os, resource, runpy, sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.getcwd())
sys.path.append(sys.argv[3])
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
    """The settings that running the configuration gives, and what kept it from giving any.

    Raises KitError where a process without network cannot be made: nothing is run then.
    """
    isolated = _isolation()
    path = Path(source.name).resolve()
    arguments = [str(path), json.dumps(sorted(known_settings())), str(Path.cwd())]
    command = [*isolated, sys.executable, "-I", "-c", _PROGRAM, *arguments]
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
    return (found if isinstance(found, dict) else {}), ""


#: A network namespace of its own: with a user's rights, and with root's, who may lack user namespaces.
_WAYS = (["unshare", "--user", "--map-root-user", "--net"], ["unshare", "--net"])


def _isolation() -> list[str]:
    """The words that put a command into a network namespace of its own. Raises KitError where that is not allowed."""
    said = "there is no unshare (util-linux)"
    if shutil.which("unshare") is not None:
        for words in _WAYS:
            tried = subprocess.run([*words, "true"], check=False, capture_output=True, text=True)
            if tried.returncode == 0:
                return words
            said = said if said.startswith("unshare") else f"{' '.join(words)}: {tried.stderr.strip()[:200]}"
    raise KitError(
        f"--execute runs configurations without network, which this machine does not let it do ({said}): run it as"
        " root, allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or"
        " kernel.apparmor_restrict_unprivileged_userns=0), or leave --execute out; nothing was run"
    )
