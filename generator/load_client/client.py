"""HTTP/1.1 load client that accounts for every connection: what h2load and wrk do not show.

Closed loop (each connection sends its next request as soon as it has a response) or open loop (--rate: requests are
due at fixed times, and a late response counts from when its request was due; --rates: one rate after the other, until
two in a row fail or are too slow). Idle connections (--idle) send one
request and stay; slow ones (--slow) send one byte of a header a second; both are up before the active ones begin and
the clock starts.
Standard library only: it runs as a file, in any container with Python 3. It connects to this machine only.

Prints one JSON object:
  seconds, rps             the measured time, and responses a second within it
  responses                whole responses, whatever their status; those to the idle connections' request not counted
  failed, failures         failures in all and by kind (kinds: see tally.py); each is counted once
  no_response              active connections that never got a response, over all their reconnects
  unfinished               requests outstanding, or due and not sent, --finish seconds after the end
  statuses                 responses by HTTP status
  connections              requested, opened (reconnects included), peak, held (open at the end, or closed by
                           announcement when no request follows), never_connected,
                           closed_announced (after Connection: close), closed_idle (without a request outstanding),
                           responses_min, responses_median, responses_max: responses on one active connection
  idle, slow               requested, held; slow: closed_after, the seconds each one lasted
  latency_ms               p50, p90, p99, max, mean of a response; connect_ms of a connect; first_response_ms from the
                           start of a connection's connect to its first response
  histogram_ms             rows: upper edge of the bucket, responses in it
  timeline                 rows, one a second: second, connections open, responses, failed
  steps                    of --rates: rate, due, responses, within (the limit), done (responses while it
                           ran, of whatever rate), failed, lagged (sent late by this client, although a connection was
                           free), passed, p50_ms, p99_ms; the first begins when all connections are open
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import multiprocessing
import resource
import sys
from contextlib import suppress
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from urllib.parse import urlsplit

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    __package__ = Path(__file__).resolve().parent.name

from .loop import run
from .plan import MAX_CONNECTIONS, Plan
from .tally import Tally
from .wire import request_bytes

#: Options that are fields of Plan.
SAME_NAME = (
    *("connections", "idle", "slow", "rate", "rates", "step_seconds", "limit", "ramp", "duration", "finish", "settle"),
    *("timeout", "requests"),
)
MAX_SECONDS = 600
MAX_RATE = 1_000_000


def arguments() -> argparse.ArgumentParser:
    """The options of the command line."""
    head, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=head, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("url", help="http://127.x.y.z:PORT/path or http://[::1]:PORT/path; no other host")
    add("--connections", type=int, default=1, metavar="N", help="active connections (default: 1)")
    add("--idle", type=int, default=0, metavar="N", help="connections that send one request and stay")
    add("--slow", type=int, default=0, metavar="N", help="connections that send a byte of a header a second")
    add("--rate", type=float, metavar="R", help="open loop: requests a second in all")
    add("--rates", type=_rates, default=(), metavar="R,R", help="open loop: rates in all, --step-seconds each")
    add("--step-seconds", type=float, default=1, metavar="S", help="of each of --rates (default: 1)")
    add("--limit", type=float, metavar="S", help="seconds within which 99 %% of a rate's requests need a response")
    add("--ramp", type=float, metavar="R", help="connections opened a second (default: as fast as possible)")
    add("--duration", type=float, default=10, metavar="S", help="seconds measured (default: 10)")
    add("--requests", type=int, metavar="N", help="stop after so many responses")
    add("--timeout", type=float, default=10, metavar="S", help="for a connect and for a response (default: 10)")
    add("--finish", type=float, default=2, metavar="S", help="for what is outstanding at the end (default: 2)")
    add(
        "--settle",
        type=float,
        default=30,
        metavar="S",
        help="to get idle and slow ones up, with --rates all (default: 30)",
    )
    add("--addresses", type=int, default=1, metavar="N", help="use N addresses from the URL's on, in turn")
    add("--processes", type=int, default=1, metavar="N", help="client processes to split the connections over")
    add("--method", default="GET")
    add("--header", action="append", default=[], metavar="'NAME: VALUE'")
    add("--host", metavar="HOST", help="Host header (default: the URL's)")
    add("--body", default="", metavar="TEXT")
    add("--close", action="store_true", help="send Connection: close: one request a connection")
    add("--no-reconnect", action="store_true", help="leave a connection closed once it failed or was closed")
    return parser


def _rates(text: str) -> tuple[float, ...]:
    rates = tuple(map(float, text.split(",")))
    if not all(0 < rate <= MAX_RATE for rate in rates):
        raise ValueError(f"each of them above 0, at most {MAX_RATE}")
    return rates


def destinations(url: str, count: int) -> tuple[tuple[str, int], ...]:
    """Host and port of each of ``count`` addresses, from the URL's upwards. Raises ValueError for any but loopback."""
    parts = urlsplit(url)
    try:
        first = ipaddress.ip_address(parts.hostname or "")
        port = parts.port or 80
    except ValueError as error:
        raise ValueError(f"{url}: {error}; give an address, not a name") from None
    hosts = [str(first + i) for i in range(count)]
    if parts.scheme != "http" or not all(h == "::1" or ipaddress.ip_address(h).is_loopback for h in hosts):
        raise ValueError(f"{url}: only http:// to 127.0.0.0/8 or ::1")
    return tuple((host, port) for host in hosts)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options describe. Raises ValueError for what is out of bounds."""
    if options.rates:
        if options.step_seconds <= 0 or options.rate is not None:
            raise ValueError("--rates: not with --rate, and with --step-seconds above 0")
        options.duration = len(options.rates) * options.step_seconds + (options.limit or 0)
    if not 0 < options.duration + options.settle + options.timeout + options.finish <= MAX_SECONDS:
        raise ValueError(f"--duration, --settle, --timeout and --finish: at most {MAX_SECONDS} seconds in all")
    if not 0 < options.connections + options.idle + options.slow <= MAX_CONNECTIONS:
        raise ValueError(f"--connections, --idle and --slow: 1 to {MAX_CONNECTIONS} in all")
    if min(options.connections, options.idle, options.slow, options.processes - 1, options.addresses - 1) < 0:
        raise ValueError("--connections, --idle, --slow: not below 0; --processes, --addresses: not below 1")
    parts = urlsplit(options.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = options.host or parts.netloc
    request = request_bytes(options.method, path, host, options.header, options.body.encode(), options.close)
    return Plan(
        addresses=destinations(options.url, options.addresses),
        request=request,
        has_body=options.method != "HEAD",
        reconnect=not options.no_reconnect,
        **{name: getattr(options, name) for name in SAME_NAME},
    )


def split(plan: Plan, processes: int) -> list[Plan]:
    """The plan's connections and rates over some processes."""

    def share(total: int, i: int) -> int:
        return total // processes + (i < total % processes)

    return [
        replace(
            plan,
            connections=share(plan.connections, i),
            idle=share(plan.idle, i),
            slow=share(plan.slow, i),
            rate=plan.rate and plan.rate / processes,
            rates=tuple(rate / processes for rate in plan.rates),
            ramp=plan.ramp and plan.ramp / processes,
            requests=plan.requests and share(plan.requests, i),
        )
        for i in range(processes)
    ]


