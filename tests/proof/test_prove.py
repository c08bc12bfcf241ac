"""`prove` without an engine: its arguments, what results mean, the report and the page."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import jsonschema
import pytest
from click.testing import CliRunner, Result

from generator.cli.commands import commands
from generator.containers.command import Completed, EngineError
from generator.containers.container import Logs
from generator.docs.seed import copied
from generator.errors import KitError
from generator.load_client.inside import server, wait
from generator.load_client.tally import FAILURES
from generator.load_client.upstream import Upstream
from generator.pages.write import html
from generator.proof import claims, images, judge, loads, log, page_charts, report, signals
from generator.proof.against import NAME
from generator.proof.booted import why_no_report
from generator.proof.claim import FAILED, FULL, QUICK, Claim, judged
from generator.proof.memory import judge_memory, judge_worker
from generator.proof.needs import judge_needs
from generator.proof.page import proof_page
from generator.proof.prove import Findings
from generator.proof.recycling import recycled
from generator.proof.report import print_table
from generator.proof.request import Request, make_request, parse_request
from generator.proof.stage import server_options
from generator.proof.walk import Walk
from tests.fast_support import MINIMAL, ROOT, plan_of

MACHINE = {
    "descriptors": 20000,
    "cpus": 2,
    "memory_available_bytes": 8 * 2**30,
    "memory_bytes": 16 * 2**30,
    "somaxconn": 4096,
    "ports": 28232,
    "kernel": "6.1",
    "architecture": "x86_64",
    "python": "3.13.5",
    "h2load": "h2load nghttp2/1.64.0",
    "wrk": "wrk 4.1.0",
    "engine": "Docker 28",
}


def result(responses: int = 9600, requested: int = 1200, **changes: Any) -> dict[str, Any]:
    """What the load client prints, as it looks when all is well, with some of it changed."""
    each = responses // requested
    failures = dict.fromkeys(FAILURES, 0) | changes.pop("failures", {})
    counts = {"requested": requested, "held": requested}
    counts |= {"responses_min": each - 1, "responses_median": each, "responses_max": each + 2}
    return {
        "tool": "kit",
        "rps": 800.0,
        "responses": responses,
        "failed": sum(failures.values()),
        "no_response": 0,
        "failures": failures,
        "statuses": {"200": responses},
        "connections": counts | changes.pop("connections", {}),
        "idle": {"requested": 0, "held": 0},
        "latency_ms": {"p50": 20.0, "p90": 40.0, "p99": 60.0, "max": 80.0},
        "histogram_ms": [[10.0, 100], [20.0, 5000], [80.0, 4500]],
        "timeline": [[0, 900, 700, 0], [1, 1200, 900, 0]],
        **changes,
    }


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["prove", *arguments])


@pytest.fixture
def profile(tmp_path: Path) -> str:
    (tmp_path / "docker/app").mkdir(parents=True)
    (tmp_path / "web.yaml").write_text(MINIMAL)
    return str(tmp_path / "web.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "none.yaml: No such file or directory"),
        (["{profile}", "--set", "port=1"], "--set port:1:1: port: '1'"),
        (["{profile}", "--path", "nope"], "--path: 'nope' is no path"),
        (["{profile}", "--path", "/a b"], "--path: '/a b' is no path"),
        (["{profile}", "-H", "nope"], "--header: 'nope' is no header; write for example"),
        (["{profile}", "-H", "A: b\rC: d"], "is no header"),
        (["{profile}", "--request", "none.http"], "none.http: "),
        (["{profile}", "{profile}"], "unexpected extra argument"),
    ],
)
def test_the_users_mistakes_end_with_2_before_anything_boots(
    profile: str, arguments: Sequence[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "find_client", lambda _: pytest.fail("asked for an engine"))
    found = run(*(argument.format(profile=profile) for argument in arguments))
    assert (found.exit_code, found.stdout) == (2, "")
    assert message in found.stderr


def test_a_request_file_that_is_no_file_is_refused_at_once(profile: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "bytes.http").write_bytes(b"GET /\xff HTTP/1.1\r\n")
    for name, why in {"fifo": "a FIFO, not a file", ".": "a folder, not a file", "bytes.http": "not UTF-8"}.items():
        found = run(profile, "--request", str(tmp_path / name))
        assert found.exit_code == 2
        assert why in found.stderr


def test_without_an_engine_it_says_so(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "installed_clients", list)
    found = run(profile)
    assert found.exit_code == 2
    assert "a proof needs a Docker engine" in found.stderr


FINE = judged("boots", "ready", "after 0.5 s", {})
WRONG = judged("holds", "1200 held", "900 held", {"300 lost": "Raise backlog."}, load=result())


@pytest.mark.parametrize(("claims", "code"), [([FINE], 0), ([FINE, WRONG], 1), ([Claim("x", "y", "z", "noted")], 0)])
def test_a_claim_that_fails_ends_with_1_and_says_what_to_change(
    profile: str, claims: list[Claim], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(*arguments: Any) -> None:
        found: Findings = arguments[-1]
        found.claims, found.machine, found.log = claims, MACHINE, "ended" if code else ""

    monkeypatch.setattr("generator.cli.prove.run_proof", pretend)
    root = Path(profile).parent
    log = root / "build/proof/web.log"
    log.parent.mkdir(parents=True)
    log.write_text("of an earlier run")
    found = run(profile, "--output", str(root))
    assert found.exit_code == code, found.output
    assert ("do: Raise backlog." in found.stdout) == (code == 1)
    written = json.loads((root / "build/proof/web.json").read_text())
    assert written["passed"] == (code == 0)
    assert (root / "build/proof/web.html").read_text().startswith("<!doctype html>")
    assert (str(log) in found.stdout) == log.exists() == (code == 1)
    assert not code or (log.read_text(), log.stat().st_mode & 0o777) == ("ended\n", 0o600)


TRACEBACK = """\
[2026-01-01 00:00:00] ERROR in app: Exception on / [GET]
Traceback (most recent call last):
  File "/opt/venv/lib/python3.13/site-packages/flask/app.py", line 1511, in wsgi_app
    response = self.full_dispatch_request()
  File "/app/app.py", line 10, in index
    return str(1 / 0)
               ~~^~~
