"""The app of the fault table: it does to its own worker what goes wrong in production."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

VERSION = "one"
FULL = Path("/tmp/full")
app = Flask(__name__)
flask_app = app.wsgi_app


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Flask makes a page of what a view raises; what lies around it, as a middleware, is for the server to report."""
    _, word, where, kind = f"{environ['PATH_INFO']}///".split("/")[:4]
    if word != "raise":
        return flask_app(environ, start_response)
    sentence = f"on purpose: {where}/{kind}"
    error = ConnectionResetError(104, sentence) if kind == "reset" else FileNotFoundError(2, sentence)
    if where == "call":
        raise error
    start_response("200 OK", [])
    return raises(error)


def raises(error: OSError) -> Iterator[bytes]:
    """Before its first piece."""
    yield from ()
    raise error


app.wsgi_app = wsgi_app  # type: ignore[method-assign]


@app.get("/")
@app.get("/healthz")
@app.get("/readyz")
def index() -> str:
    return VERSION


@app.get("/sleep")
def sleep() -> str:
    time.sleep(int(request.args["ms"]) / 1000)
    return "slept"


@app.get("/held")
def held() -> str:
    """Begins once /tmp/go is there."""
    while not Path("/tmp/go").exists():
        time.sleep(0.02)
    return sleep()


@app.get("/spin")
def spin() -> str:
    """Computes without a pause: no other request of this loop, or little of its thread's, goes on."""
    end = time.monotonic() + int(request.args["ms"]) / 1000
    while time.monotonic() < end:
        pass
    return "spun"


@app.get("/grow")
def grow() -> str:
    """Takes memory until the kernel ends it."""
    held = []
    while True:
        held.append(os.urandom(1 << 20))


@app.get("/descriptors")
def descriptors() -> str:
    """Takes all that are left, for a moment."""
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        time.sleep(1)
    for descriptor in opened:
        os.close(descriptor)
    return str(len(opened))


@app.get("/fill")
def fill() -> str:
    try:
        with FULL.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        return str(error.strerror)


@app.get("/empty")
def empty() -> str:
    FULL.unlink()
    return "emptied"


@app.get("/large")
def large() -> Response:
    """30 MB, more than the kernels keep between server and client."""
    return Response(b"x" * 100_000 for _ in range(300))


@app.post("/upload")
def upload() -> str:
    """Werkzeug keeps what is larger than 500 kB in /tmp."""
    return str(len(request.files["file"].read()))


@app.post("/body")
def body() -> str:
    return str(len(request.get_data()))


@app.get("/backend")
def backend() -> tuple[str, int]:
    try:
        socket.create_connection(("127.0.0.1", 9), 2).close()
    except OSError as error:
        return str(error), 502
    return "it lives", 200
