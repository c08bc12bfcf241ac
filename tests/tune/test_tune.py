"""`tune` without an engine: its candidates, what steps and figures mean, what it writes, the command line."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest
import yaml
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.containers.command import EngineError
from generator.containers.container import Logs
from generator.errors import KitError
from generator.pages.write import html
from generator.pipeline import plan_profile
from generator.proof import images
from generator.proof.env_file import HIDDEN, Given
from generator.proof.log import KEPT
from generator.proof.request import Request
from generator.proof.stage import Stage
from generator.runtime.sizing import MIB
from generator.tune.candidates import Field, find
from generator.tune.facts import Blocking, Facts, blocked_in, is_blocking, startup_seconds
from generator.tune.page import tune_page
from generator.tune.report import capacity, capacity_lines, log_text, make_report, note, round_up, sentences, settings
from generator.tune.search import Standing, judge
from generator.tune.trial import Bench, NotServing, Trial, errors_of, of_steps, rates_around, rates_from
from generator.tune.tune import Findings, or_why_not, set_limit
from generator.tune.write import Setting, written
from generator.tune.write import replace as replace_file
from tests.fast_support import MINIMAL, ROOT

FACTS = Facts(
    ready_seconds=0.9,
    import_seconds=0.4,
    worker_cold_bytes=20 * MIB,
    worker_bytes=30 * MIB,
    shared_bytes=20 * MIB,
    connection_bytes=9000,
    cpu_ms=1.5,
    alone_ms=52.0,
)
ABOUT = {"began": "2026-01-01T00:00:00+00:00", "seconds": 300.0, "minutes": 5.0}


def field_of(*overrides: str, servers: tuple[str, ...] = ()) -> Field:
    return find(MINIMAL, "web.yaml", overrides, ROOT, servers)


def names(field: Field) -> set[str]:
    return {one.entry.name for one in field.candidates}


def test_candidates_hold_the_connections_in_the_limits() -> None:
    found = field_of()
    assert found.candidates[0].entry.own and found.candidates[0].entry.name == "gevent, 1 worker"
    assert {f"gevent, {count}" for count in ("1 worker", "2 workers", "3 workers")} <= names(found)
    assert {"gthread, 2 workers of 4 threads", "gthread, 3 workers of 64 threads"} <= names(found)
    assert {one.plan.server.name for one in found.candidates} == {"gevent", "gthread", "pywsgi"}
    assert "a connection occupies a whole worker" in found.left_out["sync"]
    for one in found.candidates:
        assert (one.plan.numbers.workers.value, one.threads) == (one.workers, one.threads)
        assert one.plan.profile.resources.memory == 512 * MIB


def test_candidates_that_need_more_memory_are_left_out_with_the_figure() -> None:
    found = field_of("resources.memory=160Mi", "resources.worker_memory=60Mi", "workers=1")
    assert "gevent, 1 worker" in names(found) and "gevent, 3 workers" not in names(found)
    assert found.left_out["gevent, 3 workers"].endswith("MiB of memory")


def test_the_profiles_own_numbers_take_part() -> None:
    found = field_of("server=gthread", "workers=7", "threads=9", servers=("gevent",))
    assert found.candidates[0].entry.name == "gthread, 7 workers of 9 threads"
    assert {one.plan.server.name for one in found.candidates[1:]} == {"gevent"}
    simplest = min(found.candidates, key=lambda one: one.entry.simplicity)
    assert simplest is found.candidates[0], "no change is simpler than any"


def step(rate: float, passed: bool, lagged: int = 0) -> dict[str, Any]:
    return {"rate": rate, "due": 100, "passed": passed, "lagged": lagged, "p99_ms": 20.0}


@pytest.mark.parametrize(
    ("steps", "rate", "late"),
    [
        ([], 0.0, False),
        ([step(10, True), step(20, True)], 20, False),
        ([step(10, True), step(20, False), step(30, True)], 30, False),  # a hiccup
        ([step(10, True), step(20, False), step(30, False), step(40, True)], 10, False),
        ([step(10, True), step(20, False, 50), step(30, False, 50)], 10, True),
        ([step(10, False), step(20, False)], 0.0, False),
    ],
)
def test_the_figure_is_the_highest_rate_below_two_failed_ones(
    steps: list[dict[str, Any]], rate: float, late: bool
) -> None:
    found = of_steps(steps)
    assert (found.rate, found.client_late) == (rate, late)


def test_rates_begin_below_what_one_connection_gets_and_rise() -> None:
    rates = rates_from(50.0, 20_000, 40)
    assert rates[0] == 10 and list(rates) == sorted(rates) and rates[-1] == 20_000
    assert {round(high / low, 3) for low, high in pairwise(rates[:-1])} == {1.6}
    assert rates_from(2000.0, 10, 20)[0] == 0.25, "a request of two seconds that computes"
    few = rates_from(700.0, 1200 / 0.7, 5)
    assert len(few) == 5 and few[-1] == pytest.approx(1200 / 0.7), "as far apart as the time for five demands"
    assert min(rates_around(100, 8)) < 100 < max(rates_around(100, 8)) == 160
    assert max(rates_around(100, 20)) > 700, "beyond what was found, for as long as every rate passes"
    assert rates_around(100, 4) == pytest.approx((80, 100.8, 127, 160), abs=0.1)
    assert max(rates_around(15_000, 8)) <= 20_000


@pytest.mark.parametrize(
    ("alone", "cpu", "beside", "cpus", "blocks"),
    [
        (50, 1.0, 20, 1, True),  # waits in C: no more than one at a time
        (50, 1.0, 150, 1, False),  # waits with gevent's knowledge
        (10, 9.5, 100, 1, False),  # computes: nothing to be done about it by waiting better
        (95, 20, 12.5, 0.25, False),  # computes under a quota, which makes it wait for the next period
        (95, 2, 12.5, 0.25, True),
        (10, 9.5, 100, 4, False),
        (50, None, 20, 1, False),  # nobody could look
    ],
)
def test_blocking_is_waiting_one_after_the_other(
    alone: float, cpu: float | None, beside: float, cpus: float, blocks: bool
) -> None:
    assert is_blocking(alone, cpu, beside, cpus) == blocks


def test_the_line_that_blocks_is_named() -> None:
    report = """+++ : Greenlet <Greenlet at 0x1> appears to be blocked
       : Blocked Stack (for thread id 0x7f):
       :   File "/opt/venv/lib/python3.13/site-packages/flask/app.py", line 902, in dispatch_request
       :     return self.ensure_sync(...)
       :   File "/app/shop/db.py", line 12, in query
       :     libc.usleep(50_000)