ZeroDivisionError: division by \x1b[2Jzero
[INFO] Booting worker
"""


def test_where_the_app_failed_its_last_traceback_is_told_in_few_lines() -> None:
    deep = TRACEBACK.replace("  File", '  File "/app/deep.py", line 1, in again\n' * 50 + "  File", 1)
    load = result(failures={"non_2xx": 1}, statuses={"500": 1})
    claim = judged("boots", "ready", "connected", judge.failures(load), load=load)
    for text in (TRACEBACK, deep, TRACEBACK.replace("[INFO] Booting worker\n", "")):
        advice = log.with_log(claim, Logs(text, ""), Path("web.log")).advice
        assert "The app itself failed" in advice and "container's log: web.log\n" in advice
        assert advice.endswith("~~^~~\nZeroDivisionError: division by \\x1b[2Jzero")
        assert len(advice.splitlines()) <= log.LINES + 3
    told = log.with_log(claim, Logs(TRACEBACK, ""), Path("web.log"))
    assert "traceback:" not in log.with_log(claim, Logs(TRACEBACK, ""), Path("web.log"), [FINE, told]).advice
    assert "traceback:" not in log.with_log(claim, Logs("", "no such thing"), Path("web.log")).advice
    other = judged("boots", "ready", "connected", {"x": "y"}, load=result(statuses={"404": 1}))
    assert log.with_log(other, Logs(TRACEBACK, ""), Path("web.log")).advice == "y\n    The container's log: web.log"


def test_of_a_log_both_streams_are_kept_in_the_order_of_time_and_not_all_of_them() -> None:
    printed = [f"2026-01-01T00:00:{second:02}.000000000Z" for second in range(3)]
    server = MagicMock()
    server.logs.return_value = Logs(f"{printed[0]} boot\n{printed[2]} late\n", f"{printed[1]} \x1b[2J\n")
    assert log.kept(server).splitlines() == [f"{printed[0]} boot", f"{printed[1]} \\x1b[2J", f"{printed[2]} late"]
    server.logs.return_value = Logs(f"{printed[0]} GET /\n" * 100_000, f"{printed[1]} Traceback\n")
    kept = log.kept(server)
    assert len(kept) <= log.KEPT + 100 and kept.startswith(printed[0]) and kept.endswith("Traceback")


def test_last_words_are_whole_lines() -> None:
    found = log.last_words(Logs("boot", "x" * 999 + "\nModuleNotFoundError: flask\n"))
    assert found == "x" * log.WIDTH + "\nModuleNotFoundError: flask"
    assert log.last_words(Logs("boot", "")) == "boot" and log.last_words(Logs("", "")) == "(it printed nothing)"


@pytest.mark.parametrize(
    ("overrides", "worker_mib", "verdict", "expected"),
    [
        ((), 18, "passed", "18 MiB of its own"),
        ((), 40, "failed", "Set resources.worker_memory to 44Mi"),
        (("resources.worker_memory=100Mi",), 40, "passed", "more than twice that: 44Mi would do"),
        (("resources.worker_memory=30Mi",), 40, "failed", "(the profile's figure)"),
    ],
)
def test_a_worker_is_measured_beside_its_connections(
    overrides: tuple[str, ...], worker_mib: int, verdict: str, expected: str
) -> None:
    """1,000 connections at the formula's 23 KiB each are the connections' own, and no fault of the worker's figure."""
    plan = plan_of("", *overrides)
    rest = {"descriptors": 10, "workers": [7], "worker_bytes": 10 * 2**20}
    peak = {"descriptors": 1010, "workers": [7], "worker_bytes": worker_mib * 2**20 + 1000 * 23 * 1024}
    after = {**peak, "descriptors": 10}  # closed, but Python keeps the memory
    claim = judge_worker(plan, [rest, peak, after])
    assert claim.verdict == verdict
    assert expected in f"{claim.promised} {claim.measured} {claim.advice}"
    nobody = judge_worker(plan, [{**rest, "worker_bytes": None, "pss_bytes": None}])
    assert (nobody.verdict, nobody.measured) == ("noted", "this engine shows no memory of a process")
    nobody = judge_worker(plan, [{**rest, "workers": [], "worker_bytes": None, "pss_bytes": 1}])
    assert nobody.measured == "no worker ran"


def loaded_walk(**settings: Any) -> MagicMock:
    """A walk whose load has ended well."""
    on = MagicMock(connections=10, pace=QUICK, plan=plan_of(""), **settings)
    load: Future[Completed] = Future()
    load.set_result(Completed((), 0, json.dumps(result()), ""))
    on.stage.begin.return_value = load
    on.server.wait.return_value = 0
    return on


@pytest.mark.parametrize(("looks", "verdict"), [([[7], [8]], "passed"), ([[7], [7], [7, 8], [8]], "passed"),
                                                ([[7]], "failed")])  # fmt: skip
def test_old_workers_have_graceful_timeout_to_end(
    monkeypatch: pytest.MonkeyPatch, looks: list[list[int]], verdict: str
) -> None:
    """The last look stays what it is."""
    clock = iter(range(10**6))
    time = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None)
    monkeypatch.setattr(signals, "time", time)
    rest = iter(looks)
    on = loaded_walk(last_sample=lambda: {"workers": next(rest, looks[-1])})
    (claim,) = signals.reload(on)
    assert claim.verdict == verdict
    grace = on.plan.times.graceful_timeout.value
    assert (next(clock) > grace) == (verdict == "failed")


