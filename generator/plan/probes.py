"""What probes request and when: load alone takes no pod out of its Service and restarts none; what hangs does."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.schema import Profile
from ..runtime.sizing import Number, ceil_div
from ..servers.server import Server
from .places import image_paths

#: A saturated large profile responded to its slowest probe after 1.8 s on / and 4.0 s where each request waits 50 ms
#: for a backend (measured by prove). The sidecars' probes, and those that request a page of the app, have twice that.
TIMEOUT_SECONDS = 2 * 4
PERIOD_SECONDS = 10
FAILURES = 3
STARTUP_PERIOD_SECONDS = 2
#: A check that runs in the container took 45 ms of CPU, half of it to enter the container (measured). At the shorter
#: period that is 1 % of a CPU; a container of less than 200m would lose a tenth of its CPU, and gets the longer one.
READY_PERIODS_SECONDS = (5, 10)
SMALL_CPU_MILLICORES = 200
#: Entering a container and starting Python there may take long where the CPU is throttled.
EXEC_TIMEOUT_SECONDS = 15
#: After so long without a response readiness goes by the workers' heartbeats.
RESPONSE_SECONDS = 3
#: Workers beat each second and at each request; one that has not for so long computes for one request, or hangs.
HUNG_SECONDS = 4
#: The master beats each second. A frozen one still serves, so that there is time to be sure.
MASTER_SECONDS = 10
LIVE_PERIOD_SECONDS = 20
LIVE_FAILURES = 2


@dataclass(frozen=True)
class Probes:
    """Commands and timing."""

    startup_period_seconds: int
    startup_failures: int
    #: What is requested of the app, and for which host; None where nothing is.
    readiness_path: str | None
    liveness_path: str | None
    host: str | None
    #: Readiness runs in the container; so does liveness, unless the profile names a page for it.
    ready_command: tuple[str, ...]
    ready_period_seconds: int
    response_seconds: int
    hung_seconds: int
    live_command: tuple[str, ...]
    live_period_seconds: int
    live_failures: int
    exec_timeout_seconds: int
    #: Of all others: sidecars, HEALTHCHECK.
    period_seconds: int
    timeout_seconds: int
    failures: int
    #: Worst cases: until a hung server gets no new requests, until a frozen master is restarted.
    unready_after_seconds: Number
    restart_after_seconds: Number
    warnings: tuple[str, ...]

    def by_name(self) -> dict[str, Number]:
        return {
            "unready_after_seconds": self.unready_after_seconds,
            "restart_after_seconds": self.restart_after_seconds,
        }


def plan_probes(profile: Profile, server: Server) -> Probes:
    """The probes of a profile without faults."""
    period = READY_PERIODS_SECONDS[profile.resources.cpu < SMALL_CPU_MILLICORES]
    # Where a worker cannot beat beside its requests, only `timeout` tells a long one from a hung one.
    hung = HUNG_SECONDS if server.beats_while_busy or not profile.timeout else profile.timeout
    command = (image_paths(server).python, "-P", "-m", "kit_runtime.health")
    path, host = _below_mount(profile, profile.health.readiness_path), probe_host(profile)
    live_period, live_failures, restart = _liveness(profile)
    return Probes(
        startup_period_seconds=STARTUP_PERIOD_SECONDS,
        startup_failures=ceil_div(profile.health.startup_seconds, STARTUP_PERIOD_SECONDS),
        readiness_path=path,
        liveness_path=_below_mount(profile, profile.health.liveness_path),
        host=host,
        ready_command=(
            *(*command, "ready", str(profile.port), str(RESPONSE_SECONDS), str(hung)),
            *((path,) if path else ()),
            *((host,) if path and host else ()),
        ),
        ready_period_seconds=period,
        response_seconds=RESPONSE_SECONDS,
        hung_seconds=hung,
        live_command=(*command, "master", str(MASTER_SECONDS)),
        live_period_seconds=live_period,
        live_failures=live_failures,
        exec_timeout_seconds=EXEC_TIMEOUT_SECONDS,
        period_seconds=PERIOD_SECONDS,
        timeout_seconds=TIMEOUT_SECONDS,
        failures=FAILURES,
        unready_after_seconds=_unready(profile, server, hung, period),
        restart_after_seconds=restart,
        warnings=_warnings(profile, server),
    )


def probe_host(profile: Profile) -> str | None:
    """The host that every probe names; a wildcard is the name of none."""
    host = profile.health.host or profile.kubernetes.route.host
    return None if host is None or host.startswith("*") else host


def _below_mount(profile: Profile, path: str | None) -> str | None:
    return f"{profile.app.mount or ''}{path}" if path else None


def _unready(profile: Profile, server: Server, hung: int, period: int) -> Number:
    if not server.beats_while_busy:
        why = f"timeout ({profile.timeout} s), after which the master has replaced it, + {period} s period"
        return Number(hung + period, "timeout", f"{why}: until then one long request looks no different")
    why = f"{hung} s without the heartbeat of any worker + {period} s period"
    return Number(hung + period, "readiness", f"{why}; a hung one among others keeps its connections until timeout")


def _warnings(profile: Profile, server: Server) -> tuple[str, ...]:
    if not profile.health.liveness_path or not (server.sleep_blocks or server.holds_one_each):
        return ()
    return (
        f"health.liveness_path: a request that blocks a worker of {server.name} (time.sleep, a query) holds up the "
        "probe too, so that pods that are only busy are restarted; without it the master's heartbeat is probed",
    )


def _liveness(profile: Profile) -> tuple[int, int, Number]:
    """Period, failures, and how long a frozen master has at most."""
    if profile.health.liveness_path:
        # A hung worker is replaced after `timeout`; liveness must not restart the whole pod before that.
        failures = ceil_div(profile.timeout, PERIOD_SECONDS) + 2
        why = "health.liveness_path: a server that is only too busy to respond is restarted too"
        return PERIOD_SECONDS, failures, Number(PERIOD_SECONDS * failures + TIMEOUT_SECONDS, "liveness_path", why)
    why = f"{MASTER_SECONDS} s without the master's heartbeat + {LIVE_FAILURES} x {LIVE_PERIOD_SECONDS} s period"
    seconds = MASTER_SECONDS + LIVE_FAILURES * LIVE_PERIOD_SECONDS
    return LIVE_PERIOD_SECONDS, LIVE_FAILURES, Number(seconds, "liveness", why)
