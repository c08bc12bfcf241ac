"""The load client against a server that fails on purpose: a client that cannot see failures proves nothing."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from generator.load_client import client
from generator.load_client.histogram import Histogram
from generator.load_client.loop import run
from generator.load_client.plan import Plan
from generator.load_client.steps import Step, Steps
from generator.load_client.tally import FAILURES
from generator.load_client.wire import BadResponse, Response, request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
REQUEST = request_bytes("GET", "/", "127.0.0.1")
Behaviour = Callable[[socket.socket, threading.Event], None]


def received(conn: socket.socket) -> bool:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = conn.recv(4096)
        if not more:
            return False
        data += more
    return True


def sends(response: bytes, delay: float = 0.0) -> Behaviour:
    """Responds to one request, then closes."""

    def behave(conn: socket.socket, stop: threading.Event) -> None:
        if received(conn):
            stop.wait(delay)
            conn.sendall(response)

    return behave


def keeps(delay: float = 0.0, then_closes_after: float | None = None, response: bytes = OK) -> Behaviour:
    """Responds to every request; or one, and closes that much later without a word."""

    def behave(conn: socket.socket, stop: threading.Event) -> None:
        while received(conn):
            stop.wait(delay)
            conn.sendall(response)
            if then_closes_after is not None:
                stop.wait(then_closes_after)
                return

    return behave


def resets(conn: socket.socket, stop: threading.Event) -> None:
    received(conn)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(conn: socket.socket, stop: threading.Event) -> None:
    stop.wait(30)


def hangs_up_after(seconds: float) -> Behaviour:
    return lambda conn, stop: (stop.wait(seconds), None)[1]


@contextmanager
def server(*behaviours: Behaviour) -> Iterator[tuple[str, int]]:
    """The nth connection gets the nth behaviour, all later ones the last."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def serve(conn: socket.socket, behave: Behaviour) -> None:
        with conn, suppress(OSError):
            behave(conn, stop)

    def accept() -> None:
        count = 0
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            behave = behaviours[min(count, len(behaviours) - 1)]
            count += 1
            threading.Thread(target=serve, args=(conn, behave), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def load(address: tuple[str, int], **options: Any) -> dict[str, Any]:
    plan = {"duration": 0.8, "timeout": 20.0, "finish": 0.1, "settle": 20.0, "reconnect": False, **options}
    return run(Plan(addresses=(address,), request=REQUEST, **plan)).report()


def failures(report: dict[str, Any]) -> dict[str, int]:
    assert report["failed"] == sum(report["failures"].values())
    assert set(report["failures"]) == set(FAILURES)
    return {kind: count for kind, count in report["failures"].items() if count}


def test_each_failure_is_counted_once_under_its_name() -> None:
    behaviours = [
        *[silent] * 4,
        *[resets] * 3,
        *[sends(BROKEN)] * 5,
        *[sends(b"")] * 2,  # closed without a response
        *[sends(OK[:-1])] * 2,  # closed in the middle of one
        *[sends(b"ni hao\r\n\r\n")],
        *[sends(OK + b"more")],
        *[sends(LAST)] * 6,
    ]
    with server(*behaviours) as address:
        report = load(address, connections=len(behaviours), timeout=1.5, duration=2)
    assert failures(report) == {"timeout": 4, "reset": 3, "non_2xx": 5, "closed_early": 4, "bad_response": 2}
    assert report["statuses"] == {"200": 6, "500": 5}
    assert report["responses"] == 11
    assert report["no_response"] == 13
    connections = report["connections"]
    assert (connections["requested"], connections["opened"], connections["never_connected"]) == (24, 24, 0)
    assert (connections["closed_announced"], connections["held"]) == (11, 0)


def test_a_close_without_notice_hits_the_next_request() -> None:
    with server(keeps(then_closes_after=0.05)) as address:
        report = load(address, connections=7)
    assert report["responses"] == 7
    counted = failures(report)
    assert counted.get("closed_early", 0) + counted.get("reset", 0) == 7 and len(counted) <= 2


def test_a_close_between_requests_is_no_failure() -> None:
    with server(*[keeps(then_closes_after=0.1)] * 3, keeps()) as address:
        report = load(address, connections=5, rate=5, duration=0.9)
    assert failures(report) == {}
    assert (report["connections"]["closed_idle"], report["connections"]["held"]) == (3, 2)


def test_refused_and_full_listeners() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    report = load(address, connections=5, duration=0.3)
    assert failures(report) == {"connect_refused": 5}
    assert (report["connections"]["never_connected"], report["no_response"]) == (5, 5)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:  # nobody accepts, and one or two have room
        report = load(full.getsockname(), connections=6, timeout=0.3)
    opened = report["connections"]["opened"]
    assert 1 <= opened <= 2
    assert failures(report) == {"connect_timeout": 6 - opened, "timeout": opened}
    assert (report["connections"]["never_connected"], report["no_response"]) == (6 - opened, 6)


def test_responses_count_over_reconnects() -> None:
    with server(resets, resets, resets, keeps(delay=0.02)) as address:
        report = load(address, connections=3, reconnect=True)
    assert failures(report) == {"reset": 3}
    assert (report["no_response"], report["connections"]["opened"], report["connections"]["held"]) == (0, 6, 3)


def test_a_few_quick_connections_do_not_hide_the_starved() -> None:
    with server(*[keeps(delay=0.005)] * 2, silent) as address:
        report = load(address, connections=8, duration=0.5)
    assert failures(report) == {}
    assert report["no_response"] == report["unfinished"] == 6
    assert report["connections"]["responses_min"] == report["connections"]["responses_median"] == 0
    assert report["connections"]["responses_max"] > 20


def test_idle_connections_are_held_and_their_loss_is_seen() -> None:
    with server(*[keeps(then_closes_after=0.3)] * 2, keeps(delay=0.01)) as address:
        report = load(address, idle=6, connections=2, duration=1.2)
    assert report["idle"] == {"requested": 6, "held": 4}
    assert report["connections"]["closed_idle"] == 2
    assert report["connections"]["requested"] == 2 and report["no_response"] == 0
    assert failures(report) == {}
    with server(silent, keeps()) as address:
        report = load(address, idle=3, connections=1, timeout=1, duration=0.2)
    assert failures(report) == {"timeout": 1}
    assert report["idle"] == {"requested": 3, "held": 2}


def test_slow_clients_say_when_they_were_closed() -> None:
    with server(*[hangs_up_after(0.4)] * 3, *[silent] * 2, keeps(delay=0.01)) as address:
        start = monotonic()
        report = load(address, slow=5, connections=1, duration=2)
        whole = monotonic() - start
    assert report["slow"]["requested"] == 5 and report["slow"]["held"] == 2
    assert [0.3 <= seconds <= whole for seconds in report["slow"]["closed_after"]] == [True] * 3
    assert failures(report) == {}


def test_open_loop_latency_counts_from_when_a_request_was_due() -> None:
    with server(keeps(delay=0.1)) as address:  # 10 a second at most, 30 are due
        report = load(address, connections=1, rate=30, timeout=2.0, duration=1.0, finish=0.0)
        closed = load(address, connections=1, duration=0.4, finish=0.0)

    def together(report: dict[str, Any]) -> float:
        """Seconds of latency, of all responses together."""
        return float(report["latency_ms"]["mean"] * report["responses"] / 1e3)

    assert together(closed) <= 1.05 * closed["seconds"], "one connection, one request after the other"
    assert together(report) > 1.5 * report["seconds"], "they have waited at the same time"
    assert report["responses"] < report["responses"] + report["unfinished"] <= 30 * report["seconds"] + 1


def test_rates_one_after_the_other_end_where_two_in_a_row_are_too_slow() -> None:
    """One connection that takes 0.1 s serves 10 a second: 5 are in time, 40 are not, and 80 are never sent."""
    rates = (2.0, 5.0, 40.0, 60.0, 80.0, 90.0, 100.0, 110.0)
    with server(keeps(delay=0.1)) as address:
        report = load(address, connections=1, rates=rates, step_seconds=1.0, limit=1.0, duration=30)
    steps = report["steps"]
    assert [step["due"] for step in steps[:2]] == [2, 5]
    assert [step["responses"] for step in steps[:2]] == [2, 5] and steps[0]["p50_ms"] >= 100
    assert [step["passed"] for step in steps[2:]] == [False] * len(steps[2:]) and 4 <= len(steps) < len(rates)
    assert "steps" not in load_without_rates()


def load_without_rates() -> dict[str, Any]:
    with server(keeps()) as address:
        return load(address, connections=1, rate=10, duration=0.2)


def test_each_request_of_a_series_of_rates_is_due_once() -> None:
    rates = (3.0, 7.0, 10.0)
    steps, begin, dues = Steps(rates, 0.7, 1.0), 1234.56789, []
    while (due := steps.next_due(begin)) is not None:
        steps.sent(due, begin, None)
        dues.append(due)
    assert dues == sorted(dues)
    assert len(dues) == sum(step.due for step in steps.steps)
    assert [step.due for step in steps.steps] == [3, 5, 7]


def test_a_rate_passes_when_99_of_100_are_within_the_limit_and_nothing_failed() -> None:
    steps = Steps((100.0,), 1.0, 0.5)
    for number in range(100):
        steps.sent(number / 100, 0.0, 0.4 if number == 0 else None)
        steps.responded(number / 100, 0.0, 0.6 if number == 0 else 0.1, good=True)
    step = steps.steps[0]
    assert step.passed() and (step.within, step.lagged) == (99, 1)
    assert steps.judged(0.0, 0.9) == [] and steps.judged(0.0, 1.1) == [step]
    step.failed = 1
    assert not step.passed()
    other = Step(100.0, 100, 100, 100)
    other.merge(step)
    assert (other.rate, other.due, other.within, other.failed) == (200.0, 200, 199, 1)


def test_a_rate_whose_queue_grows_until_its_end_does_not_pass() -> None:
    """13 a second where 10 are served: all within the limit, since the rate ends before the queue is that long."""
    steps = Steps((5.0, 13.0, 9.0), 2.0, 1.0)
    served = 0.0
    while (due := steps.next_due(0.0)) is not None:
        steps.sent(due, 0.0, None)
        served = max(served, due) + 0.1
        steps.responded(due, 0.0, served - due, good=True)
    assert [step.within for step in steps.steps] == [step.due for step in steps.steps] == [10, 26, 18]
    assert [step.passed() for step in steps.steps] == [True, False, True]
    both = Step(0.0)
    both.merge(steps.steps[1])
    both.merge(steps.steps[1])
    assert both.done == 2 * steps.steps[1].done > 0 and not both.passed() and both.report()["done"] == both.done
    assert sum(step.done for step in steps.steps) < 54, "what comes after the last rate is none of its responses"


@pytest.mark.parametrize("rates", [(100.0,), (62.5, 100.0), (100.0, 160.0)])
def test_requests_in_progress_are_no_queue(rates: tuple[float, ...]) -> None:
    """Each takes 0.54 s whatever the rate: a higher one has more of them in progress."""
    steps = Steps(rates, 1.8, 0.6)
    while (due := steps.next_due(0.0)) is not None:
        steps.sent(due, 0.0, None)
        steps.responded(due, 0.0, 0.54, good=True)
    assert all(step.passed() for step in steps.steps)
    assert steps.steps[0].due - steps.steps[0].done > 0.1 * steps.steps[0].due + 1


def test_connections_that_open_at_once_do_not_keep_rates_waiting() -> None:
    with server(*[keeps()] * 5) as address:
        start, settle = monotonic(), 60.0
        report = load(address, connections=5, rates=(4.0,), step_seconds=0.5, limit=0.1, settle=settle)
    assert report["steps"][0]["passed"] and monotonic() - start < settle


def test_rates_of_several_processes_begin_together() -> None:
    """One process' connections are open at once, the other's never: both wait for --settle."""
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        plan = Plan(
            addresses=(full.getsockname(),), request=REQUEST, connections=4, rates=(8.0,), step_seconds=0.5, limit=0.1,
            duration=2, settle=1.0, finish=0.1, timeout=20.0,
        )  # fmt: skip
        start = monotonic()
        report = client.measure(plan, 2).report()
    assert report["connections"]["never_connected"] > 0 and report["steps"][0]["due"] == 4
    assert monotonic() - start >= 1.5


def test_rates_begin_when_their_connections_are_open() -> None:
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # accepts one or two, the others are never open
        start = monotonic()
        report = load(full.getsockname(), connections=5, rates=(4.0,), step_seconds=0.5, limit=0.1, settle=1.0)
    assert report["steps"][0]["due"] == 2 and report["connections"]["never_connected"] > 0
    assert monotonic() - start >= 1.0 + report["seconds"] - 0.1


def test_a_request_of_a_rate_that_never_gets_a_response_is_a_failure() -> None:
    with server(silent, keeps()) as address:
        rates = {"rates": (200.0,), "step_seconds": 1.0, "limit": 0.5, "duration": 1.5}
        report = load(address, connections=2, timeout=9.0, finish=0.2, **rates)
    assert report["unfinished"] == 1
    assert [(step["failed"], step["passed"]) for step in report["steps"]] == [(1, False)]


def test_latency_histogram_and_timeline_agree_with_the_counts() -> None:
    with server(keeps(delay=0.1)) as address:
        report = load(address, connections=4, duration=2.1, finish=0.0)
    assert 100 <= report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] <= report["latency_ms"]["max"]
    assert report["latency_ms"]["max"] <= 1e3 * report["seconds"]
    assert sum(count for _, count in report["histogram_ms"]) == report["responses"]
    assert [row[:2] for row in report["timeline"]][:2] == [[0, 4], [1, 4]]
    assert 0 < sum(row[2] for row in report["timeline"]) <= report["responses"]
    assert report["rps"] == pytest.approx(report["responses"] / report["seconds"], rel=0.01)


