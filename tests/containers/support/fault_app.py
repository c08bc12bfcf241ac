"""The app of the fault table: it does to its own worker what goes wrong in production."""

import os
import socket
import time
from pathlib import Path

from flask import Flask, request

VERSION = "one"
FULL = Path("/tmp/full")
app = Flask(__name__)


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
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        time.sleep(1)
    for descriptor in taken:
        os.close(descriptor)
    return str(len(taken))


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