def test_a_sample_is_not_recorded_of_a_server_that_stops() -> None:
    """A worker that ends has more memory of its own than one that serves."""
    on = loaded_walk()
    list(signals.stop(on))
    names = [call[0] for call in on.mock_calls]
    assert names.index("stage.stop_watching") < names.index("server.kill")


def test_missing_descriptors_are_counted() -> None:
    plan = plan_of("", "connections=200000", "resources.memory=8Gi", "resources.cpu=2")
    claim = judge_needs(plan, MACHINE, QUICK)
    needed = plan.numbers.descriptors.value
    assert claim.verdict == "failed"
    assert f"{needed - 20000} file descriptors are missing: a worker needs {needed}" in claim.measured
    assert f"Raise the nofile limit of containers to {needed}" in claim.advice
    assert judge_needs(plan, MACHINE | {"descriptors": -1}, QUICK).measured.count("descriptors are missing") == 0


def test_missing_memory_and_cpus_are_counted() -> None:
    plan = plan_of("", "resources.cpu=4")
    claim = judge_needs(plan, MACHINE | {"memory_available_bytes": 2**20}, FULL)
    assert "2 CPU are missing: the profile has 4" in claim.measured
    assert re.search(r"\d+ MiB of memory are missing", claim.measured)
    assert judge_needs(plan_of(), MACHINE, FULL).verdict == "passed"


HOLD = [
    (result(), "passed", ""),
    (result(failures={"reset": 3}), "3 x reset", "look for workers that ended"),
    (result(failures={"non_2xx": 9}, statuses={"404": 9}), "9 x non_2xx (404)", "--path"),
    (result(failures={"non_2xx": 9}, statuses={"500": 9}), "9 x non_2xx (500)", "The app itself failed"),
    (result(failures={"connect_timeout": 5}), "5 x connect_timeout", "raise backlog"),
    (result(no_response=4, connections={"responses_min": 0}), "4 connections never got a response", "starve"),
    (result(connections={"held": 1199}), "1 not held", "gevent"),
    # 2,000 responses each to a few, one each to the others: as gunicorn's own gevent worker was seen to do it.
    (result(connections={"responses_min": 1, "responses_median": 1, "responses_max": 2000}), "1 at least", "starve"),
    (result(48000, connections={"responses_min": 3, "responses_median": 40}), "3 at least, 40 at the median", "starve"),
]


