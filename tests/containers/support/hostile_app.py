"""The app behind the hostile tests: says in a header of its response what request it saw. Runs in every image."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from typing import Any

#: What a server may add or write its own way: the connection, and what only its own process knows.
_OWN = ("REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "SERVER_SOFTWARE", "GATEWAY_INTERFACE", "RAW_URI")


#: What an app may take over from a client without a look at it.
FORGED = "200 OK\r\nX-Forged: 1"


def core(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """What a request asks for, in whichever words it came: equal for two servers that read the same request."""
    # QUERY_STRING may be absent where it is empty (PEP 3333).
    seen = {name: environ.get(name) or "" for name in ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")}
    return {**seen, "scheme": environ["wsgi.url_scheme"], "body": hashlib.sha256(body).hexdigest()}


def whole(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """All that the app is told of the request."""
    headers = {name: value for name, value in environ.items() if "." not in name and name not in _OWN}
    return {**core(environ, body), **headers}


def digest(seen: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:20]


def target(environ: dict[str, Any]) -> str:
    """Method and path, for who reads the outcome."""
    return f"{environ['REQUEST_METHOD'][:20]} {environ['PATH_INFO'][:60]}"


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    if environ["PATH_INFO"].startswith("/answer/"):
        return importlib.import_module("answering_app").respond(environ, start_response)  # beside it in the image
    if environ["PATH_INFO"] == "/forge":
        start_response(FORGED, [("Content-Length", "2")])
        return [b"ok"]
    body = environ["wsgi.input"].read()
    line = target(environ).encode("latin-1").hex()
    seen = f"{digest(core(environ, body))}-{digest(whole(environ, body))}-{line}"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2"), ("X-Seen", seen)])
    return [b"ok"]