"""
    assert blocked_in(report * 2, "/app/") == "shop/db.py:12 (query)"
    assert blocked_in("nothing of the kind", "/app/") == ""


class Failing(Bench):
    """Measures fail with these errors, in turn; then one works."""

    errors: list[EngineError]

    def _measure(self, *_: Any) -> Trial:
        if self.errors:
            raise self.errors.pop(0)
        return Trial(9.0)


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ([], Trial(9.0)),
        ([NotServing("not ready: key hunter22", "log")], Trial(0.0, fault="not ready: key (hidden)")),
        ([EngineError("the load client went wrong")], Trial(9.0)),
        ([EngineError("gone"), EngineError("gone")], None),
    ],
)
def test_only_a_candidate_that_does_not_serve_has_no_rate(errors: list[EngineError], outcome: Trial | None) -> None:
    bench = Failing(cast("Stage", SimpleNamespace(given=Given(secrets=frozenset({"hunter22"})))), Request(), 9, {})
    bench.errors = errors
    plan = field_of().candidates[0].plan
    if outcome is None:
        with pytest.raises(EngineError, match="gone"):
            bench.measure("one", plan, plan, 1.0)
    else:
        found = bench.measure("one", plan, plan, 1.0)
        assert replace(found, fault=found.fault.replace(HIDDEN, "(hidden)")) == outcome
        assert bench.trials == [("one", found)]
        assert bench.logs == ({"one": "log"} if found.fault else {})


def alone(log: str = '{"event": "boot"}\n', **changes: Any) -> MagicMock:
    """A bench whose server has this log, and answers one connection well, with some of it changed."""
    load = {"responses": 9, "failed": 0, "failures": {}, "statuses": {"200": 9}, "latency_ms": {"p50": 2.0}}
    container = MagicMock()
    container.logs.return_value = Logs(log, "")
    bench = MagicMock(request=Request("/events"))
    bench.booted.return_value.__enter__.return_value = (container, 0.5)
    bench.run.return_value = load | changes
    return bench


def test_the_limit_is_not_of_a_server_that_the_apps_import_starts() -> None:
    plan, found = field_of().candidates[0].plan, Findings()
    set_limit(alone(), plan, None, found)
    assert (found.alone_ms, found.limit_ms) == (2.0, 20.0)
    bench = alone(" * Serving Flask app 'app'\n")
    bench.stage.answers.return_value = "Werkzeug/3.1.3 Python/3.13.5"
    with pytest.raises(KitError, match=r"no boot report. What answers is Werkzeug/3.1.3 .* unguarded app.run\(\)"):
        set_limit(bench, plan, None, found)


def test_errors_of_the_app_are_told_with_what_it_raised_last() -> None:
    logs = Logs("", "Traceback (most recent call last):\n  File x\nKeyError: 'y'\n")
    assert errors_of({"statuses": {"200": 7, "500": 2}}, logs) == "2 x 500: KeyError: 'y'"
    assert errors_of({"statuses": {"200": 7, "429": 1}}, Logs("", "")) == "1 x 429"
    assert errors_of({"statuses": {"200": 7}}, logs) == ""
    plan = field_of().candidates[0].plan
    bench = alone(log='{"event": "boot"}\n' + logs.stderr, failed=9, failures={"non_2xx": 9}, statuses={"500": 9})
    with pytest.raises(KitError, match=r"(?s)9 x non_2xx .*\(500\).* last traceback:\n  File x\nKeyError: 'y'$"):
        set_limit(bench, plan, None, Findings())


def test_logs_of_all_that_failed_are_kept_a_part_of_each() -> None:
    assert log_text({}) == ""
    text = log_text({"one": "a" * 10**6, "two": "b\n"})
    assert text.startswith("=== one\naaa") and text.endswith("\n\n=== two\nb\n") and len(text) < 2 * KEPT


def test_what_fails_after_the_search_does_not_take_it_along() -> None:
    found = Findings()

    def fails() -> None:
        raise EngineError("not ready: hunter22")

    assert or_why_not(found, "the event loop", fails, {"hunter22"}) is None
    assert found.not_measured == {"the event loop": f"not ready: {HIDDEN}"}
    assert or_why_not(found, "facts", lambda: 9, ()) == 9 and len(found.not_measured) == 1


def figures(field: Field, **given: tuple[float, ...]) -> Findings:
    found = Findings(alone_ms=52.0, limit_ms=520.0, facts=FACTS, machine={"kernel": "6.1"})
    by_name = {one.entry.name: one.entry for one in field.candidates}
    found.verdict = judge([Standing(by_name[name.replace("_", " ")], (1.0, *rates)) for name, rates in given.items()])
    found.trials = [(name.replace("_", " "), Trial(rates[0], [step(rates[0], True)])) for name, rates in given.items()]
    return found


OWN, BETTER = "gevent, 1 worker", "gthread, 2 workers of 64 threads"


def decided() -> tuple[Field, Findings]:
    field = field_of()
    return field, figures(field, **{OWN: (20.0, 21.0, 22.0), BETTER: (900.0, 905.0, 910.0)})


def test_what_is_written_has_its_figure_and_keeps_comments() -> None:
    field, found = decided()
    chosen = next(one for one in field.candidates if one.entry.name == BETTER)
    made = settings(field.candidates[0].plan, chosen, found.verdict, FACTS)
    text = "# my profile\n" + MINIMAL.replace(
        "server: gevent", "server: gevent   # greenlets; see the wiki\n# and then"
    )
    once = written(text, "web.yaml", made, ROOT)
    assert "# my profile\n" in once and "# and then\n" in once
    assert "# greenlets; see the wiki; container-kit tune: 905 requests/s with gthread, 2 workers of 64" in once
    assert "worker_memory: 33Mi" in once and "tune worker_memory: 30 MiB measured after load" in once
    assert "startup_seconds: 10" in once and "ready after 0.9 s here" in once
    assert written(once, "web.yaml", made, ROOT) == once, "a second run changes nothing"
    plan = plan_profile(once, "web.yaml", (), ROOT)
    assert (plan.server.name, plan.numbers.workers.value, plan.profile.threads) == ("gthread", 2, 64)
    back = [Setting("server", "gevent", "x"), Setting("workers", 1, "x"), Setting("threads", None)]
    assert "threads" not in written(once, "web.yaml", back, ROOT), "gevent has none"


WRITTEN = [
    Setting("workers", 2, "9 requests/s"),
    Setting("resources.worker_memory", "33Mi", "30 MiB"),
    Setting("health.startup_seconds", 12, "ready after 2 s"),
]
#: A profile in the style that a formatter, another editor or its author's taste leaves, and how it then reads.
STYLES = {
    "lists indented or not": (
        """\