@pytest.mark.parametrize(("load", "expected", "advice"), HOLD)
def test_holding_is_judged_by_counts(load: dict[str, Any], expected: str, advice: str) -> None:
    claim = judge.judge_hold(plan_of(), load, {})
    assert claim.verdict == ("passed" if expected == "passed" else "failed")
    assert expected == "passed" or (expected in claim.measured and advice in claim.advice)


def test_a_response_that_never_ends_is_no_lack_of_cpu() -> None:
    endless = result(0, 1, no_response=1, failures={"timeout": 1}, statuses={})
    ((what, advice),) = judge.alone(endless).items()
    assert what == "no complete response over one connection alone"
    assert "whose response ends" in advice and "resources.cpu" not in advice and "gevent" not in advice
    dropped = judge.alone(endless | {"failures": {"reset": 1}})
    assert dropped == {"1 x reset": judge.ADVICE["reset"]}
    assert judge.alone(result(1, 1)) == {}


@pytest.mark.parametrize(("server", "named"), [("gevent", False), ("gthread", True)])
def test_nobody_is_advised_to_take_the_server_that_is_taken(server: str, named: bool) -> None:
    plan = plan_of("", f"server={server}")
    claim = judge.judge_hold(plan, result(no_response=4, failures={"timeout": 4}), {})
    advice = judge.without_own_server(plan, claim).advice
    assert "raise resources.cpu or lower connections" in advice and ("gevent" in advice) == named


def test_every_failure_of_the_client_has_its_advice() -> None:
    assert set(judge.ADVICE) == set(FAILURES)


def sample(mib: float, workers: Sequence[int] = (7, 8), **more: Any) -> dict[str, Any]:
    size = int(mib * 2**20)
    known = {"cgroup_bytes": size, "pss_bytes": size, "kind": "cgroup v2", "oom_kills": 0, "descriptors": 0, "at": 0.0}
    return {**known, "workers": list(workers), **more}


def test_lost_workers_and_kills_are_faults() -> None:
    assert judge.workers_lost(sample(1), sample(1)) == {}
    assert set(judge.workers_lost(sample(1), sample(1, (8, 9), oom_kills=1))) == {
        "1 workers ended",
        "1 processes killed for memory",
    }
    assert judge.judge_hold(plan_of(), result(), {"1 workers ended": "See the log."}).verdict == "failed"


RECYCLED = """\
[2026-01-01 00:00:00 +0000] [7] [INFO] Autorestarting worker after current request.
[2026-01-01 00:00:00 +0000] [1] [ERROR] Worker (pid:9) was sent SIGKILL! Perhaps out of memory?
Worker (pid:8) has served max_requests and is to be replaced
"""


def test_what_max_requests_ends_is_no_worker_that_died() -> None:
    gone = recycled(Logs("", RECYCLED))
    assert gone == {7, 8}
    assert judge.workers_lost(sample(1, (7, 8)), sample(1, (10, 11)), gone) == {}
    assert "1 workers ended" in judge.workers_lost(sample(1, (7, 9)), sample(1, (10, 11)), gone)
    assert "1 processes killed for memory" in judge.workers_lost(sample(1), sample(1, oom_kills=1), gone)
    walk = Walk(MagicMock(plan=plan_of()), QUICK, Request(), False, True)
    assert walk.recycled() == frozenset(), "without max_requests there is none, whatever is logged"
    walk = Walk(MagicMock(plan=plan_of("", "max_requests=1000")), QUICK, Request(), False, True)
    walk.server = MagicMock()
    walk.server.logs.return_value = Logs("", RECYCLED)
    assert walk.recycled() == gone


def test_what_workers_close_that_max_requests_replaces_is_told_and_not_judged() -> None:
    plan = plan_of("", "max_requests=1000")
    held, idle = result(connections={"held": 1100}), result(idle={"requested": 900, "held": 0})
    for claim in (judge.judge_hold(plan, held, {}, 2), judge.judge_active(plan, result(), idle, 2)):
        assert claim.verdict == "noted" and "max_requests replaced 2 workers" in claim.measured
        assert "--set max_requests=0 --set max_requests_jitter=0" in claim.measured
    broken = result(failures={"reset": 3}, connections={"held": 1100})
    failed = [
        judge.judge_hold(plan, broken, {}, 2),
        judge.judge_hold(plan, held, {}, 0),
        judge.judge_hold(plan, result(), {"1 workers ended": "See the log."}, 2),
        judge.judge_active(plan, result(), idle, 0),
    ]
    for claim in failed:
        assert claim.verdict == "failed" and "--set max_requests=0" in claim.advice
    assert judge.judge_hold(plan, result(), {}, 2).verdict == "passed"
    assert "max_requests" not in judge.judge_hold(plan_of(), held, {}, 0).advice


