"""The development server: its refusals, warning and reload, and SIGTERM that ends the child too."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.servers.started import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
APP = """
from flask import Flask, request
app = Flask(__name__)

@app.get("/")
def index():
    environ = request.environ
    return f"one {app.debug} {environ['wsgi.multithread']} {environ['wsgi.multiprocess']}"
"""
HOOK = "def when_ready(server):\n    print('ready', server.cfg.reload, flush=True)"


class Running:
    """One development server with its app and log in a directory of its own."""

    def __init__(self, directory: Path, app: str, settings: dict[str, Any]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.app = directory / "web.py"
        self.app.write_text(app)
        values = {
            "wsgi_app": "web:app",
            "bind": f"127.0.0.1:{self.port}",
            "chdir": str(directory),
            **settings,
        }
        document = directory / "flask.conf.py"
        document.write_text("\n".join([f"{name} = {value!r}" for name, value in values.items()] + [HOOK]))
        self._log = directory / "log"
        command = [sys.executable, "-m", "generator.runtime.development.flask_server", "-c", str(document)]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        with self._log.open("w") as log:
            # A group of its own, so that a failing test leaves no reloader's child behind.
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def children(self) -> list[int]:
        return [int(p) for p in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def get(self) -> tuple[int, str] | None:
        assert self.process.poll() is None, self.log
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return None
        finally:
            connection.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(app: str = APP, **settings: Any) -> Running:
        started.append(Running(tmp_path, app, settings))
        return started[-1]

    yield start
    for running in started:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()


def test_reload_outlives_a_mistake_and_sigterm_ends_the_child_too(start: Callable[..., Running]) -> None:
    running = start("import nothing_of_this_name")
    assert until(running.get)[0] == 500
    assert "nothing_of_this_name" in running.log
    running.app.write_text(APP)
    until(lambda: running.get() == (200, "one False False False"))
    assert running.log.count("DEVELOPMENT server") == 1
    assert running.log.count("ready True") == 1
    (child,) = running.children()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0
    until(lambda: not Path(f"/proc/{child}").exists())


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({"threads": 4}, "one False True False"),
        ({"workers": 2}, "one False False True"),
        ({"debug": True}, "one True False False"),
    ],
)
def test_without_reload(start: Callable[..., Running], settings: dict[str, Any], body: str) -> None:
    running = start(reload=False, **settings)
    assert until(running.get) == (200, body)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 2, "workers": 2}, "werkzeug serves with threads or with processes, not both"),
        ({"timeout": 3}, "timeout is not a setting of this server"),
        ({"reload": 1}, "reload = 1 must be True or False"),
    ],
)
def test_a_wrong_document_is_one_line_and_exit_code_2(
    start: Callable[..., Running], settings: dict[str, Any], message: str
) -> None:
    running = start(**settings)
    assert running.process.wait(PATIENCE) == 2
    assert message in running.log and running.log.count("\n") == 1