name:      web     # aligned
app:
    module: "flask_server:app"   # four spaces
    path: docker/app
server: gevent
volumes:
  - {name: data, mount_path: /data, claim: data, access_mode: ReadWriteMany}
kubernetes:
    allowed_namespaces:
    - ingress-nginx
resources:
    cpu: 1
    memory: 512Mi   # of the node

# what it holds
connections: 1200
""",
        """\
name:      web     # aligned
app:
    module: "flask_server:app"   # four spaces
    path: docker/app
server: gevent
volumes:
  - {name: data, mount_path: /data, claim: data, access_mode: ReadWriteMany}
kubernetes:
    allowed_namespaces:
    - ingress-nginx
resources:
    cpu: 1
    memory: 512Mi   # of the node
    worker_memory: 33Mi  # container-kit tune: 30 MiB

# what it holds
connections: 1200
workers: 2  # container-kit tune: 9 requests/s
health:
  startup_seconds: 12  # container-kit tune: ready after 2 s
""",
    ),
    "braces over lines, what is there already": (
        """\
name: web
app: {module: "flask_server:app", path: docker/app}
server: gevent
connections: 1200
workers:    9    # mine; container-kit tune: 4 requests/s
resources: {cpu: 1,
            memory: 512Mi,}    # small
health: {startup_seconds: 30}
""",
        """\
