"""The sample app: what the kit bakes in and probes until a profile names your own. `python flask_server.py` works."""

import hashlib
import os
import socket
import sys
import threading
import time

from flask import Flask, Response, jsonify, request

app = Flask(__name__)

#: Made at import: under gevent it must be gevent's lock, or the first wait on it stops every connection.
_LOCK = threading.Lock()
#: host:port of something that answers any request line after that many milliseconds; see /io.
_UPSTREAM = os.environ.get("UPSTREAM", "127.0.0.1:9000")


@app.get("/")
def hello():
    return "hello"


@app.get("/healthz")
def healthz():
    """Alive: answers without asking anything else, so that a slow backend never restarts the app."""
    return "ok"


@app.get("/readyz")
def readyz():
    """Ready to be sent requests. A real app would ask here for what it cannot work without."""
    return "ok"


@app.get("/info")
def info():
    """Who answers, and whether the standard library was patched before this module was imported."""
    lock = type(_LOCK)
    return jsonify(
        pid=os.getpid(),
        parent_pid=os.getppid(),
        server=request.environ.get("SERVER_SOFTWARE"),
        worker_class=_worker_class(),
        patched=_patched(),
        lock=f"{lock.__module__}.{lock.__qualname__}",
        remote_addr=request.remote_addr,
        scheme=request.scheme,
        uid=os.getuid(),
        environment={key: value for key, value in os.environ.items() if key.startswith("SAMPLE_")},
    )


def _patched():
    """Modules of the standard library that gevent or eventlet has made cooperative."""
    names = ("socket", "ssl", "threading", "time", "subprocess", "select")
    if monkey := sys.modules.get("gevent.monkey"):
        return [name for name in names if monkey.is_module_patched(name)]
    if patcher := sys.modules.get("eventlet.patcher"):
        return [name for name in names if patcher.is_monkey_patched(name.replace("threading", "thread"))]
    return []


def _worker_class():
    """The class of the server's worker, found on the stack of this very request; None outside gunicorn."""
    frame = sys._getframe()
    while frame is not None:
        worker = frame.f_locals.get("self")
        if worker is not None and hasattr(worker, "cfg") and hasattr(worker, "notify"):
            return f"{type(worker).__module__}.{type(worker).__qualname__}"
        frame = frame.f_back
    return None


@app.get("/io")
def io():
    """Wait for a real socket, as for a database: the upstream answers after ?ms= milliseconds."""
    milliseconds = request.args.get("ms", 50, type=int)
    host, _, port = _UPSTREAM.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"{milliseconds}\n".encode())
        answer = connection.recv(64)
    return Response(answer, mimetype="text/plain")


@app.get("/cpu")
def cpu():
    """Burn ?ms= milliseconds of CPU."""
    milliseconds = request.args.get("ms", 5, type=int)
    end = time.thread_time() + milliseconds / 1000
    rounds = 0
    while time.thread_time() < end:
        hashlib.sha256(b"x" * 1024).digest()
        rounds += 1
    return str(rounds)


@app.get("/sleep")
def sleep():
    """Take ?ms= milliseconds to answer."""
    time.sleep(request.args.get("ms", 1000, type=int) / 1000)
    return "slept"


@app.get("/hang")
def hang():
    """Block the whole worker for ?ms= milliseconds, as a C call that never lets go would."""
    end = time.monotonic() + request.args.get("ms", 1000, type=int) / 1000
    while time.monotonic() < end:
        pass
    return "hung"


@app.get("/bytes")
def some_bytes():
    """A body of ?n= bytes."""
    return Response(b"x" * request.args.get("n", 1024, type=int), mimetype="application/octet-stream")


@app.get("/json")
def some_json():
    """About 1 KB of JSON, as a small API answer."""
    return jsonify(items=[{"id": number, "name": f"item {number}", "price": number * 1.5} for number in range(20)])


@app.get("/headers")
def headers():
    return jsonify(dict(request.headers.items()))


@app.post("/echo")
def echo():
    """The length and hash of what was sent."""
    body = request.get_data()
    return jsonify(length=len(body), sha256=hashlib.sha256(body).hexdigest())


if __name__ == "__main__":
    app.run()
