"""A steady, bounded load on one address that counts what a client would call a failure; runs alone, in a pod.

``steady.py HOST:PORT``: --keep requests a second over connections that stay open until the server closes them, --fresh
ones each over a new connection, --slow ones to /sleep?ms=3000; --tls encrypts all. Ends after --seconds, which
SIGTERM cuts short, and --at-least requests. Standard library only. Prints one JSON object: sent, failed, and for each
kind of request sent, ok, failed by cause, closed_idle.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import select
import signal
import ssl
import time
from dataclasses import dataclass, field
from typing import Any


class Failed(Exception):
    """What a client would have to report to its user."""


@dataclass
class Tally:
    """One kind of request."""

    sent: int = 0
    ok: int = 0
    failed: collections.Counter[str] = field(default_factory=collections.Counter)
    #: Connections that the server closed while they were idle, and those it said it would close.
    closed_idle: int = 0
    closed_by_header: int = 0


@dataclass(frozen=True)
class Request:
    """What is sent, but for the path."""

    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: str = ""
    host: str = "kit"

    def text(self, path: str, close: bool) -> bytes:
        """The whole request; with ``close`` the request tells the server to close the connection after its response."""
        lines = [f"{self.method} {path} HTTP/1.1", f"Host: {self.host}", *self.headers]
        if close:
            lines.append("Connection: close")
        body = self.body.encode()
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


class Connection:
    """A client's connection, opened when it is first needed and whenever it has been closed."""

    def __init__(
        self, host: str, port: int, timeout: float, request: Request, tls: ssl.SSLContext | None = None
    ) -> None:
        self.host, self.port, self.timeout, self.request, self.tls = host, port, timeout, request, tls
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.used = 0

    def gone(self) -> bool:
        """Whether the server has closed it: looks at the socket itself, as urllib3 does before it uses one again."""
        if self.reader is None or self.writer is None:
            return True
        readable = select.select([self.writer.get_extra_info("socket").fileno()], [], [], 0)[0]
        return self.used > 0 and (bool(readable) or self.reader.at_eof())

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def open(self) -> None:
        try:
            opening = asyncio.open_connection(self.host, self.port, ssl=self.tls)
            self.reader, self.writer = await asyncio.wait_for(opening, self.timeout)
        except TimeoutError:
            raise Failed("connect timed out") from None
        except OSError as error:
            raise Failed(f"connect: {type(error).__name__}") from None
        self.used = 0

    async def send(self, path: str, close: bool) -> bool:
        """Whether the server will keep the connection. Raises Failed for all but a whole response below 400."""
        assert self.reader is not None and self.writer is not None
        state = "reused" if self.used else "fresh"
        self.used += 1
        received = b""
        try:
            self.writer.write(self.request.text(path, close))
            received = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), self.timeout)
            lines = received.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            status = lines[0].split(" ")[1]
            if self.request.method != "HEAD" and status not in ("204", "304"):
                await asyncio.wait_for(self.body(headers), self.timeout)
        except TimeoutError:
            raise Failed(f"{state}: no response within {self.timeout:g} s") from None
        except asyncio.IncompleteReadError as error:
            where = "within" if received or error.partial else "before"
            raise Failed(f"{state}: closed {where} the response") from None
        except OSError as error:
            raise Failed(f"{state}: {type(error).__name__}") from None
        if status >= "400":
            raise Failed(f"{state}: status {status}")
        return headers.get("connection", "").lower() != "close"

    async def body(self, headers: dict[str, str]) -> None:
        """Read the rest of a response; IncompleteReadError if it ends too early."""
        assert self.reader is not None
        if "chunked" in headers.get("transfer-encoding", "").lower():
            size = 1
            while size:
                size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
                await self.reader.readexactly(size + 2)
        elif "content-length" in headers:
            await self.reader.readexactly(int(headers["content-length"]))
        else:
            await self.reader.read()


