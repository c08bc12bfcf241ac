"""A git repository that is read over HTTP, for the time of a test."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.containers.support.loopback import served


@contextmanager
def git_server(folder: Path) -> Iterator[int]:
    """The package kit-vcs, tagged v1.0 and changed since, as ``/kit_vcs.git`` on this machine's loopback; its port.

    Over git's dumb protocol, which any server of files speaks once `git update-server-info` has listed what is there.
    """
    work, bare = folder / "work", folder / "served/kit_vcs.git"
    work.mkdir(parents=True)
    (work / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "kit-vcs"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["kit_vcs"]\n'
    )
    _git(work, "init", "--quiet")
    _commit(work, "FROM = 'the tag'\n")
    _git(work, "tag", "v1.0")
    _commit(work, "FROM = 'the branch'\n")
    _git(folder, "clone", "--quiet", "--bare", str(work), str(bare))
    _git(bare, "update-server-info")

    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with served(functools.partial(Files, directory=str(bare.parent))) as port:
        yield port


def _commit(work: Path, module: str) -> None:
    (work / "kit_vcs.py").write_text(module)
    _git(work, "add", "--all")
    _git(work, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "A change")


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, timeout=60, capture_output=True)