MEMORY = [
    (sample(40), sample(60), "passed", ""),
    (sample(40), sample(450), "failed", "Set resources.memory to 563Mi or more."),  # 450 / 0.8
    (sample(40), sample(60, oom_kills=2), "failed", "Set resources.memory to 75Mi or more."),
    (None, sample(60), "noted", ""),
    (sample(40, cgroup_bytes=None), sample(60, cgroup_bytes=None), "passed", ""),
    (sample(1, cgroup_bytes=None, pss_bytes=None), sample(1, cgroup_bytes=None, pss_bytes=None), "noted", ""),
]


@pytest.mark.parametrize(("rest", "peak", "verdict", "advice"), MEMORY)
def test_memory_says_which_limit_would_do(rest: Any, peak: Any, verdict: str, advice: str) -> None:
    claim = judge_memory(plan_of(), rest, peak, 1200)
    assert (claim.verdict, claim.advice) == (verdict, advice)


def test_too_few_probes_are_reported_and_not_judged() -> None:
    assert judge.judge_probes([0, 0], [0.1, 0.2], 3, enough=True).verdict == "passed"
    assert judge.judge_probes([1, 1, 0, 1], [1.0] * 4, 3, enough=True).verdict == "passed"
    assert judge.judge_probes([0, 1, 1, 1], [1.0] * 4, 3, enough=True).verdict == "failed"
    assert judge.judge_probes([1, 1, 1], [1.0] * 3, 3, enough=False).verdict == "noted"
    assert judge.judge_probes([], [], 3, enough=True).verdict == "failed"


def test_a_plan_that_differs_from_the_boot_report_is_named() -> None:
    expected = {"numbers": {"workers": {"value": 2}}}
    booted = {"descriptor_limit": 5000, "numbers": {"workers": {"value": 4, "decided_by": "WEB_CONCURRENCY"}}}
    assert "workers is 4 (WEB_CONCURRENCY), planned 2" in judge.judge_report(expected, booted, 100).measured
    booted["numbers"] = {"workers": {"value": 2, "decided_by": "rule"}}
    assert judge.judge_report(expected, booted, 100).verdict == "passed"
    assert "5000 descriptors of 6000" in judge.judge_report(expected, booted, 6000).measured
    assert judge.judge_report(expected, None, 100).verdict == "failed"


def test_a_server_that_the_apps_import_starts_is_named_and_nothing_of_it_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "boots", lambda _: FINE)
    on = loaded_walk(is_built=True)
    on.server.logs.return_value = Logs(" * Serving Flask app 'app'\n", "")
    on.stage.answers.return_value = "Werkzeug/3.1.3 Python/3.13.5"
    boots, reality = claims.walk(on, lambda _: None)
    assert (boots, reality.verdict) == (FINE, "failed")
    assert "What answers is Werkzeug/3.1.3 Python/3.13.5" in reality.advice and "app.run()" in reality.advice
    assert "--image" not in reality.advice


@pytest.mark.parametrize(
    ("answers", "is_built", "expected"),
    [
        ("waitress", False, "What answers is waitress, not the profile's server. Was the image (--image)"),
        ("gunicorn/26.0", False, "Was the image (--image)"),
        ("gunicorn", True, "Does the app's import redirect stdout"),
        (None, True, "Does the app's import redirect stdout"),
    ],
)
def test_without_a_boot_report_the_likely_cause_is_told(answers: str | None, is_built: bool, expected: str) -> None:
    assert why_no_report(plan_of(), answers, is_built).startswith(expected)


def test_a_server_that_never_listens_without_a_boot_report_is_still_imported() -> None:
    on = loaded_walk(is_built=True, request=Request())
    waited: Future[Completed] = Future()
    waited.set_result(Completed((), 0, json.dumps({"ready_at": None, "message": "refused"}), ""))
    on.stage.begin.return_value = waited
    on.stage.start_server.return_value.logs.return_value = Logs(" * Running on http://127.0.0.1:5000\n", "")
    assert "import has not come to its end" in claims.boots(on).advice
    on.stage.start_server.return_value.logs.return_value = Logs('{"event": "boot"}\n', "")
    assert "Correct health.readiness_path" in claims.boots(on).advice


