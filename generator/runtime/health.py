"""``python -P -m kit_runtime.health PORT TIMEOUT [PATH]``: HEALTHCHECK without curl; exit code 0 when healthy.

With a path: GET must answer 2xx or 3xx in time. Without one: a TCP connect, since an app may have no such page.
"""

from __future__ import annotations

import socket
import sys
from time import monotonic


def healthy(port: int, timeout: float, path: str | None = None) -> bool:
    """Ask 127.0.0.1; ``timeout`` in seconds bounds the whole exchange, not each read."""
    deadline = monotonic() + timeout
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            if path is None:
                return True
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: kit-health\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b""
            while b"\r\n" not in answer and len(answer) < 4096:
                connection.settimeout(max(0.001, deadline - monotonic()))
                received = connection.recv(4096)
                if not received:
                    break
                answer += received
    except OSError:
        return False
    status = answer.partition(b"\r\n")[0].split(b" ")
    return len(status) >= 2 and status[1][:1] in (b"2", b"3")


if __name__ == "__main__":
    sys.exit(0 if healthy(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:4]) else 1)
