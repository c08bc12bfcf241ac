"""Proof that this meinheld fits this greenlet, run where it was built: a body too large for
the socket's buffers is read slowly, and must arrive whole while the server idles.

Built against another greenlet's header, the server spins at 100 % CPU instead of waiting,
and ends the body with an error page. Exits 0 or 1, in about 8 s; on a busy machine a minute may pass.
"""

import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from meinheld import server

BODY_BYTES = 20 * 1024 * 1024
READ_SECONDS = 4.0
LIMIT_SECONDS = 60
CPU_SHARE = 0.20
PIECE = 64 * 1024
EXPECTED = hashlib.sha256(bytes(range(256)) * (BODY_BYTES // 256)).hexdigest()


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", str(BODY_BYTES))])
    return pieces()


def pieces() -> Iterator[bytes]:
    """All but the last byte as one piece nobody else holds, as a generator's output is."""
    yield (bytes(range(256)) * (BODY_BYTES // 256))[:-1]
    yield b"\xff"


def serve(listener: socket.socket) -> None:
    signal.alarm(LIMIT_SECONDS)  # whatever happens to the parent
    server.set_access_logger(None)
    server.set_keepalive(5)
    server.set_listen_socket([listener.fileno()])
    server.run(app)


def request(connection: socket.socket) -> tuple[str, bool]:
    """The body's hash, read over READ_SECONDS, and whether nothing follows it."""
    connection.settimeout(LIMIT_SECONDS)  # the request before has left its 0.2 s
    connection.sendall(b"GET / HTTP/1.1\r\nHost: proof\r\n\r\n")
    with connection.makefile("rb") as stream:
        while stream.readline().strip():
            pass
        digest = hashlib.sha256()
        left, began = BODY_BYTES, time.monotonic()
        while left:
            data = stream.read(min(PIECE, left))
            if not data:
                break
            digest.update(data)
            left -= len(data)
            ahead = (BODY_BYTES - left) / BODY_BYTES * READ_SECONDS - (time.monotonic() - began)
            time.sleep(max(0.0, ahead))
    connection.settimeout(0.2)
    try:
        return digest.hexdigest(), connection.recv(1) == b""
    except TimeoutError:  # kept alive and silent
        return digest.hexdigest(), True


def main() -> int:
    signal.alarm(LIMIT_SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        child = os.fork()
        if child == 0:
            serve(listener)
            os._exit(0)
    try:
        began = time.monotonic()
        with socket.create_connection(address, timeout=LIMIT_SECONDS) as connection:
            # Twice: the second response is the one of a kept-alive connection.
            responses = [request(connection) for _ in range(2)]
        elapsed = time.monotonic() - began
    finally:
        os.kill(child, signal.SIGKILL)
        usage = os.wait4(child, 0)[2]
    share = (usage.ru_utime + usage.ru_stime) / elapsed
    right = all(response == (EXPECTED, True) for response in responses)
    print(
        f"meinheld: 2 x {BODY_BYTES} bytes read in {elapsed:.1f} s, "
        f"{'right' if right else 'WRONG'}, {share:.0%} CPU (limit {CPU_SHARE:.0%})"
    )
    return 0 if right and share < CPU_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