def test_signals_are_judged_by_what_was_dropped() -> None:
    refused = result(failures={"connect_refused": 50}, no_response=3)
    assert judge.judge_stop(refused, 0, 1.0, 35).verdict == "passed"
    for load, code, seconds in ((result(failures={"reset": 1}), 0, 1.0), (result(), 137, 1.0), (result(), 0, 36.0)):
        assert judge.judge_stop(load, code, seconds, 35).verdict == "failed"
    assert judge.judge_reload(result(), [7, 8], [9, 10]).verdict == "passed"
    assert judge.judge_reload(result(), [7, 8], [7, 9]).verdict == "failed"
    assert judge.judge_reload(refused, [7], [8]).verdict == "failed"
    assert judge.judge_reload(result(), [], []).verdict == "failed"
    assert judge.judge_reload(result(), None, None).verdict == "passed", "an engine that lets nobody look"


def test_over_capacity_the_declared_number_must_be_served() -> None:
    plan = plan_of()
    crowd = result(requested=3600, responses=7200, no_response=2400, failures={"timeout": 2400})
    assert judge.judge_over(plan, 3, crowd, result(), {}).verdict == "passed"
    assert judge.judge_over(plan, 3, crowd | {"no_response": 2401}, result(), {}).verdict == "failed"
    assert judge.judge_over(plan, 3, crowd, result(failures={"timeout": 1}), {}).verdict == "failed"
    assert judge.judge_over(plan, 3, crowd, result(), {"1 workers ended": "See the log."}).verdict == "failed"


def test_times_are_reported_and_nobody_fails_for_them() -> None:
    slow = result(latency_ms={"p50": 900.0, "p99": 9000.0, "max": 9900.0}, idle={"requested": 1000, "held": 1000})
    claim = judge.judge_active(plan_of(), result(), slow)
    assert claim.verdict == "passed" and "(over 2 times)" in claim.measured
    lost = slow | {"idle": {"requested": 1000, "held": 999}}
    assert judge.judge_active(plan_of(), result(), lost).verdict == "failed"
    runs = [{"connections": 200, "rps": 10.0, "failed": 0, "latency_ms": {}}]
    assert judge.judge_sweep("/", runs).verdict == "passed"
    assert "take a server" in judge.judge_sweep("/", [runs[0] | {"failed": 1}]).advice
    errors = result(failures={"non_2xx": 1}, statuses={"500": 1}) | {"connections": 9}
    assert judge.judge_sweep("/", [errors]).advice == judge.APP_FAILED


WRK = """\
Running 2s test @ http://127.0.0.1:8000/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    60.31ms   20.94ms   1.13s    92.31%
    Req/Sec     3.10k   210.73     3.45k    75.00%
  Latency Distribution
     50%   60.40ms
     75%   70.00ms
     90%  900.00us
     99%    1.02s\x20
  6170 requests in 2.02s, 1.02MB read
  Socket errors: connect 0, read 3, write 0, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:   3045.12
Transfer/sec:    514.90KB
"""
H2LOAD = """\
finished in 10.01s, 3525.30 req/s, 573.70KB/s
requests: 35253 total, 45253 started, 35253 done, 35200 succeeded, 53 failed, 13 errored, 0 timeout
time for request:    12.35ms       9.93s       2.66s    500.00ms    71.00%
"""


def done(text: str) -> Completed:
    return Completed(("tool",), 0, text, "")


def test_the_tools_words_become_results() -> None:
    wrk = loads.of_wrk(done(WRK), 200, 2)
    assert (wrk["responses"], wrk["failed"], wrk["rps"]) == (6170, 12, 3045.12)
    assert wrk["latency_ms"] == {"p50": 60.4, "p75": 70.0, "p90": 0.9, "p99": 1020.0, "max": 1130.0}
    h2load = loads.of_h2load(done(H2LOAD), 10000)
    assert (h2load["responses"], h2load["failed"], h2load["rps"]) == (35253, 53, 3525.3)
    assert h2load["latency_ms"] == {"mean": 2660.0, "max": 9930.0}
    for parse in (loads.of_client, lambda text: loads.of_wrk(text, 1, 1), lambda text: loads.of_h2load(text, 1)):
        with pytest.raises(EngineError, match="went wrong"):
            parse(done("unable to connect\n"))


def test_connections_are_shared_out_over_processes_and_addresses() -> None:
    words = loads.client(8000, Request("/x"), 30_000, 5, finish=10, no_reconnect=True)
    assert {"--processes=2", "--addresses=2", "--no-reconnect", "--finish=10"} <= set(words)
    assert not [word for word in loads.client(8000, Request(), 1, 5, no_reconnect=False) if "reconnect" in word]
    assert {"--processes=1", "--addresses=1"} <= set(loads.client(8000, Request(), 200, 5, idle=9800))