def test_ramp_and_request_limit() -> None:
    with server(keeps(delay=0.01)) as address:
        report = load(address, connections=500, ramp=40, duration=0.5)
        few = load(address, connections=1, requests=3, duration=60)
        whole = load(address, connections=5, ramp=40, duration=0.5, requests=10_000)
    assert 1 < report["connections"]["opened"] <= 40 * report["seconds"] + 1, "by the time that the run itself reports"
    assert report["connections"]["never_connected"] == 500 - report["connections"]["opened"]
    assert few["responses"] == 3 and few["seconds"] < 60, "ended by the number of requests"
    assert whole["connections"]["opened"] == 5


@pytest.mark.parametrize("processes", [1, 2])
def test_runs_as_a_file_with_several_addresses(tmp_path: Path, processes: int) -> None:
    shutil.copytree(Path(client.__file__).parent, tmp_path / "load", ignore=shutil.ignore_patterns("__pycache__"))
    with server(keeps(delay=0.01)) as (host, port):
        command = [sys.executable, "-I", str(tmp_path / "load/client.py"), f"http://{host}:{port}/x?a=b"]
        command += ["--connections", "8", "--addresses", "2", "--processes", str(processes), "--no-reconnect"]
        done = subprocess.run([*command, "--duration", "0.5"], capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stdout)
    assert failures(report) == {"connect_refused": 4}  # the server listens on the first address only
    assert (report["no_response"], report["connections"]["held"], report["connections"]["requested"]) == (4, 4, 8)


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://example.com/", "http://localhost/", "https://127.0.0.1/", "http://[::2]/", "x"],
)
def test_asks_nobody_but_this_machine(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        client.main([url, "--duration", "0.1"])
    assert stopped.value.code == 2
    assert url in capsys.readouterr().err


def test_the_last_address_is_checked_too() -> None:
    assert len(client.destinations("http://127.0.0.1:80/", 4)) == 4
    assert client.destinations("http://[::1]:80/", 1) == (("::1", 80),)
    with pytest.raises(ValueError, match=r"only http:// to 127\.0\.0\.0/8"):
        client.destinations("http://127.255.255.254/", 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--duration", "9999"],
        ["--connections", "0"],
        ["--connections", "1000000"],
        ["--rates", "1,0"],
        ["--rates", "1", "--rate", "1"],
        ["--rates", "1,2", "--step-seconds", "9999"],
    ],
)
def test_bounds(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        client.main(["http://127.0.0.1:1/", *arguments])


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "closes"),
    [
        (OK, 200, False),
        (LAST, 200, True),
        (BROKEN, 500, True),
        (CHUNKED, 200, False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, False),
    ],
)
def test_response_is_whole_at_its_last_byte(data: bytes, status: int, closes: bool) -> None:
    for cut in range(1, len(data)):
        response = Response()
        assert not response.feed(data[:cut]), cut
        assert response.feed(data[cut:])
        assert (response.status, response.closes) == (status, closes)
    byte_by_byte = Response()
    assert [byte_by_byte.feed(data[i : i + 1]) for i in range(len(data))] == [False] * (len(data) - 1) + [True]


def test_response_until_close_and_head() -> None:
    response = Response()
    assert not response.ended()
    assert not response.feed(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc") and response.ended()
    assert not Response().feed(OK[:-1])
    assert Response(has_body=False).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", OK + b"x", OK.replace(b": 2", b": x"), CHUNKED + b"x"])
def test_not_a_response(data: bytes) -> None:
    with pytest.raises(BadResponse):
        Response().feed(data)


def test_histogram() -> None:
    histogram, other = Histogram(), Histogram()
    for milliseconds in range(1, 101):
        (histogram if milliseconds % 2 else other).add(milliseconds / 1e3)
    histogram.merge(other)
    report = histogram.report()
    assert report["p50"] == pytest.approx(50, rel=0.02) and report["p99"] == pytest.approx(99, rel=0.02)
    assert (report["max"], report["mean"]) == (100, 50.5)
    assert Histogram().report()["p50"] is None


def test_the_slow_server_of_these_tests_is_slow() -> None:
    with server(sends(OK, delay=0.2)) as address, socket.create_connection(address) as conn:
        start = monotonic()
        conn.sendall(REQUEST)
        assert conn.recv(100) == OK and monotonic() - start >= 0.2
