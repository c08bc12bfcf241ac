"""The request to send to the app: --path and --header, or a whole request in a file, in the words of each load tool."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import KitError


@dataclass(frozen=True)
class Request:
    """One HTTP request; Content-Length is the load tools' own, and Host where none is given."""

    path: str = "/"
    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: str = ""
    host: str | None = None

    def client_words(self) -> list[str]:
        """Options of the kit's own client."""
        words = [f"--method={self.method}", *(f"--header={header}" for header in self.headers)]
        words += [f"--host={self.host}"] if self.host else []
        return [*words, f"--body={self.body}"] if self.body else words

    def wrk_script(self) -> str:
        """A script for wrk; JSON's strings are Lua's as well, once they are ASCII without \\u."""
        lines = [f"wrk.method = {_lua(self.method)}"]
        lines += [f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in map(_pair, self.headers)]
        lines += [f"wrk.headers[{_lua('Host')}] = {_lua(self.host)}"] if self.host else []
        lines += [f"wrk.body = {_lua(self.body)}"] if self.body else []
        return "\n".join(lines)

    def h2load_words(self) -> list[str]:
        """Options of h2load, which takes the method for a header; a body comes from the file BODY."""
        words = [f"--header={header}" for header in self.headers]
        words += [f"--header=:authority: {self.host}"] if self.host else []
        if self.method != ("POST" if self.body else "GET"):
            words.append(f"--header=:method: {self.method}")
        return [*words, "--data=/tmp/body"] if self.body else words


def _lua(text: str) -> str:
    return (
        '"'
        + "".join(f"\\{byte:03d}" if not 32 <= byte < 127 or byte in b'"\\' else chr(byte) for byte in text.encode())
        + '"'
    )


def _pair(header: str) -> tuple[str, str]:
    name, _, value = header.partition(":")
    return name.strip(), value.strip()


def parse_request(text: str, where: str) -> Request:
    """A request as it goes over the wire: request line, headers, an empty line, body. Raises KitError."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.rstrip("\n").split("\n")
    found = re.fullmatch(r"([A-Z]+) (/\S*)( HTTP/1\.[01])?", first.rstrip())
    if not found:
        raise KitError(f"{where}:1: {first[:60]!r} is no request line; write for example: POST /login HTTP/1.1")
    headers, host = checked_headers(lines, where)
    return Request(found[2], found[1], headers, body, host)


def checked_headers(lines: list[str], where: str) -> tuple[tuple[str, ...], str | None]:
    """Headers without those that the tools set by themselves; the Host among them, if any. Raises KitError."""
    kept, host = [], None
    for line in lines:
        name, colon, _ = line.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not line.isprintable():
            raise KitError(f"{where}: {line[:60]!r} is no header; write for example: Authorization: Bearer abc")
        if name.lower() == "host":
            host = _pair(line)[1] or None
        elif name.lower() not in ("content-length", "connection", "transfer-encoding"):
            kept.append(line)
    return tuple(kept), host


def make_request(
    path: str | None,
    headers: tuple[str, ...],
    text: str | None,
    where: str,
    host: str | None = None,
) -> Request:
    """Of the command line: a whole request (``text``, from the file ``where``) or a path, with headers added.

    ``host`` is the one of the profile's probes; a Host on the command line or in the file comes first.
    """
    base = Request() if text is None else parse_request(text, where)
    path = path or base.path
    if not re.fullmatch(r"/[!-~]*", path):
        raise KitError(
            f"--path: {path[:60]!r} is no path; write an absolute URL path in ASCII, for example /items?page=2"
        )
    more, given = checked_headers(list(headers), "--header")
    return Request(path, base.method, (*base.headers, *more), base.body, given or base.host or host)
