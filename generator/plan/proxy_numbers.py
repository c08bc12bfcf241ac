"""The proxy's numbers, each with its reason: how many clients it holds, in how much memory, and how long it waits."""

from __future__ import annotations

from ..profile.schema import Profile
from ..runtime.sizing import HEADROOM, HEADROOM_PERCENT, MIB, Number, Numbers, ceil_div
from ..servers.server import Server
from .texts import cpu_text
from .times import EXIT_SECONDS, PATIENCE_SECONDS, WEBSOCKET_SECONDS, Times

#: At least so many clients: attackers that are slow on purpose come on top of the promised ones. A slot costs 0.4 KiB.
MINIMUM_CONNECTIONS = 1024
#: Listeners, the channel between the processes, the health check.
SPARE_CONNECTIONS = 64
#: Where the server itself has no limit for the headers.
HEADER_SECONDS = 10
#: nginx needs 5 MiB idle and 10 KiB for a request that waits (both measured), but slow clients may fill the buffers of
#: each: headers 33 KiB, body 16 KiB, response 40 KiB, nginx's own 7 KiB. Even then it must stay below its memory limit.
BASE_BYTES = 32 * MIB
CONNECTION_BYTES = 96 * 1024
#: Request bodies of the largest size that there is room for: as many as 1 GiB holds, at least 4, at most 16.
BODIES = (4, 16)
BODIES_BYTES = 1024 * MIB
#: Bodies from this size on, or of a length that is not known before, are uploads.
UPLOAD_BYTES = 50_000
#: Transfer-Encoding, colon, Content-Length of a request with a smaller body or none; nginx compares no numbers.
SMALL_BODY = "^:0*([0-9]{0,4}|[1-4][0-9]{4})$"
#: Responses that there is room for, and what at most is kept of one.
RESPONSES = 8
RESPONSE_BYTES = 64 * MIB
#: What else is in /tmp: the process id, folders.
SPARE_TMP_BYTES = MIB
#: Most idle connections to a server without threads.
MAXIMUM_IDLE = 256


def cpus(profile: Profile) -> Number:
    """CPU limit of the proxy in thousandths: half of the app's, at least 500."""
    half = profile.resources.cpu // 2
    # Measured with the cheapest responses: 15 % of a CPU here for 30 % at the app.
    reason = f"thousandths of a CPU: half of the app's {cpu_text(profile.resources.cpu)}"
    if half >= 500:
        return Number(half, "resources.cpu", reason)
    return Number(500, "at_least", f"{reason}, raised to 500")


def workers(numbers: Numbers) -> Number:
    """nginx's worker processes."""
    return Number(numbers.cpus.value, "cpus", f"one for each CPU of the app ({numbers.cpus.value})")


