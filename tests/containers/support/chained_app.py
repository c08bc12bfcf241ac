"""The app behind a TLS proxy: says what it takes for its own address and for its client's. Runs in every image."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, jsonify, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)


@app.get("/readyz")
@app.get("/healthz")
def ready() -> str:
    return "ok"


@app.get("/seen")
def seen() -> Any:
    """``peer`` is who connected, ``client`` for whom, as one proxy says; ``path`` is all of it that the app sees."""
    return jsonify(
        url=url_for("seen", _external=True),
        scheme=request.scheme,
        peer=request.environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"],
        client=request.remote_addr,
        path=request.script_root + request.path,
    )


@app.get("/sleep")
def sleep() -> str:
    time.sleep(request.args.get("ms", 400, type=int) / 1000)
    return "slept"


@app.get("/folder/")
def folder() -> str:
    """Flask redirects here from /folder."""
    return "folder"


# The client's address only: host and scheme come right without it.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=0)  # type: ignore[method-assign]
