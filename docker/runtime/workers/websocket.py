"""Requests that may become a WebSocket: libraries read and write the connection itself (environ["gunicorn.socket"])."""

from typing import Any

from gunicorn.http.body import LengthReader


def is_handshake(request: Any) -> bool:
    """Whether the app may respond with a WebSocket; not if there is a body: a slow one would have no limit."""
    reader = request.body.reader
    upgrade = any(name == "UPGRADE" and value.lower() == "websocket" for name, value in request.headers)
    return upgrade and isinstance(reader, LengthReader) and reader.length == 0
