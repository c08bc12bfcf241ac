"""WebSockets by flask-sock and Flask-SocketIO, and server-sent events; runs in every image and on started servers."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response
from flask_sock import Sock
from flask_socketio import SocketIO, emit

app = Flask(__name__)
sock = Sock(app)
#: By itself it takes gevent where that is installed, whatever the server.
socketio = SocketIO(app, async_mode=os.environ.get("SOCKETIO_MODE"))
RELEASED = Path(tempfile.gettempdir())
PATIENCE = 60.0


@app.get("/")
@app.get("/readyz")
@app.get("/healthz")
def ready() -> str:
    return "ok"


@sock.route("/echo")  # type: ignore[untyped-decorator, unused-ignore]
def echo(ws: Any) -> None:
    """Say the same, until one that is `bye`."""
    while (message := ws.receive()) != "bye":
        ws.send(message)


@sock.route("/together")  # type: ignore[untyped-decorator, unused-ignore]
def together(ws: Any) -> None:
    """Eight messages at once, each of one letter and of more than a connection takes at a time."""
    ws.receive()
    senders = [threading.Thread(target=ws.send, args=(bytes([letter]) * 3_000_000,)) for letter in b"abcdefgh"]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


@socketio.on("say")  # type: ignore[untyped-decorator, unused-ignore]
def say(text: str) -> None:
    emit("line", text, broadcast=True)


@app.get("/events/<name>")
def stream(name: str) -> Response:
    """Two events, the second when somebody has released it."""

    def events() -> Iterator[str]:
        yield "data: first\n\n"
        end = time.monotonic() + PATIENCE
        while not (RELEASED / name).exists():
            if time.monotonic() > end:
                return
            time.sleep(0.05)
        yield "data: last\n\n"

    return Response(events(), mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


@app.get("/release/<name>")
def release(name: str) -> str:
    (RELEASED / name).touch()
    return "released"
