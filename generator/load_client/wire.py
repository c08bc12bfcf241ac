"""HTTP/1.1 as the load client needs it: the bytes of a request, and when a response is whole."""

from __future__ import annotations


class BadResponse(Exception):
    """What came is not an HTTP/1.1 response."""


def request_bytes(
    method: str,
    path: str,
    host: str,
    headers: list[str] | None = None,
    body: bytes = b"",
    close: bool = False,
) -> bytes:
    """One whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(headers or [])]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Response:
    """Fed with what arrives; says when the response is whole."""

    __slots__ = ("buffer", "chunked", "closes", "has_body", "need", "status")

    def __init__(self, has_body: bool = True) -> None:
        self.has_body = has_body  # false for HEAD
        self.clear()

    def clear(self) -> None:
        self.buffer = b""
        self.status = 0  # 0 until the header has come
        self.closes = False  # the server said Connection: close
        self.chunked = False
        self.need: int | None = None  # body bytes that are still to come; None: until the server closes

    def feed(self, data: bytes) -> bool:
        """Take what arrived; true when the response is whole (what follows it is an error)."""
        self.buffer += data
        if not self.status and not self._header():
            return False
        if self.chunked:
            self._chunks()
        elif self.need is not None:
            size = min(self.need, len(self.buffer))
            self.need -= size
            self.buffer = self.buffer[size:]
        else:
            self.buffer = b""
        if self.need != 0:
            return False
        if self.buffer:
            raise BadResponse("bytes after the response")
        return True

    def ended(self) -> bool:
        """The server closed: true if that is how this response ends."""
        return bool(self.status) and self.need is None and not self.chunked

    def _header(self) -> bool:
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            if len(self.buffer) > 65536:
                raise BadResponse("header over 64 KiB")
            return False
        if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
            raise BadResponse("no status line")
        self.buffer = rest
        status = int(head[9:12])
        if status < 200:  # an interim response: the real one follows
            return self._header()
        self.status = status
        fields = head.lower()
        self.closes = b"\r\nconnection: close" in fields or head.startswith(b"HTTP/1.0")
        if not self.has_body or status in (204, 304):
            self.need = 0
        elif b"\r\ntransfer-encoding: chunked" in fields:
            self.chunked = True
        else:
            at = fields.find(b"\r\ncontent-length:")
            if at >= 0:
                try:
                    self.need = int(fields[at + 17 :].split(b"\r\n", 1)[0])
                except ValueError:
                    raise BadResponse("content-length is no number") from None
        return True

    def _chunks(self) -> None:
        while True:
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            try:
                size = int(line.split(b";", 1)[0], 16)
            except ValueError:
                raise BadResponse("chunk size is no number") from None
            if len(rest) < size + 2:
                return
            self.buffer = rest[size + 2 :]
            if size == 0:  # trailers are not expected from these servers
                self.need = 0
                return
