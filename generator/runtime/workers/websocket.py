"""Requests that may become a WebSocket: libraries read and write the connection itself (environ["gunicorn.socket"])."""

from typing import Any

from gunicorn.http.body import LengthReader


def wanted(request: Any) -> bool:
    """Whether the app may answer by a WebSocket; one with a body may not, or a slow one would have no limit."""
    reader = request.body.reader
    asked = any(name == "UPGRADE" and value.lower() == "websocket" for name, value in request.headers)
    return asked and isinstance(reader, LengthReader) and reader.length == 0
