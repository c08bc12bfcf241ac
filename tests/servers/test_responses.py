"""Every way in which an app can respond, on each server that this interpreter has; the images' own are in
tests/containers/test_hostile.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import responses
from tests.containers.support import answering_app
from tests.servers.started import Gunicorn
from tests.servers.test_pywsgi_server import Running, _starter

APP = (
    Path(answering_app.__file__).read_text()
    + """

def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/answer/"):
        return respond(environ, start_response)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
)


@pytest.mark.parametrize("worker", ["gevent", "gthread", "sync"])
def test_gunicorn_keeps_the_framing(gunicorn: Callable[..., Gunicorn], worker: str) -> None:
    server = gunicorn(worker, app=APP)
    responses.judge(("127.0.0.1", server.port), keeps_alive=worker != "sync")
    assert server.log.read_text().count("Traceback") == len(responses.FAILS)
    server.log.write_text("")  # its app raised on purpose


def test_pywsgi_keeps_the_framing(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(APP)
    starter = _starter(tmp_path)
    running: Running = next(starter)(wsgi_app="tiny:app")
    responses.judge(("127.0.0.1", running.port), keeps_alive=True)
    next(starter, None)
