"""How long a request may take, and how long a stop waits for it: one chain from the server to what is in front."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.schema import Profile
from ..runtime.sizing import Number
from ..servers.server import Server

#: What requests in flight have at a stop where the profile does not say.
GRACEFUL_SECONDS = 30
#: Seconds between SIGKILL and what comes before it: the master reaps its workers and the runtime the container.
EXIT_SECONDS = 5
#: Whoever waits for a response gives up so much later than the next one behind, so that the one behind decides.
PATIENCE_SECONDS = 5

#: What a WebSocket may be silent; libraries ask for a sign of life each 25 s (Socket.IO's default).
WEBSOCKET_SECONDS = 3600


@dataclass(frozen=True)
class Times:
    """The limits of one profile, in seconds; templates see them as ``plan.times``."""

    request_timeout: Number
    graceful_timeout: Number
    #: From the order to stop until SIGKILL.
    stop_seconds: Number
    #: How long an Ingress or HTTPRoute waits for a response; None where the profile leaves it to its controller.
    route_seconds: Number | None
    #: A sentence on what the server makes of a long request; empty where it makes nothing of it.
    request_note: str
    #: Where the profile's own numbers cut requests that it promises.
    warnings: tuple[str, ...]

    def by_name(self) -> dict[str, Number]:
        """For --explain."""
        found = {"request_timeout": self.request_timeout, "graceful_timeout": self.graceful_timeout}
        return found | ({"route_seconds": self.route_seconds} if self.route_seconds else {})


def plan_times(profile: Profile, server: Server) -> Times:
    """The times of a profile that has no faults."""
    graceful = _graceful_timeout(profile)
    before = profile.kubernetes.pre_stop_seconds
    stop = f"{before} preStop + {graceful.value} graceful_timeout + {EXIT_SECONDS} to exit"
    return Times(
        request_timeout=_request_timeout(profile, graceful),
        graceful_timeout=graceful,
        stop_seconds=Number(before + graceful.value + EXIT_SECONDS, "shutdown chain", stop),
        route_seconds=_route_seconds(profile),
        request_note=_request_note(profile, server),
        warnings=_warnings(profile),
    )


def _graceful_timeout(profile: Profile) -> Number:
    if profile.graceful_timeout is not None:
        return Number(profile.graceful_timeout, "profile", "seconds that requests in flight have at a stop")
    if (profile.request_timeout or 0) > GRACEFUL_SECONDS:
        reason = "as long as a request may take (request_timeout), so that a stop cuts none"
        return Number(profile.request_timeout or 0, "request_timeout", reason)
    reason = "seconds; a profile with a longer request_timeout gets that"
    return Number(GRACEFUL_SECONDS, "default", reason)


def _request_timeout(profile: Profile, graceful: Number) -> Number:
    if profile.request_timeout is None:
        longest = max(profile.timeout, graceful.value)
        reason = f"the longer of timeout ({profile.timeout}) and graceful_timeout ({graceful.value})"
        return Number(longest, "default", reason)
    return Number(profile.request_timeout, "profile", f"request_timeout ({profile.request_timeout})")


def _request_note(profile: Profile, server: Server) -> str:
    if profile.request_timeout is None or profile.request_timeout <= profile.timeout:
        return ""
    # Of greenlets one that computes stops the loop that beats; a thread does not.
    alone = server.patched_by is not None or server.sleep_blocks
    how = "without a pause, which stops all others of its worker," if alone else "in C code that holds the GIL"
    return (
        f"Requests may take longer than timeout ({profile.timeout} s) while they wait; one that computes for so long "
        f"{how} looks hung, and its worker is replaced."
    )


def _route_seconds(profile: Profile) -> Number | None:
    """After the proxy in the pod, where there is one, so that what it says of a slow app arrives."""
    kind = profile.kubernetes.route.kind
    if profile.websocket and kind == "httproute":
        return Number(0, "websocket", "no limit: a Gateway's is for all of a response, and would end a WebSocket too")
    if profile.websocket and kind == "ingress" and (profile.request_timeout or 0) < WEBSOCKET_SECONDS:
        return Number(WEBSOCKET_SECONDS, "websocket", "seconds without a byte, for WebSockets and requests alike")
    if profile.request_timeout is None or kind == "none":
        return None
    inner = PATIENCE_SECONDS if profile.kubernetes.proxy else 0
    reason = f"request_timeout ({profile.request_timeout}) + {inner + PATIENCE_SECONDS} s"
    reason += ": later than the proxy in the pod gives up" if inner else ": a response in its last second still arrives"
    return Number(profile.request_timeout + inner + PATIENCE_SECONDS, "request_timeout", reason)


def _warnings(profile: Profile) -> tuple[str, ...]:
    given, limit = profile.graceful_timeout, profile.request_timeout
    if given is None or limit is None or given >= limit:
        return ()
    return (
        f"graceful_timeout ({given} s) is shorter than request_timeout ({limit} s): a stop or rollout cuts requests "
        "that still need more than that; remove it, and it follows request_timeout",
    )
