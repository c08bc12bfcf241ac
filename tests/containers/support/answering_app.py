"""The app behind tests/responses.py: a response in the way that its path says. Runs in every image."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

BODY = b"0123456789"
#: What a server alone can know of its connection.
HOP_BY_HOP = [("Transfer-Encoding", "chunked"), ("Connection", "close"), ("Keep-Alive", "timeout=5")]


def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """``/answer/HOW/LENGTH/STATUS``; no Content-Length where LENGTH is ``none``."""
    how, length, status = environ["PATH_INFO"].split("/")[2:]
    if how == "raise":
        raise ValueError("on purpose")
    if how in FAILING:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return FAILING[how]()
    headers = [("Content-Type", "text/plain")] + ([("Content-Length", length)] if length != "none" else [])
    headers += HOP_BY_HOP * (how == "hop")
    if how == "lazy":
        return lazily(start_response, status, headers)
    write = start_response(f"{status} As Asked", headers)
    return WAYS[how](write, environ["wsgi.file_wrapper"])


def lazily(start_response: Callable[..., Any], status: str, headers: list[tuple[str, str]]) -> Iterator[bytes]:
    """An app that is a generator begins its response with the first piece."""
    start_response(f"{status} As Asked", headers)
    yield BODY[:6]
    yield BODY[6:]


def written(write: Callable[[bytes], Any], rest: list[bytes], *pieces: bytes) -> list[bytes]:
    """Sends the pieces by write(); the rest is what the app returns."""
    for piece in pieces:
        write(piece)
    return rest


def file(before: bytes) -> Any:
    with tempfile.NamedTemporaryFile() as whole:
        whole.write(before + BODY)
        whole.flush()
        opened = Path(whole.name).open("rb")  # noqa: SIM115 - the server closes it
    opened.seek(len(before))
    return opened


def raised() -> list[bytes]:
    raise ValueError("on purpose")


def raising() -> Iterator[bytes]:
    yield b""
    raise ValueError("on purpose")


#: What fails after start_response and before a byte of the body.
FAILING: dict[str, Callable[[], Iterable[Any]]] = {
    "call": raised,
    "first": raising,
    "bytearray": lambda: iter([bytearray(BODY)]),  # as a real view did: PEP 3333 has bytes alone
}
#: What the app returns, of write() and wsgi.file_wrapper.
WAYS: dict[str, Callable[[Any, Any], Iterable[bytes]]] = {
    "list": lambda _write, _wrap: [BODY],
    "hop": lambda _write, _wrap: [BODY],
    "pieces": lambda _write, _wrap: [b"", BODY[:3], b"", BODY[3:], b""],
    "generator": lambda _write, _wrap: (BODY[at : at + 2] for at in range(0, len(BODY), 2)),
    "lazy": lambda _write, _wrap: [],  # by itself, above
    "nothing": lambda _write, _wrap: [],
    "write": lambda write, _wrap: written(write, [], BODY[:6], b"", BODY[6:]),
    "both": lambda write, _wrap: written(write, [BODY[6:]], BODY[:6]),
    "memory": lambda _write, wrap: wrap(io.BytesIO(BODY)),
    "file": lambda _write, wrap: wrap(file(b"")),
    "middle": lambda _write, wrap: wrap(file(b"before")),
}
