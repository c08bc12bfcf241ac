"""The load tools: their command lines, and what they print as one kind of result.

Each result has: tool, connections, seconds, responses, failed, rps, latency_ms {p50, p90, p99, max}, histogram_ms.
The kit's own client adds what it accounts for (see client.py); wrk and h2load leave out what they do not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..containers.command import Completed, EngineError
from ..runtime.sizing import ceil_div
from .request import Request

CLIENT = ("python3", "/load_client/client.py")
#: Connections of one process: its descriptors are limited, and so are the ports to one address.
MAX_PER_PROCESS = 15_000
MAX_PER_ADDRESS = 20_000
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def url(port: int, path: str) -> str:
    """The server's address, seen from its own network namespace."""
    return f"http://127.0.0.1:{port}{path}"


def client(port: int, request: Request, connections: int, seconds: float, **options: float | bool | str) -> list[str]:
    """The kit's own client: accounts for every connection."""
    total = connections + int(options.get("idle", 0))  # an option's name is that of the client, with underscores
    words = [*CLIENT, url(port, request.path), f"--connections={connections}", f"--duration={seconds:g}"]
    words += request.client_words()
    words.append(f"--processes={ceil_div(total, MAX_PER_PROCESS)}")
    words.append(f"--addresses={min(250, ceil_div(total, MAX_PER_ADDRESS))}")
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        words += (
            []
            if value is False
            else [flag]
            if value is True
            else [f"{flag}={value}" if isinstance(value, str) else f"{flag}={value:g}"]
        )
    return words


def of_client(completed: Completed) -> dict[str, Any]:
    """Raises EngineError where the client itself went wrong: that says nothing about the server."""
    try:
        return {"tool": "kit", **json.loads(completed.stdout)}
    except json.JSONDecodeError:
        raise EngineError(f"the load client went wrong:\n{completed.output[-2000:]}") from None


def wrk(port: int, request: Request, connections: int, seconds: float) -> list[str]:
    """wrk, for latency; the script is what Request.wrk_script says."""
    return ["wrk", "--latency", "--threads=1", f"--connections={connections}", f"--duration={seconds:g}s",
            "--timeout=10s", "--script=/tmp/request.lua", url(port, request.path)]  # fmt: skip


def of_wrk(completed: Completed, connections: int, seconds: float) -> dict[str, Any]:
    """wrk's output, in the terms of the load client's report."""
    text = completed.stdout
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not requests or not rate:
        raise EngineError(f"wrk went wrong:\n{completed.output[-2000:]}")
    rows = re.findall(r"^\s+(\d\d)%\s+(\S+)\s*$", text, re.MULTILINE)
    spread = {f"p{percent}": _milliseconds(value) for percent, value in rows}
    longest = re.search(r"Latency\s+\S+\s+\S+\s+(\S+)", text)
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "tool": "wrk",
        "connections": connections,
        "seconds": seconds,
        "responses": int(requests[1]),
        "failed": errors + (int(bad[1]) if bad else 0),
        "rps": float(rate[1]),
        "latency_ms": {**spread, "max": _milliseconds(longest[1]) if longest else None},
    }


def _milliseconds(text: str) -> float | None:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    return round(float(found[1]) * _UNITS[found[2]], 3) if found else None


def h2load(port: int, request: Request, connections: int, seconds: float) -> list[str]:
    """h2load, which counts every connection. It says nothing of percentiles."""
    words = [
        "h2load",
        "--h1",
        f"--clients={connections}",
        "--threads=1",
        f"--duration={seconds:g}",
        *request.h2load_words(),
    ]
    return [*words, url(port, request.path)]


def of_h2load(completed: Completed, connections: int) -> dict[str, Any]:
    """h2load's output, in the terms of the load client's report."""
    text = completed.stdout
    done = re.search(r"finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s", text)
    counts = re.search(r"requests: .*? (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    times = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)", text)
    if not done or not counts:
        raise EngineError(f"h2load went wrong:\n{completed.output[-2000:]}")
    return {
        "tool": "h2load",
        "connections": connections,
        "seconds": float(done[1]) * _UNITS[done[2]] / 1000,
        "responses": int(counts[1]),
        "failed": int(counts[3]),  # errored and timed out ones are among them
        "rps": float(done[3]),
        "latency_ms": {"mean": _milliseconds(times[3]), "max": _milliseconds(times[2])} if times else {},
    }


def percentiles(result: Mapping[str, Any], names: Sequence[str] = ("p50", "p99")) -> str:
    """Of a result, in words."""
    found = result.get("latency_ms") or {}
    return ", ".join(f"{name} {found[name]:.0f} ms" for name in names if found.get(name) is not None)