RAW = 'POST /login?a=1 HTTP/1.1\r\nHost: example.org\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\na"b'


def test_a_whole_request_is_put_in_the_words_of_each_tool() -> None:
    request = make_request(None, ("X-Key: 1",), RAW, "login.http")
    assert request == Request("/login?a=1", "POST", ("Content-Type: text/plain", "X-Key: 1"), 'a"b', "example.org")
    assert request.client_words() == [
        "--method=POST",
        "--header=Content-Type: text/plain",
        "--header=X-Key: 1",
        "--host=example.org",
        '--body=a"b',
    ]
    assert 'wrk.body = "a\\034b"' in request.wrk_script()
    assert 'wrk.headers["Host"] = "example.org"' in request.wrk_script()
    assert "--header=:authority: example.org" in request.h2load_words()
    assert request.h2load_words()[-1] == "--data=/tmp/body"
    assert make_request("/else", (), RAW, "login.http").path == "/else"
    given = [((), None), (("host: one.example",), None), ((), RAW), (("Host: one.example",), RAW)]
    hosts = [make_request(None, headers, text, "login.http", "probe.example").host for headers, text in given]
    assert hosts == ["probe.example", "one.example", "example.org", "one.example"]
    assert "--header=:method: PUT" in Request(method="PUT").h2load_words()
    with pytest.raises(KitError, match=r"x\.http:1: 'nope' is no request line"):
        parse_request("nope\n", "x.http")


def make_report(*claims: Claim) -> dict[str, Any]:
    about = report.About("2026-01-01T00:00:00+00:00", 1.0, True, "web:dev", 10**8, "Docker 28", MACHINE)
    samples = [sample(40), sample(60, descriptors=1200, at=1.5)]
    made = report.make_report(plan_of(), Request(), about, list(claims), samples)
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


def rivals() -> Claim:
    return Claim(
        NAME, "the same load", "ours, theirs", "noted", data={"ours": result(), "theirs": result(no_response=9)}
    )


