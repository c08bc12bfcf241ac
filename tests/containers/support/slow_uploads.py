"""Uploads that never end, and what others get meanwhile, as JSON: PORT SIZE COUNT REFUSED [ADDRESS].

Runs alone, beside the proxy, which believes the loopback: so they come from ADDRESS, or from the loopback itself,
which stands for many clients.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import select
import socket
import sys
import time

PATIENCE_SECONDS = 60
BLOCK = b"x" * 1024 * 1024
OTHER = {"X-Forwarded-For": "198.51.100.7"}


def start(port: int, size: int, name: str | None) -> socket.socket:
    """The head and one byte of a body."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    header = f"X-Forwarded-For: {name}\r\n" if name else ""
    connection.sendall(f"POST /echo HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {size}\r\n\r\nx".encode())
    return connection


def statuses(connections: list[socket.socket], minimum: int) -> dict[socket.socket, int]:
    """Of those that have a response, once there are so many."""
    found: dict[socket.socket, int] = {}
    end = time.monotonic() + PATIENCE_SECONDS
    while len(found) < minimum and time.monotonic() < end:
        for one in select.select([one for one in connections if one not in found], [], [], 0.2)[0]:
            found[one] = int(one.recv(4096).split(b" ")[1])
    return found


def fill(connections: list[socket.socket], size: int) -> list[int]:
    """Send all but the last byte, to each the same at a time; statuses of those that the proxy gave up."""
    given_up = []
    left = dict.fromkeys(connections, size - 2)
    while left:
        for one, bytes_left in list(left.items()):
            if select.select([one], [], [], 0)[0]:
                given_up.append(int(one.recv(4096).split(b" ")[1]))
                del left[one]
                continue
            one.sendall(BLOCK[:bytes_left])
            left[one] = bytes_left - len(BLOCK[:bytes_left])
            if not left[one]:
                del left[one]
    return given_up


def request(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Somebody else's request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.request(method, path, body=body, headers=OTHER)
    response = connection.getresponse()
    return response.status, response.read()


def main(port: int, size: int, count: int, refused: int, name: str | None = None) -> None:
    """Of so many uploads ``refused`` are refused at once."""
    connections = [start(port, size, name) for _ in range(count)]
    found = statuses(connections, refused) if refused else {}
    given_up = fill([one for one in connections if one not in found], size)
    status, response = request(port, "GET", "/bytes?n=2000000")

    body = b"y" * 1_000_000
    upload, echoed = request(port, "POST", "/echo", body)
    whole = upload == 200 and json.loads(echoed)["sha256"] == hashlib.sha256(body).hexdigest()
    print(
        json.dumps(
            {
                "refused": sorted(found.values()),
                "given_up": sorted(given_up),
                "response": [status, len(response)],
                "upload": [upload, whole],
            }
        )
    )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:5]]
    main(given[0], given[1], given[2], given[3], sys.argv[5] if sys.argv[5:] else None)