def _held(profile: Profile) -> tuple[int, str]:
    """Clients that must fit, and how a reason names them.

    Beside a small app the proxy does not take more than half of its memory for clients that nobody promised.
    """
    half = (profile.resources.memory // 2 - BASE_BYTES) // CONNECTION_BYTES
    minimum = min(MINIMUM_CONNECTIONS, half)
    if profile.connections >= minimum:
        return profile.connections, f"{profile.connections} connections"
    why = "slow clients"
    if minimum < MINIMUM_CONNECTIONS:
        why = "slow clients, as many as half of the app's memory holds"
    return minimum, f"{profile.connections} connections, raised to {minimum} for {why}"


def connections(profile: Profile, processes: int) -> tuple[Number, Number]:
    """worker_connections and descriptors of one process."""
    held, clients = _held(profile)
    if processes > 1:
        # The kernel spreads them by a hash of the client's port: evenly, but not exactly.
        held = ceil_div(held * HEADROOM_PERCENT, 100 * processes)
        clients = f"{held} clients ({HEADROOM} x {clients} / {processes} processes)"
    slots = 2 * held + SPARE_CONNECTIONS
    reason = f"2 x {clients} + {SPARE_CONNECTIONS}: each has one connection on its own side and one on the app's"
    files = f"worker_connections ({slots}) + {held} files of what is buffered in /tmp"
    return Number(slots, "connections", reason), Number(slots + held, "connections", files)


def per_address(profile: Profile) -> Number:
    """Requests that one client address may have in progress."""
    tenth = profile.connections // 10
    reason = f"a tenth of {profile.connections} connections: ten addresses are needed to fill it"
    if tenth >= 64:
        return Number(tenth, "connections", reason)
    return Number(64, "at_least", f"{reason}; raised to 64: an office may be behind one address")


def bodies(profile: Profile) -> Number:
    """Request bodies of the largest size that there is room for at once."""
    minimum, maximum = BODIES
    size = profile.proxy_max_body
    value = min(maximum, max(minimum, BODIES_BYTES // size))
    reason = f"of {size / MIB:g} MiB (proxy_max_body), as {BODIES_BYTES // MIB} MiB hold, from {minimum} to {maximum}"
    return Number(value, "proxy_max_body", reason)


def uploads_per_address(room: Number) -> Number:
    """Uploads that one client address may have in progress."""
    reason = f"half of the {room.value} bodies that there is room for, so that no address fills it alone"
    return Number(room.value // 2, "proxy_max_body", reason)


def address_zone(profile: Profile) -> Number:
    """Shared memory for counting requests by address, in MiB."""
    megabytes = max(1, ceil_div(profile.connections, 10_000))
    return Number(megabytes, "connections", "MiB, one for 10,000 connections; each holds 16,000 addresses")


def header_timeout(profile: Profile, server: Server) -> Number:
    """Seconds that a client has to send a request's headers."""
    limit = server.effective(profile, "header_timeout")
    if limit:
        return Number(limit, "header_timeout", "seconds, the server's own limit for a request's headers")
    return Number(HEADER_SECONDS, "default", f"seconds; {server.name} itself has no limit for a request's headers")


def read_timeout(times: Times) -> Number:
    """Seconds that the proxy waits for the server between two reads of a response."""
    longest = times.request_timeout
    why = "a response that the server sends in its last second still arrives"
    reason = f"{longest.reason} + {PATIENCE_SECONDS} s: {why}"
    return Number(longest.value + PATIENCE_SECONDS, "timeout chain", reason)


def websocket_timeout(profile: Profile) -> Number | None:
    """Seconds that a WebSocket may be silent; None without them."""
    if not profile.websocket:
        return None
    return Number(WEBSOCKET_SECONDS, "websocket", "seconds without a byte on a WebSocket, in either direction")


def stop_seconds(times: Times) -> Number:
    """Seconds between SIGQUIT and SIGKILL of the proxy."""
    graceful = times.graceful_timeout.value
    reason = f"graceful_timeout ({graceful}) + {EXIT_SECONDS} to exit"
    return Number(graceful + EXIT_SECONDS, "timeout chain", reason)


def response_bytes(profile: Profile) -> Number:
    """What /tmp keeps of one response; beyond that the app waits for its client."""
    size = profile.proxy_max_body
    if size <= RESPONSE_BYTES:
        return Number(size, "proxy_max_body", "as much as a body may have (proxy_max_body)")
    return Number(RESPONSE_BYTES, "at_most", f"{size / MIB:g} MiB (proxy_max_body), {RESPONSE_BYTES // MIB} at most")


def body_room(profile: Profile, room: Number, requests: Number) -> Number:
    """Memory for request bodies in Compose; what an address may have in progress is less, uploads or not."""
    size = profile.proxy_max_body
    reason = f"{room.value} bodies of {size / MIB:g} MiB (proxy_max_body)"
    small = ceil_div(4 * requests.value * UPLOAD_BYTES, MIB) * MIB
    if small > room.value * size:
        reason = f"4 x {requests.value} bodies of {UPLOAD_BYTES // 1000} kB, more than {reason}"
        return Number(small, "per_address", reason)
    return Number(room.value * size, "proxy_max_body", reason)


def response_room(response: Number) -> Number:
    """Memory for responses in Compose."""
    return Number(
        RESPONSES * response.value, "proxy_max_body", f"{RESPONSES} responses of {response.value / MIB:g} MiB"
    )


def pod_tmp(profile: Profile, response: Number, requests: Number, uploads: Number) -> Number:
    """What /tmp may take of the node's disk, which nothing reserves."""
    one = requests.value * response.value + uploads.value * profile.proxy_max_body
    reason = (
        f"twice what one address may fill, {requests.value} responses of {response.value / MIB:g} MiB and "
        f"{uploads.value} bodies of {profile.proxy_max_body / MIB:g} MiB: a pod that exceeds it is evicted"
    )
    return Number(ceil_div(2 * one, MIB) * MIB, "per_address", reason)


def memory(profile: Profile, spooled: int) -> tuple[Number, Number]:
    """All of the container's memory in Compose, where ``spooled`` bytes of /tmp are memory too, and in a pod."""
    held, clients = _held(profile)
    # Whole MiB, as every reader of these files writes them.
    value = BASE_BYTES + ceil_div(held * CONNECTION_BYTES, MIB) * MIB
    reason = f"{BASE_BYTES // MIB} MiB + {clients} x {CONNECTION_BYTES // 1024} KiB"
    whole = f"{reason} + {spooled / MIB:g} MiB of /tmp, which is memory"
    in_a_pod = f"{reason}; /tmp is on the node's disk"
    return Number(value + spooled, "connections", whole), Number(value, "connections", in_a_pod)


def idle(profile: Profile, server: Server, numbers: Numbers, processes: int) -> tuple[Number | None, Number | None]:
    """Idle connections to the app for each process, and how long they may idle: less than the app lets them."""
    seconds = profile.keepalive * 4 // 5
    if not server.honours("keepalive") or seconds < 1:
        return None, None
    if numbers.threads is not None:
        at_once = numbers.workers.value * numbers.threads.value
        reason = f"{numbers.workers.value} workers x {numbers.threads.value} threads respond at once"
    else:
        at_once = min(MAXIMUM_IDLE, profile.connections)
        reason = f"the smaller of {MAXIMUM_IDLE} and {profile.connections} connections"
    reason += f", shared by {processes} processes" if processes > 1 else ""
    count = Number(ceil_div(at_once, processes), "keepalive", reason)
    why = f"four fifths of the app's keepalive of {profile.keepalive} s: the side that sends requests must close first"
    return count, Number(min(60, seconds), "keepalive", f"{why}; 60 at most")
