"""What one client may take of a server: bytes of an unfinished head, seconds of silence."""

import socket
from typing import Any

#: Of a whole request head, request line and headers together; a longer one gets 431. gunicorn's limits for lines
#: and fields add up to 800 KiB, all of which its parser looks through again at each read: 400 such heads silenced a
#: worker for seconds.
HEAD_BYTES = 64 * 1024
#: Of all unfinished heads of a worker. 150 heads of 6.5 MB, as the e-mail parser held them, once ended a worker.
UNFINISHED_HEADS_BYTES = 4 * 1024 * 1024
#: Of one head while a gunicorn worker holds more than that: what one read takes. Nearly every head comes in one, so a
#: flood of large ones shuts nobody else out.
FEW_HEAD_BYTES = 8 * 1024
#: Seconds in which a client must send more of a request's body, and in which it must take more of a response.
#: nginx has the same default for client_body_timeout and send_timeout.
IDLE_SECONDS = 60.0
#: Seconds after which a silent connection is probed first (the kernel's own: 2 hours), then each time, and how many
#: probes without a reply end it: a client that vanished while its response was computed costs 2 minutes.
PROBE_IDLE, PROBE_INTERVAL, PROBES = 60, 10, 6


def head_bytes(limit_request_line: int, limit_request_field_size: int) -> int:
    """The cap on a head where gunicorn's settings may allow a longer line or field: there is room for one of each."""
    return max(HEAD_BYTES, limit_request_line + limit_request_field_size)


def probe_silent_peers(listener: Any) -> None:
    """SO_KEEPALIVE on a listening socket; on Linux the connections that it accepts inherit it."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_IDLE)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_INTERVAL)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