name: web
app: {module: "flask_server:app", path: docker/app}
server: gevent
connections: 1200
workers:    2    # mine; container-kit tune: 9 requests/s
resources: {cpu: 1,
            memory: 512Mi, worker_memory: 33Mi,}    # small; container-kit tune worker_memory: 30 MiB
health: {startup_seconds: 12}  # container-kit tune startup_seconds: ready after 2 s
""",
    ),
}


#: Ends of a profile that other editors of YAML stumble over.
TAILS = [
    "workers:   # mine\nresources:\n  cpu: 1\n  memory: 512Mi\n  worker_memory:\n",
    "resources: {\n  cpu: 1,\n  memory: 512Mi,  # of the node\n}\nhealth: { # nothing yet\n}\n",
    "resources: {cpu: 1,\tmemory: 512Mi  # note\n  }\nworkers:\t9\t# held\n",
    'resources:\n  cpu: 1\n  memory: "512Mi" # a # b; c\n\n\n# at the end\n',
    "env:\n  A: |-\n    # no comment\n\nresources: {memory: 512Mi, cpu: 1}\nhealth:\n  startup_seconds: 9  ## x; ; y",
    "resources: {memory: 512Mi, cpu: 1}\nhealth:\n  liveness_path: >-\n    /a\n\n# \U0001f600\n",
    "env: {A: '\U0001f600 # }'}  # \U0001f600; tune: see the wiki\nresources: {memory: 512Mi, cpu: 1}\nworkers: 1\n",
]
HEAD = 'name: web\napp: {module: "flask_server:app", path: docker/app}\nserver: gevent\nconnections: 1200\n'


@pytest.mark.parametrize("tail", TAILS)
def test_every_value_and_comment_stays(tail: str) -> None:
    once = written(HEAD + tail, "web.yaml", WRITTEN, ROOT)
    before, after = yaml.safe_load((HEAD + tail).replace("\t", " ")), yaml.safe_load(once.replace("\t", " "))
    before["health"] = {**before.get("health", {}), "startup_seconds": 12}
    before["resources"]["worker_memory"], before["workers"] = "33Mi", 2
    assert after == before
    for comment in re.findall(r" (#+ [^'\n]*)", tail):
        assert comment in once, "with what follows, if anything"
    assert written(once, "web.yaml", WRITTEN, ROOT) == once


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("style", STYLES)
def test_nothing_else_of_a_profile_changes(style: str, newline: str) -> None:
    before, after = (text.replace("\n", newline) for text in STYLES[style])
    assert written(before, "web.yaml", WRITTEN, ROOT) == after
    assert written(after, "web.yaml", WRITTEN, ROOT) == after, "a second run changes nothing"
    assert written(before.rstrip(), "web.yaml", WRITTEN[1:2], ROOT).count("worker_memory: 33Mi") == 1, "no last newline"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (json.dumps({"name": "web", "app": {"module": "flask_server:app"}, "connections": 9}), "in braces has no room"),
        (HEAD + "? threads\npython: '3.12'\n", "something stands behind a value: .python"),
        (HEAD + "workers: 9 # mine\renv: {A: b}\n", "a carriage return that ends no line"),
        (HEAD + "threads: [1]\n", "threads is no plain value"),
        (HEAD + "gunicorn:\n  dogstatsd_tags: |+\n    a\n\n\n", "its YAML is written in a way"),
    ],
)
def test_what_cannot_be_edited_is_told_with_what_to_write(text: str, why: str) -> None:
    with pytest.raises(KitError, match=f"{why}.*; write by hand threads: 8, resources.worker_memory: 33Mi"):
        written(text, "web.yaml", [Setting("threads", 8, "x"), *WRITTEN[1:2]], ROOT)


def test_a_profile_that_would_be_wrong_is_not_written() -> None:
    with pytest.raises(KitError, match=r"it would be wrong; write by hand threads: 4\n.*K0"):
        written(MINIMAL, "web.yaml", [Setting("threads", 4, "x")], ROOT)


def test_the_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "web.yaml"
    path.write_text("old")
    path.chmod(0o640)
    replace_file(path, "new", "old", "workers: 2")
    assert (path.read_text(), path.stat().st_mode & 0o777, len(list(tmp_path.iterdir()))) == ("new", 0o640, 1)
    with pytest.raises(KitError, match=r"was changed meanwhile, .* it would be workers: 2"):
        replace_file(path, "newer", "old", "workers: 2")
    assert path.read_text() == "new"


def test_without_a_choice_only_what_was_measured_of_the_app_is_written() -> None:
    field = field_of()
    found = figures(field, **{OWN: (20.0, 100.0, 60.0)})
    assert found.verdict.chosen is None
    paths = [one.path for one in settings(field.candidates[0].plan, None, found.verdict, FACTS)]
    assert paths == ["resources.worker_memory", "health.startup_seconds"]


def test_a_model_that_is_loaded_once_is_shared_memory() -> None:
    field, found = decided()
    made = settings(field.candidates[0].plan, None, found.verdict, replace(FACTS, shared_bytes=328 * MIB))
    (shared,) = (one for one in made if one.path == "resources.shared_memory")
    master = field.candidates[0].plan.server.master_memory_bytes // MIB
    assert (shared.value, 328 - master) == ("300Mi", 300)
    assert shared.why.startswith("328 MiB measured") and f"{master} of them the server's own" in shared.why


def test_capacity_follows_the_autoscalers_target() -> None:
    plan = field_of().candidates[0].plan
    rows = capacity(plan, 900.0)
    assert [row["requests"] for row in rows] == [1000, 2000, 5000, 10000, 20000]
    assert [row["pods"] for row in rows] == [2, 4, 8, 16, 32]  # 630 each, of 900
    assert rows[0]["connections"] == 2400


def test_the_report_says_what_follows() -> None:
    field, found = decided()
    found.blocking = Blocking(True, 1.0, 52.0, 19.0, "shop/db.py:12 (query)")
    found.not_measured["the event loop"] = "it was away"
    report = json.loads(json.dumps(make_report(field.candidates[0].plan, field, Request(), found, {}), default=str))
    text = "\n".join(sentences(report))
    assert report["chosen"] == BETTER
    assert "43.1 times the profile's own" in text
    assert "the app BLOCKS it: shop/db.py:12 (query)" in text
    assert next(capacity_lines(report)) == "one pod: 905 requests/s over 1,200 connections; pods for"
    assert "30 MiB after load" in text and "left out: sync: " in text
    assert "not measured: the event loop: it was away" in text


def test_a_limit_that_nobody_keeps_is_told_with_one_that_can_be_kept() -> None:
    field = field_of()
    found = figures(field, **{OWN: (0.0, 0.0, 0.0), BETTER: (0.0, 0.0, 0.0)})
    found.limit_ms = 4.0
    for number, p99 in enumerate((12.0, 47.0, 160.0)):
        slow = {"rate": 2336.0, "due": 9, "passed": False, "lagged": 9, "failed": 0, "p99_ms": p99}
        found.trials[number : number + 1] = [(OWN, Trial(0.0, [slow, slow], client_late=True))]
    report = make_report(field.candidates[0].plan, field, Request(), found, {})
    assert report["undecided"].endswith("limit of 4.0 ms at any rate: at the lowest, 2,336 requests/s, 99 % of the "
                                        "requests took 47.0 ms; give --p99 100")  # fmt: skip
    assert not any("load client" in note(row, report) for row in report["candidates"])
    found.verdict = replace(found.verdict, undecided="no time for 3 measures: give more --minutes")
    assert "--p99 100" in make_report(field.candidates[0].plan, field, Request(), found, {})["undecided"]
    found.trials.append((BETTER, Trial(9.0, [step(9, True) | {"failed": 0}])))
    assert "--minutes" in make_report(field.candidates[0].plan, field, Request(), found, {})["undecided"]
    found.trials[-1:] = [(BETTER, Trial(0.0, [step(9, False) | {"failed": 3}]))]
    assert "--minutes" in make_report(field.candidates[0].plan, field, Request(), found, {})["undecided"], "it failed"
    assert [round_up(value) for value in (0.9, 9.1, 94.0, 1200.0)] == [1, 10, 100, 2000]


def test_who_has_kept_no_rate_begins_lower_the_next_time() -> None:
    bench = Bench(cast("Stage", None), Request(), 50, {}, alone_ms=0.5)
    missed, ended = Trial(0.0, [step(1000, False)]), Trial(0.0, fault="it does not boot")
    bench.trials += [("one", missed), ("one", ended), ("other", missed)]
    assert [bench.first_rates(name, 12)[0] for name in ("one", "other", "new")] == [250, 250, 1000]


def test_a_note_has_the_last_line_of_what_a_server_printed() -> None:
    fault = "not ready: refused\nTraceback\n  File x\nKeyError: 'y'"
    row = {"name": "x", "own": False, "eligible": True, "client_late": False, "all_passed": False, "median": 0.0}
    report: dict[str, Any] = {"chosen": None, "equals": []}
    assert note({**row, "fault": fault, "errors": "2 x 500"}, report) == "not ready: refused … KeyError: 'y'; 2 x 500"


def test_a_wait_without_a_line_of_the_app_is_not_blamed_on_a_driver() -> None:
    field, found = decided()
    found.blocking = Blocking(True, 1.0, 52.0, 19.0)
    report = make_report(field.candidates[0].plan, field, Request(), found, {})
    (line,) = (line for line in sentences(report) if line.startswith("event loop: "))
    assert "BLOCKS" not in line and "a lock or a pool of one connection" in line


def test_a_figure_that_no_rate_exceeded_is_a_lower_bound() -> None:
    assert of_steps([step(10, True), step(20, True)]).all_passed
    assert not of_steps([step(10, True), step(20, False)]).all_passed and not of_steps([]).all_passed


def test_the_page_shows_every_candidate_with_its_spread() -> None:
    field, found = decided()
    report = json.loads(json.dumps(make_report(field.candidates[0].plan, field, Request(), found, ABOUT), default=str))
    report["machine"] = {"cpus": 2}
    page = tune_page(report, field.candidates[0].plan)
    charts = {chart.title: chart for section in page.sections for chart in section.charts}
    rows = charts["Throughput of each candidate"].table.rows
    assert [row[0] for row in rows] == [row["name"] for row in report["candidates"]]
    best = next(row for row in rows if row[0] == BETTER)
    figures = next(row["figures"] for row in report["candidates"] if row["name"] == BETTER)[1:]
    assert best[2:4] == (f"{min(figures):,.0f}", f"{max(figures):,.0f}")
    assert BETTER in page.heading and "Capacity" in [section.title for section in page.sections]
    assert BETTER in html(page)


def test_it_starts_five_times_slower_than_here_or_in_ten_seconds() -> None:
    assert startup_seconds(FACTS) == 10
    assert startup_seconds(replace(FACTS, ready_seconds=7.1)) == 36


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "none.yaml: No such file or directory"),
        (["{profile}", "--path", "nope"], "--path: 'nope' is no path"),
        (["{profile}", "--minutes", "500"], "--minutes"),
        (["{profile}", "--server", "uvicorn"], "--server"),
        (["{profile}", "--write", "--set", "port=5000"], "--write and --set exclude each other"),
    ],
)
def test_the_users_mistakes_end_with_2_before_anything_boots(
    tmp_path: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "web.yaml"
    profile.write_text(MINIMAL.replace(", path: docker/app", ", path: ."))
    monkeypatch.setattr(images, "find_client", lambda _: pytest.fail("asked for an engine"))
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    found = CliRunner().invoke(commands, ["tune", *(argument.format(profile=profile) for argument in arguments)])
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    assert found.exit_code == 2, found.output
    assert message in found.stderr
