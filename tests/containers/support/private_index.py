"""A package index that wants a password, for the time of a test."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.containers.support.loopback import served


@contextmanager
def private_index(folder: Path, password: str) -> Iterator[int]:
    """An index of one package, on this machine's loopback, for who knows the password; its port."""
    name = "kit_private-1.0-py3-none-any.whl"
    folder.mkdir()
    info = "kit_private-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("kit_private.py", "FROM = 'the private index'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: kit-private\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*wheel.namelist(), f"{info}/RECORD"]))
    wanted = "Basic " + base64.b64encode(f"user:{password}".encode()).decode()

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = {
                "/simple/kit-private/": f'<a href="/{name}">{name}</a>'.encode(),
                f"/{name}": (folder / name).read_bytes(),
            }
            known, body = self.headers["Authorization"] == wanted, page.get(self.path)
            self.send_response(401 if not known else 404 if body is None else 200)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"" if known else b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"" if known else b"")

        def do_HEAD(self) -> None:
            self.do_GET()  # uv asks whether it can have a part

        def log_message(self, *_: Any) -> None:
            pass

    with served(Index) as port:
        yield port
