"""Where a response ends, for the responses of every gunicorn."""

from __future__ import annotations

import os
from typing import Any

from gunicorn.http import wsgi


def is_length(text: str) -> bool:
    """Whether a Content-Length is digits alone; more than 15 of them are gunicorn's to judge."""
    return text.isascii() and text.isdigit() and len(text) < 16


class Framed(wsgi.Response):  # type: ignore[misc]
    """Ends the connection behind a body that is shorter than its Content-Length.

    Stock keeps it alive, and the client takes the next response for the rest of this one. A header that no body follows
    is as gunicorn 27 makes it, also where the profile has an older one.
    """

    req: Any
    status_code: int | None
    headers: list[tuple[str, str]]
    response_length: int | None
    chunked: bool
    sent: int

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        write = super().start_response(status, headers, exc_info)
        if self.bodiless:
            self.chunked = False
            code = self.status_code
            if code == 204 or (code is not None and code < 200):  # RFC 9110, 8.6
                self.headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
                self.response_length = None
        return write

    @property
    def bodiless(self) -> bool:
        """Whether no body may follow the header, as gunicorn 27 has it."""
        code = self.status_code
        return bool(self.req.method == "HEAD" or code in (204, 304) or (code is not None and code < 200))

    def is_short(self) -> bool:
        return self.response_length is not None and self.sent < self.response_length and not self.bodiless

    def sendfile(self, respiter: Any) -> bool:
        """Stock does not count what the kernel sends. It leaves the file where it stood."""
        if not super().sendfile(respiter):
            return False
        if not self.bodiless:
            number = respiter.filelike.fileno()
            left = max(0, os.fstat(number).st_size - os.lseek(number, 0, os.SEEK_CUR))
            self.sent = left if self.response_length is None else min(left, self.response_length)
        return True

    def close(self) -> None:
        super().close()
        if self.is_short():
            self.force_close()
