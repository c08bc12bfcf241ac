"""Takes files and gives one of any size, without holding either in memory. Runs in every image with Flask."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
MIB = 1024 * 1024


def blocks(count: int) -> Iterator[bytes]:
    """So many blocks of 1 MiB, each another one, the same each time; the tests know the hash of all of them."""
    for number in range(count):
        yield random.Random(number).randbytes(MIB)


@app.get("/readyz")
def ready() -> str:
    return "ok"


@app.post("/upload")
def upload() -> Any:
    """Length and hash of the file in the form, and where Werkzeug has put it: a number is a file of /tmp."""
    stream = request.files["file"].stream
    number, digest, length = stream.fileno(), hashlib.sha256(), 0
    where = Path(f"/proc/self/fd/{number}").readlink()
    while block := stream.read(MIB):
        digest.update(block)
        length += len(block)
    return jsonify(length=length, sha256=digest.hexdigest(), where=str(where))


@app.get("/download")
def download() -> Response:
    """?mib= of them."""
    count = request.args.get("mib", 1, type=int)
    return Response(blocks(count), headers={"Content-Length": str(count * MIB)})


@app.get("/slow")
def slow() -> str:
    """After ?s= seconds."""
    time.sleep(request.args.get("s", 1, type=float))
    return "slow"
