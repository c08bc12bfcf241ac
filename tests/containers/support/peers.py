"""The kernel's own account of a server's connections: /proc/net/tcp."""

from __future__ import annotations

import os

_ESTABLISHED, _KEEPALIVE_TIMER = "01", "02"


def seconds_to_probe(table: str, port: int) -> list[float | None]:
    """Of each established connection to the port, until the kernel asks whether its client is still there; None where
    it will not."""
    left: list[float | None] = []
    for row in map(str.split, table.splitlines()[1:]):
        if row[1].endswith(f":{port:04X}") and row[3] == _ESTABLISHED:
            timer, _, ticks = row[5].partition(":")
            left.append(int(ticks, 16) / os.sysconf("SC_CLK_TCK") if timer == _KEEPALIVE_TIMER else None)
    return left
