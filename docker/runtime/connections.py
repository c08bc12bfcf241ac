"""What a server grants a client: how long it may be silent in the middle of a request, and how large a head."""

from __future__ import annotations

import socket
from typing import Any

#: Seconds between two reads of a request's body, and between two writes of a response, after which the client is taken
#: for gone, as the kit's proxy has it for responses. Without it a POST that sends one byte of its body stays for ever.
TRANSFER_TIMEOUT = 30.0

#: Bytes of a request's head, from the method to the empty line. gunicorn's limits a line and a field add up to 800 KiB,
#: and its parser looks through all of an unfinished head at each read: 400 of them made a worker silent for seconds.
HEAD_BYTES = 64 * 1024
#: Bytes of all unfinished heads of a worker together. Beyond it a head may have no more than FEW_HEAD_BYTES, which is
#: what one read takes: nearly every head comes in one, so a flood of large ones shuts nobody else out.
UNFINISHED_BYTES, FEW_HEAD_BYTES = 4 * 1024 * 1024, 8 * 1024

#: Probes of a connection that has been silent: the first after so many seconds (the kernel's own: 2 hours), then every
#: so many, and so many without a reply end it. A client that vanished while its response was computed costs 2 minutes.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES = 60, 10, 6


def head_bytes(limit_request_line: int, limit_request_field_size: int) -> int:
    """The cap on a head; where the profile allows a longer line or field than that, there is room for one of them."""
    return max(HEAD_BYTES, limit_request_line + limit_request_field_size)


def probe_silent_peers(listener: Any) -> None:
    """SO_KEEPALIVE on a listening socket; on Linux the connections that it accepts inherit it."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