def test_the_report_keeps_to_its_schema() -> None:
    schema = json.loads((ROOT / "generator/proof/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for found in ((), (FINE, WRONG), (rivals(),)):
        jsonschema.Draft202012Validator(schema).validate(make_report(*found))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(make_report() | {"claims": [asdict(FINE) | {"verdict": "?"}]})


def test_without_the_extra_the_json_is_written_and_a_line_says_what_to_install(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(*arguments: Any) -> None:
        arguments[-1].claims, arguments[-1].machine = [FINE], MACHINE

    monkeypatch.setattr("generator.cli.prove.run_proof", pretend)
    monkeypatch.setattr("generator.cli.pages.available", lambda: False)
    root = Path(profile).parent
    found = run(profile, "--output", str(root))
    assert found.exit_code == 0
    (line,) = [line for line in found.stderr.splitlines() if "page" in line]
    assert "pip install '.[pages]'" in line
    assert [path.name for path in (root / "build/proof").iterdir()] == ["web.json"]


def test_an_apps_last_words_act_on_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    last = Claim("starts", "p", "ended:\n\x1b[2J\x9b", FAILED, "see \x1b]0;title\x07")
    print_table([last], "web")
    printed = capsys.readouterr().out
    assert "ended:" in printed and "\\x1b[2J" in printed and not {"\x1b", "\x9b", "\x07"} & set(printed)


def test_the_page_shows_what_was_measured_as_charts_and_tables() -> None:
    evil = judged("holds its connections", "<script>alert(1)</script>", "x", {}, load=result())
    found = proof_page(make_report(evil, WRONG, rivals()), plan_of())
    charts = {chart.title: chart for section in found.sections for chart in section.charts}
    assert {"Latency while all connections are busy", "Connections held", "Responses", "Throughput"} <= charts.keys()
    copied = {row[:2]: row[2] for row in charts["Beside the copied configuration"].table.rows}
    assert copied["connections that never got one", "the copied configuration"] == "9"
    assert copied["connections that got a response", "this profile"] == "1,200"
    held = [row[1:] for row in charts["Connections held"].table.rows if row[0] == "holds its connections"]
    assert held == [("0", "900"), ("1", "1,200")]
    assert "9 (the copied configuration)" in charts["Responses"].note
    text = html(found)
    assert "&lt;script&gt;alert" in text and "<script>alert" not in text
    assert found.verdict == "failed" and proof_page(make_report(FINE), plan_of()).verdict == "passed"


def test_memory_lies_beside_the_formula_that_sizing_counts_with() -> None:
    plan = plan_of()
    chart = page_charts.memory(make_report(FINE), plan)
    assert chart is not None
    formula = {row[1]: float(row[2]) for row in chart.table.rows if row[0] == "the formula"}
    demand = plan.numbers.demand
    for connections, counted in ((0, formula["0"]), (1200, formula["1,200"])):
        used = demand.master_memory_bytes + plan.numbers.workers.value * demand.worker_memory_bytes
        assert counted == pytest.approx((used + connections * demand.connection_memory_bytes) / 2**20, abs=0.06)
    measured = {(row[1], row[2]) for row in chart.table.rows if row[0] == "PSS of all processes"}
    assert measured == {("0", "40.0"), ("1,200", "60.0")}
    assert page_charts.memory(make_report(FINE) | {"samples": []}, plan) is None


def test_the_server_gets_the_profiles_limits_and_nothing_more() -> None:
    options = server_options(plan_of("", "port=9000"))
    assert (options["cpus"], options["memory"], options["memory_swap"]) == (1.0, 512 * 2**20, 512 * 2**20)
    assert options["read_only"] is True and options["cap_drop"] == "ALL"
    assert options["env"] == {"UPSTREAM": "127.0.0.1:9001"}


def test_the_copied_configuration_is_verbatim() -> None:
    text = copied("gevent")
    compile(text, "gunicorn_config.py", "exec")
    assert 'worker_class = "gevent"' in text and "meinheld" not in text
    assert "workers = multiprocessing.cpu_count() * 2 + 1" in text


def test_what_runs_in_the_load_container_needs_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(images.LOAD_CLIENT, tmp_path, dirs_exist_ok=True)
    for name in ("client", "inside", "upstream"):
        code = f"import runpy, sys; sys.argv = ['x', '--help']; runpy.run_path({name + '.py'!r}, run_name='x')"
        subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)


def test_the_upstream_responds_when_it_is_due() -> None:
    upstream = Upstream(0)
    port = upstream.listener.getsockname()[1]
    threading.Thread(target=upstream.serve, daemon=True).start()
    with socket.create_connection(("127.0.0.1", port)) as slow, socket.create_connection(("127.0.0.1", port)) as quick:
        slow.sendall(b"60\n")
        quick.sendall(b"1\n")
        assert quick.recv(64) == b"1\n"
        slow.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.recv(64)
        slow.settimeout(5)
        assert slow.recv(64) == b"60\n"
    with socket.create_connection(("127.0.0.1", port)) as wrong:
        wrong.sendall(b"GET /\n")
        assert wrong.recv(64) == b""
    late, connection = socket.socketpair()
    with late:
        late.settimeout(5)
        upstream.read(connection)  # as the kernel hands it over when nothing has come for long
        late.sendall(b"1\n")
        assert late.recv(64) == b"1\n"


def test_waiting_for_nobody_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert wait(port, 5, "-")["ready_at"] is not None
    assert wait(port, 0.5, "/readyz") == {
        "ready_at": None,
        "message": "ConnectionRefusedError: [Errno 111] Connection refused",
    }


def test_a_response_tells_its_server() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as answering:
        threading.Thread(target=answering.handle_request, daemon=True).start()
        assert (server(answering.server_port, "/", "one.example") or "").startswith("BaseHTTP/")
    assert server(answering.server_port, "/") is None


def test_generating_does_not_load_what_proving_needs() -> None:
    code = "import sys, generator.cli.generate; print(*sys.modules, sep='\\n')"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = found.stdout.split()
    assert "generator.plan.plan" in loaded
    assert not [name for name in loaded if name.startswith(("generator.proof", "generator.containers"))]
    helped = subprocess.run(
        [sys.executable, "-m", "generator", "prove", "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "Prove what PROFILE" in helped.stdout


@pytest.mark.parametrize("command", ["prove", "tune"])
def test_help_says_which_images_stay_and_how_they_go(command: str) -> None:
    helped = CliRunner().invoke(commands, [command, "--help"], terminal_width=200).output
    assert f"'reference={images.PREFIX}-*'" in re.sub(r"\s+", " ", helped)


def test_connections_are_counted_above_the_rest_of_the_first_workers() -> None:
    """The first sample may meet a connection that is just closing; a successor's descriptors are no measure."""
    counts = [(11, [7]), (10, [7]), (1210, [7]), (4, [8]), (610, [8])]
    samples = [
        {"at": float(at), "descriptors": count, "workers": workers, "cgroup_bytes": None, "pss_bytes": None}
        for at, (count, workers) in enumerate(counts)
    ]
    assert [row[1] for row in report.timeline(samples)] == [1, 0, 1200, 0, 600]
    assert report.timeline([]) == []