class Load:
    """All clients, and what became of their requests."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        host, _, port = arguments.address.partition(":")
        self.host, self.port = host, int(port or 80)
        self.request = Request(arguments.method, tuple(arguments.header), arguments.body, arguments.host)
        self.tls = unchecked() if arguments.tls else None
        self.tallies: dict[str, Tally] = collections.defaultdict(Tally)
        self.end = self.latest = 0.0
        self.stopped = False

    def connection(self, timeout: float) -> Connection:
        return Connection(self.host, self.port, timeout, self.request, self.tls)

    def stop(self) -> None:
        """--seconds are over."""
        self.stopped = True

    def going_on(self) -> bool:
        now, sent = time.monotonic(), sum(tally.sent for tally in self.tallies.values())
        return (now < self.end and not self.stopped) or bool(sent < self.arguments.at_least and now < self.latest)

    async def one(self, kind: str, connection: Connection, path: str, close: bool) -> None:
        tally = self.tallies[kind]
        tally.sent += 1
        try:
            if connection.gone():
                tally.closed_idle += connection.reader is not None
                connection.close()
                await connection.open()
            keeps = await connection.send(path, close)
            tally.ok += 1
            if close or not keeps:
                tally.closed_by_header += not close
                connection.close()
        except Failed as error:
            tally.failed[str(error)] += 1
            connection.close()

    async def keep(self, index: int) -> None:
        """One client with one connection; all of them together give the rate."""
        connection = self.connection(self.arguments.timeout)
        interval = self.arguments.connections / self.arguments.keep
        due = time.monotonic() + interval * index / self.arguments.connections
        while self.going_on():
            await asyncio.sleep(max(0, due - time.monotonic()))
            await self.one("keep", connection, self.arguments.path, False)
            due += interval
        connection.close()

    async def each(self, kind: str, rate: float, path: str, timeout: float) -> None:
        """Requests at a rate whatever becomes of the earlier ones, each over a connection of its own."""
        running: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while self.going_on():
            await asyncio.sleep(max(0, due - time.monotonic()))
            connection = self.connection(timeout)
            task = asyncio.create_task(self.one(kind, connection, path, True))
            running.add(task)
            task.add_done_callback(running.discard)
            due += 1 / rate
        if running:
            await asyncio.wait(running)

    async def first_connection(self) -> None:
        """Try for up to --wait seconds: where policies are enforced, a new pod's address is not known at once."""
        end = time.monotonic() + self.arguments.wait
        while time.monotonic() < end:
            connection = self.connection(2)
            with contextlib.suppress(Failed):
                await connection.open()
                connection.close()
                return
            await asyncio.sleep(0.2)

    async def run(self) -> dict[str, Any]:
        options = self.arguments
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop)
        await self.first_connection()
        now = time.monotonic()
        self.end, self.latest = now + options.seconds, now + 5 * options.seconds
        clients = [self.keep(index) for index in range(options.connections if options.keep else 0)]
        if options.fresh:
            clients.append(self.each("fresh", options.fresh, options.path, options.timeout))
        if options.slow:
            clients.append(self.each("slow", options.slow, "/sleep?ms=3000", options.timeout + 3))
        await asyncio.gather(*clients)
        return {
            "sent": sum(tally.sent for tally in self.tallies.values()),
            "failed": sum(tally.failed.total() for tally in self.tallies.values()),
            "kinds": {kind: vars(tally) for kind, tally in sorted(self.tallies.items())},
        }


def unchecked() -> ssl.SSLContext:
    """TLS with whatever certificate the address has: it is the load that matters, not who is at the other end."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def options() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--path", default="/")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    parser.add_argument("--host", default=Request.host)
    parser.add_argument("--body", default="")
    parser.add_argument("--tls", action="store_true")
    defaults = {"seconds": 40, "at-least": 5000, "keep": 75, "fresh": 75, "slow": 1, "timeout": 30, "wait": 0}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=float, default=default)
    return parser


def main() -> None:
    """Run the load, print what became of it."""
    print(json.dumps(asyncio.run(Load(options().parse_args()).run())))


if __name__ == "__main__":
    main()
