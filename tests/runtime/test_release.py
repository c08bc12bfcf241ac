"""What a release runs once, and how it is marked: by an API that may be away for a while, or say no."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from generator.runtime import release
from tests.fast_support import ROOT


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """The runtime under its own name would need an image."""
    program = [sys.executable, "-m", "generator.runtime.release", *words]
    return subprocess.run(program, capture_output=True, text=True, check=False, cwd=ROOT)


def test_a_command_runs_once(tmp_path: Path) -> None:
    first = command("run", str(tmp_path), "abc", "echo", "done it")
    assert (first.returncode, first.stdout) == (0, "done it\n")
    (tmp_path / "abc").write_text("image:1")
    again = command("run", str(tmp_path), "abc", "echo", "done it")
    assert again.returncode == 0 and "nothing to do" in again.stdout and "done it" not in again.stdout
    assert command("run", str(tmp_path), "def", "false").returncode == 1
    assert command("run", str(tmp_path), "def", "no-such-program").returncode == 127


@pytest.mark.parametrize("words", [(), ("run", "a", "b"), ("mark", "a"), ("walk", "a", "b", "c")])
def test_wrong_arguments_are_reported(words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.returncode == 2 and done.stderr.startswith("kit: usage: ") and "Traceback" not in done.stderr


class Api(BaseHTTPRequestHandler):
    """Gives its statuses one after another, the last one for ever."""

    statuses: list[int]
    seen: list[Any]

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], json.loads(body)))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"message": "configmaps is forbidden"}')

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def api(*statuses: int) -> Iterator[tuple[dict[str, str], list[Any]]]:
    class OneApi(Api):
        pass

    OneApi.statuses, OneApi.seen = list(statuses), []
    server = HTTPServer(("127.0.0.1", 0), OneApi)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = str(server.server_address[1])
        yield {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}, OneApi.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mounted account, and no TLS: a cluster's is tested on a cluster."""
    for name, text in (("token", "t0ken\n"), ("namespace", "shop"), ("ca.crt", "")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    without_tls = http.client.HTTPConnection

    def plain(host: str, port: int, timeout: float, context: object) -> http.client.HTTPConnection:
        return without_tls(host, port, timeout=timeout)

    monkeypatch.setattr(http.client, "HTTPSConnection", plain)
    monkeypatch.setattr(release, "_PAUSE_SECONDS", 0)
    return tmp_path


def test_the_key_is_set_in_the_pods_namespace(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api(200) as (environ, seen):
        release.mark("web-before-start", "abc", "image:1", environ, account)
    path = "/api/v1/namespaces/shop/configmaps/web-before-start"
    assert seen == [(path, "Bearer t0ken", "application/merge-patch+json", {"data": {"abc": "image:1"}})]
    out = capsys.readouterr()
    assert "abc is marked" in out.out and "t0ken" not in out.out + out.err


def test_an_api_that_is_overloaded_is_tried_again(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api(503, 429, 500, 200) as (environ, seen):
        release.mark("c", "abc", "i", environ, account, seconds=600)
    assert len(seen) == 4
    assert capsys.readouterr().err.count("trying again") == 3


def test_an_api_that_says_no_ends_it_with_the_reason(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api(403) as (environ, seen), pytest.raises(SystemExit) as ended:
        release.mark("c", "abc", "i", environ, account, seconds=600)
    assert ended.value.code == 2 and len(seen) == 1
    assert "403" in (err := capsys.readouterr().err) and "configmaps is forbidden" in err


def test_an_api_that_never_comes_ends_it_in_the_end(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api(200) as (environ, _):
        pass  # nothing listens there any more
    with pytest.raises(SystemExit):
        release.mark("c", "abc", "i", environ, account, seconds=0)
    assert "cannot be given the key abc" in capsys.readouterr().err
