"""What starts the sample app under a server that has no command of its own, and what an ASGI server needs for it.

serve.py freastal|bjoern PORT WORKERS      serve.py alone: microseconds of CPU that Flask takes for `/` with no server
"""

import io
import os
import sys
import time

from flask_server import app

CALLS = 20_000


def bjoern(port: int, workers: int) -> None:
    """Processes that share a listener: bjoern serves one request at a time in each."""
    import bjoern

    bjoern.listen(app, "0.0.0.0", port, listen_backlog=4096)
    for _ in range(workers - 1):
        if not os.fork():
            break
    bjoern.run()


def freastal(port: int, workers: int) -> None:
    import freastal

    freastal.serve(app, host="0.0.0.0", port=port, workers=workers)


def alone() -> float:
    """Flask itself: the WSGI call and its body, without parsing and sending."""
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
    }  # fmt: skip
    before = time.process_time()
    for _ in range(CALLS):
        b"".join(app(dict(environ), lambda status, headers, exc_info=None: None))
    return 1e6 * (time.process_time() - before) / CALLS


def __getattr__(name: str) -> object:
    if name != "asgi":
        raise AttributeError(name)
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(app, workers=int(os.environ["THREADS"]))


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    if what == "alone":
        print(alone())
    else:
        {"bjoern": bjoern, "freastal": freastal}[what](*map(int, numbers))
