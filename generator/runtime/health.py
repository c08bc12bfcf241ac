"""``python -P -m kit_runtime.health``: what probes and HEALTHCHECK run, without curl; exit code 0 when healthy.

``ready PORT SECONDS HUNG [PATH [HOST]]``: whether requests may be sent here. GET must give 2xx or 3xx; without a path a
TCP connect is enough, since an app may have no such page. A server that gives no response within SECONDS is busy or
hangs: busy, and still ready, if one of its workers has beaten within HUNG seconds. Pods that are all busy must not all
be taken out of the Service at once. Where the environment has another PORT, the server listens on that, and this asks
there.

``master SECONDS``: whether the master, which replaces hung workers, has itself looked at them within SECONDS. It asks
no worker, so that load alone restarts no container.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

from .master_heartbeat import PATH, ages


def ready(
    port: int, seconds: float, hung: float, path: str | None = None, host: str = "localhost", heartbeat: str = PATH
) -> bool:
    """Ask 127.0.0.1 for ``host``; ``seconds`` bounds the whole exchange, not each read."""
    status = _status(port, seconds, path, host)
    if status is None:
        return False
    if status:
        return status[:1] in (b"2", b"3")
    found = ages(heartbeat)
    # Without a heartbeat, as in Flask's own server, there is only the connect to go by.
    return path is None if found is None else found[0] <= hung


def master(seconds: float, heartbeat: str = PATH) -> bool:
    """Whether the master's heartbeat is at most ``seconds`` old."""
    found = ages(heartbeat)
    return found is not None and found[1] <= seconds


def _status(port: int, seconds: float, path: str | None, host: str) -> bytes | None:
    """The response's status; empty if none came in time or none was expected; None if there is no server."""
    import socket  # a third of what this program costs, and only needed here

    deadline = monotonic() + seconds
    response = b""
    try:
        with socket.create_connection(("127.0.0.1", port), seconds) as connection:
            if path is None:
                return b""
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kit-health\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            while b"\r\n" not in response and len(response) < 4096:
                connection.settimeout(max(0.001, deadline - monotonic()))
                received = connection.recv(4096)
                if not received:
                    return None
                response += received
    except TimeoutError:
        return b""
    except OSError:
        return None
    words = response.partition(b"\r\n")[0].split(b" ")
    return (words[1] or None) if len(words) >= 2 else None


def main(what: str, *arguments: str) -> bool:
    """Run the check that a probe names: ready or master."""
    if what == "master":
        return master(float(arguments[0]))
    if what != "ready":
        raise SystemExit(f"kit: health knows ready and master, not {what!r}")
    port, seconds, hung, *page = arguments
    return ready(int(os.environ.get("PORT", port)), float(seconds), float(hung), *page)


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