def measure(plan: Plan, processes: int) -> Tally:
    """Run the plan, shared out over ``processes``, and merge their counts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if processes == 1:
        return run(plan)
    fork = multiprocessing.get_context("fork")
    together = (fork.Barrier(processes), plan.settle)
    with fork.Pool(processes, initializer=_meet_at, initargs=together) as pool:
        tallies = pool.map(_run_together, split(plan, processes), chunksize=1)
    total = tallies[0]
    for tally in tallies[1:]:
        total.merge(tally)
    return total


#: In a process of the pool: where it waits until all have their connections, and for how many seconds at most.
_meeting: tuple[Barrier, float]


def _meet_at(barrier: Barrier, seconds: float) -> None:
    # A pool hands the arguments of its initializer on in no other way.
    global _meeting  # noqa: PLW0603
    _meeting = (barrier, seconds)


def _run_together(plan: Plan) -> Tally:
    """Rates that are added up begin at the same moment."""

    def wait() -> None:
        barrier, seconds = _meeting
        with suppress(BrokenBarrierError):
            barrier.wait(seconds)

    return run(plan, wait if plan.rates else None)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; prints the report as JSON and returns the exit code."""
    parser = arguments()
    options = parser.parse_args(argv)
    try:
        plan = plan_of(options)
    except ValueError as error:
        parser.error(str(error))
    print(json.dumps({"target": options.url, **measure(plan, options.processes).report()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
