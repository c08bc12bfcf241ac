"""Starts gunicorn for a test, and ends it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.started import APP, Gunicorn


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Callable[..., Gunicorn]]:
    """Starts it with one of the kit's worker classes; ``more`` are lines of its configuration, ``app`` a module."""
    started: list[Gunicorn] = []

    def start(worker: str, more: str = "", app: str = APP, **settings: Any) -> Gunicorn:
        started.append(Gunicorn(tmp_path, worker, {"workers": 1, "keepalive": 75, **settings}, more, app))
        return started[-1].ready()

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()
        text = server.log.read_text()
        assert "Traceback" not in text, text
