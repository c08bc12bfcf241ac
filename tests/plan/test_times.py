"""How long a request may take, and who waits for it: the same number from the server to the route."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from generator.plan.explain import explanation
from generator.render.render import render
from tests.fast_support import MINIMAL, plan_of

#: (settings, what a request may take, what it has at a stop, proxy_read_timeout, reasons)
TIMES = [
    ((), 30, 30, 35, ("the longer of timeout (30) and graceful_timeout (30)", "a longer request_timeout gets that")),
    (("timeout=120",), 120, 30, 125, ("the longer of timeout (120)", "")),
    (("graceful_timeout=90",), 90, 90, 95, ("and graceful_timeout (90)", "seconds that requests in flight have")),
    (("request_timeout=300",), 300, 300, 305, ("request_timeout (300)", "so that a stop cuts none")),
    (("request_timeout=8", "timeout=3"), 8, 30, 13, ("request_timeout (8)", "a longer request_timeout")),
    (("request_timeout=300", "graceful_timeout=20"), 300, 20, 305, ("request_timeout (300)", "requests in flight")),
]
CONTROLLER = "allowed_cidrs: [{cidr: 10.7.0.0/24}], "


@pytest.mark.parametrize(("overrides", "request_s", "graceful_s", "read_s", "reasons"), TIMES)
def test_everybody_waits_for_a_request(
    overrides: tuple[str, ...], request_s: int, graceful_s: int, read_s: int, reasons: tuple[str, str]
) -> None:
    plan = plan_of("", *overrides)
    times = plan.times
    assert (times.request_timeout.value, times.graceful_timeout.value) == (request_s, graceful_s)
    assert reasons[0] in times.request_timeout.reason and reasons[1] in times.graceful_timeout.reason
    files = render(plan)
    nginx = files[f"{plan.folder}/nginx.conf"]
    for line in (f"proxy_read_timeout {read_s}s;", f"proxy_send_timeout {read_s}s;"):
        assert line in nginx
    assert f"worker_shutdown_timeout {graceful_s}s;" in nginx
    assert f"\ngraceful_timeout = {graceful_s}\n" in files[f"{plan.folder}/gunicorn.conf.py"]
    assert f"\ntimeout = {plan.profile.timeout}\n" in files[f"{plan.folder}/gunicorn.conf.py"], "finds a hang as soon"
    services = yaml.safe_load(files[f"{plan.folder}/compose.yaml"])["services"]
    assert services["app"]["stop_grace_period"] == f"{5 + graceful_s + 5}s"
    assert services["proxy"]["stop_grace_period"] == f"{graceful_s + 5}s"
    assert pod(files[plan.manifest])["terminationGracePeriodSeconds"] == 5 + graceful_s + 5


def pod(manifest: str) -> Any:
    return of_kind(manifest, "Deployment")["spec"]["template"]["spec"]


def of_kind(manifest: str, kind: str) -> Any:
    return next(one for one in yaml.safe_load_all(manifest) if one["kind"] == kind)


@pytest.mark.parametrize(
    ("more", "proxy", "seconds"),
    [("", "false", None), ("request_timeout: 300\n", "false", 305), ("request_timeout: 300\n", "true", 310)],
)
def test_the_route_waits_longest(more: str, proxy: str, seconds: int | None) -> None:
    """None without request_timeout: what the controller does by itself."""
    ingress = f"kubernetes: {{{CONTROLLER}proxy: {proxy}, route: {{kind: ingress, host: a.b}}}}\n"
    plan = plan_of(more + ingress)
    annotations = of_kind(render(plan)[plan.manifest], "Ingress")["metadata"].get("annotations", {})
    sides = ("read", "send") if seconds else ()
    assert annotations == {f"nginx.ingress.kubernetes.io/proxy-{side}-timeout": str(seconds) for side in sides}
    assert ("route_seconds" in explanation(plan)["times"]) == bool(seconds)
    gateway = f"kubernetes: {{{CONTROLLER}proxy: {proxy}, route: {{kind: httproute, host: a.b, gateway: g}}}}\n"
    plan = plan_of(more + gateway)
    (rule,) = of_kind(render(plan)[plan.manifest], "HTTPRoute")["spec"]["rules"]
    assert rule.get("timeouts") == ({"request": f"{seconds}s"} if seconds else None)


def test_the_profiles_own_annotation_wins() -> None:
    name = "nginx.ingress.kubernetes.io/proxy-read-timeout"
    route = f"route: {{kind: ingress, host: a.b, annotations: {{{name}: '900', a: b}}}}"
    plan = plan_of(f"request_timeout: 300\nkubernetes: {{{CONTROLLER}{route}}}\n")
    found = of_kind(render(plan)[plan.manifest], "Ingress")["metadata"]["annotations"]
    assert (found[name], found["a"]) == ("900", "b")
    assert found["nginx.ingress.kubernetes.io/proxy-send-timeout"] == "305"


#: (server, settings, a part of the note)
NOTES = [
    ("gevent", ("request_timeout=300",), "computes for so long without a pause"),
    ("meinheld", ("request_timeout=300",), "computes for so long without a pause"),
    ("gthread", ("request_timeout=300",), "in C code that holds the GIL"),
    ("gevent", ("request_timeout=30",), ""),
    ("gevent", (), ""),
]


@pytest.mark.parametrize(("server", "overrides", "part"), NOTES)
def test_a_request_that_computes_looks_hung(server: str, overrides: tuple[str, ...], part: str) -> None:
    plan = plan_of("", *overrides, base=MINIMAL.replace("server: gevent", f"server: {server}"))
    note = plan.times.request_note
    assert (part in note) and bool(note) == bool(part)
    configuration = render(plan)[f"{plan.folder}/gunicorn.conf.py"]
    assert ("Requests may take longer than timeout (30 s)" in configuration) == bool(part)


def test_a_stop_that_cuts_promised_requests_is_reported() -> None:
    plan = plan_of("", "request_timeout=300", "graceful_timeout=20")
    (warning,) = explanation(plan)["warnings"]
    assert "graceful_timeout (20 s) is shorter than request_timeout (300 s)" in warning
    assert not plan_of("", "request_timeout=300", "graceful_timeout=300").times.warnings


@pytest.mark.parametrize(("request_timeout", "seconds"), [("null", 3600), ("300", 3600), ("3600", 3605)])
def test_the_route_does_not_end_a_silent_websocket(request_timeout: str, seconds: int) -> None:
    more = f"websocket: true\nconnections: 500\nrequest_timeout: {request_timeout}\n"
    base = MINIMAL.replace("connections: 1200\n", "")
    ingress = plan_of(f"{more}kubernetes: {{{CONTROLLER}route: {{kind: ingress, host: a.b}}}}\n", base=base)
    annotations = of_kind(render(ingress)[ingress.manifest], "Ingress")["metadata"]["annotations"]
    for side in ("read", "send"):
        assert annotations[f"nginx.ingress.kubernetes.io/proxy-{side}-timeout"] == str(seconds)
    route = plan_of(f"{more}kubernetes: {{{CONTROLLER}route: {{kind: httproute, host: a.b, gateway: g}}}}\n", base=base)
    rule = of_kind(render(route)[route.manifest], "HTTPRoute")["spec"]["rules"][0]
    assert rule["timeouts"] == {"request": "0s"}
