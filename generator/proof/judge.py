"""What measured results mean: pure functions from what was recorded to a claim, with what to change where it fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ..plan.plan import Plan
from .booted import FOREIGN_IMAGE
from .claim import NOTED, Claim, judged
from .loads import percentiles
from .recycling import beside_recycling

#: Of use where the profile has another one.
ANOTHER_SERVER = " Or take a server that shares itself out among all connections (gevent)."
#: What each kind of failure of the load client says about the profile.
ADVICE = {
    "connect_refused": "Nobody listened, or the queue was full: raise backlog (and somaxconn, which cuts it).",
    "connect_timeout": "Connections waited in the queue for too long: raise backlog and somaxconn, or resources.cpu.",
    "connect_other": "The client could not open a connection: look at this machine's ports and descriptors.",
    "reset": "The server dropped requests that it had accepted: look for workers that ended, in the container's log.",
    "closed_early": "The server closed connections with a request outstanding: look for workers that ended.",
    "timeout": f"Requests got no response in time: raise resources.cpu or lower connections.{ANOTHER_SERVER}",
    "bad_response": "What came was not HTTP: is profile.port the app's own port?",
    "non_2xx": "The app returned another status: choose a request that gets 2xx, with --path, --header or --request.",
}
APP_FAILED = "The app itself failed: mend what its log names, or choose another request, with --path or --request."
NO_RESPONSE = f"Connections starve: raise resources.cpu or lower connections.{ANOTHER_SERVER}"
ENDLESS = (
    "Choose a request whose response ends within 10 s, unlike that of a stream of events, with --path or --request; if "
    "it should end, look in the log for what it waits for."
)


def failures(result: Mapping[str, Any], allowed: Sequence[str] = ()) -> dict[str, str]:
    """Of a result of the kit's client: what failed, each with what to change."""
    found = {kind: count for kind, count in result["failures"].items() if count and kind not in allowed}
    other = [status for status in result["statuses"] if not status.startswith("2")]
    advice = {**ADVICE, "non_2xx": APP_FAILED} if any(status.startswith("5") for status in other) else ADVICE
    faults = {
        f"{count} x {kind}" + (f" ({', '.join(other)})" if kind == "non_2xx" else ""): advice[kind]
        for kind, count in found.items()
    }
    if result["no_response"]:
        faults[f"{result['no_response']} connections never got a response"] = NO_RESPONSE
    return faults


def alone(result: Mapping[str, Any]) -> dict[str, str]:
    """The same of one request over one connection: no others starve it, and no other server would be quicker."""
    if result["no_response"] and not any(count for kind, count in result["failures"].items() if kind != "timeout"):
        return {"no complete response over one connection alone": ENDLESS}
    return failures({**result, "no_response": 0})


def without_own_server(plan: Plan, claim: Claim) -> Claim:
    """The claim without advice to take the server that the profile has."""
    if plan.server.name != "gevent":
        return claim
    return replace(claim, advice=claim.advice.replace(ANOTHER_SERVER, ""))


def starving(result: Mapping[str, Any]) -> dict[str, str]:
    """A fair server gives every connection about the same (5, 8 and 14 responses at least, at the median and at most
    were measured); one that serves some again and again leaves the others a fraction of it, however long it takes.
    """
    counts = result["connections"]
    minimum, median = counts["responses_min"], counts["responses_median"]
    mean = result["responses"] / max(1, counts["requested"])
    if 4 * median < mean or 10 * minimum < median:
        maximum = counts["responses_max"]
        what = f"responses on a connection: {minimum} at least, {median} at the median, {maximum} at most"
        return {what: NO_RESPONSE}
    return {}


def workers_lost(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, recycled: Collection[int] = ()
) -> dict[str, str]:
    """Between two samples of the watcher; ``recycled`` are those that max_requests has ended."""
    if not before or not after:
        return {}
    faults = {}
    if lost := set(before["workers"]) - set(after["workers"]) - set(recycled):
        faults[f"{len(lost)} workers ended"] = "See the container's log: too little memory kills them without a word."
    if (killed := (after.get("oom_kills") or 0) - (before.get("oom_kills") or 0)) > 0:
        faults[f"{killed} processes killed for memory"] = "Raise resources.memory."
    return faults


def judge_report(
    expected: Mapping[str, Any], report: Mapping[str, Any] | None, needed: int, why_none: str = FOREIGN_IMAGE
) -> Claim:
    """The boot report against --explain: every number, and the descriptors that are really there."""
    name, promised = "plan equals reality", "the booted container works with the numbers that --explain gives"
    if report is None:
        return judged(name, promised, "no boot report", {"nothing to compare": why_none})
    faults = {}
    for number, planned in expected["numbers"].items():
        real = report["numbers"].get(number, {"value": None, "decided_by": "nobody"})
        if real["value"] != planned["value"]:
            what = f"{number} is {real['value']} ({real['decided_by']}), planned {planned['value']}"
            faults[what] = "Build the image from this profile, and let no variable or argument override it."
    if 0 <= report["descriptor_limit"] < needed:
        faults[f"{report['descriptor_limit']} descriptors of {needed}"] = "Raise the container's nofile limit."
    shown = ", ".join(f"{name} {number['value']}" for name, number in report["numbers"].items())
    return judged(name, promised, shown, faults, report=report)


def judge_hold(plan: Plan, result: Mapping[str, Any], lost: Mapping[str, str], replaced: int = 0) -> Claim:
    """Whether all declared connections were held, and each got a response, while max_requests ``replaced`` workers."""
    connections, times = result["connections"], percentiles(result, ("p50", "p99", "max"))
    measured = f"{connections['held']} held, {result['failed']} failed, {result['no_response']} without a response, "
    measured += f"{result['rps']:.0f} requests/s, {times}"
    faults = {**failures(result), **starving(result), **lost}
    # A server that closes after every response holds none at any one moment, and promises none either.
    closed = connections["requested"] - connections["held"] if plan.server.honours("keepalive") else 0
    if closed and not replaced:
        faults[f"{closed} not held"] = NO_RESPONSE
    promised = f"{plan.profile.connections} connections opened at once, each gets a response"
    claim = judged("holds its connections", promised, measured, faults, load=result)
    return beside_recycling(plan, claim, replaced, closed)


def judge_probes(seen: Sequence[int], seconds: Sequence[float], retries: int, enough: bool) -> Claim:
    """Exit codes of the image's own health command while all connections were busy, and how long each took."""
    bad = sum(code != 0 for code in seen)
    row = max(len(list(group)) if failed else 0 for failed, group in groupby(seen, bool)) if seen else 0
    measured = f"{len(seen) - bad} of {len(seen)} succeeded, the slowest in {max(seconds, default=0):.1f} s"
    advice = "Raise resources.cpu or lower connections: Kubernetes would take the pod out, then restart it."
    faults = {f"{row} failed in a row": advice} if row >= retries else {}
    faults |= {} if seen else {"none ran": "The container ended, or its image has no health command."}
    promised = f"while all connections are busy, the health command never fails {retries} times in a row"
    if faults and not enough:
        return Claim("probes stay green", promised, f"{measured}; too few to judge", NOTED)
    return judged("probes stay green", promised, measured, faults, exit_codes=list(seen), seconds=list(seconds))


def judge_active(plan: Plan, alone: Mapping[str, Any], among: Mapping[str, Any], replaced: int = 0) -> Claim:
    """The active connections beside idle ones: counts decide, times are reported."""
    requested, held = among["idle"]["requested"], among["idle"]["held"]
    active = among["connections"]["requested"]
    p99 = [result["latency_ms"]["p99"] or 0 for result in (alone, among)]
    measured = f"{held} idle held, {among['failed']} failed, p99 {p99[1]:.1f} ms against {p99[0]:.1f} ms alone"
    measured += " (over 2 times)" if p99[1] > 2 * p99[0] else ""
    faults = failures(among)
    if held < requested and not replaced:
        faults[f"{requested - held} idle ones lost"] = (
            "Idle connections were closed: raise keepalive or worker_connections."
        )
    promised = f"{active} active among {requested} idle: nothing fails; "
    promised += "p99 within 2 times of alone (reported, not judged)"
    claim = judged("active among idle", promised, measured, faults, alone=alone, among=among)
    return beside_recycling(plan, claim, replaced, requested - held)


def judge_sweep(name: str, results: Sequence[Mapping[str, Any]]) -> Claim:
    """Throughput and latency at several numbers of connections."""
    shown = "; ".join(f"{r['connections']}: {r['rps']:.0f}/s {percentiles(r)}".rstrip() for r in results)
    faults = {f"{r['failed']} failed at {r['connections']}": _sweep_advice(r) for r in results if r["failed"]}
    return judged(
        f"throughput on {name}", "nothing fails; times are reported, not judged", shown, faults, runs=list(results)
    )


def _sweep_advice(result: Mapping[str, Any]) -> str:
    """By the kinds of failures, which wrk and h2load do not tell apart."""
    found = failures(result).values() if "failures" in result else [ADVICE["timeout"]]
    return " ".join(dict.fromkeys(found))


def judge_over(
    plan: Plan, factor: float, result: Mapping[str, Any], after: Mapping[str, Any], lost: Mapping[str, str]
) -> Claim:
    """More connections than declared: the declared number gets responses, the server lives, all is well after."""
    requested = result["connections"]["requested"]
    served = requested - result["no_response"]
    measured = f"of {requested}, {served} got a response, {result['failed']} requests failed; "
    measured += f"after it {after['responses']} responses, {after['failed']} failed"
    faults = dict(lost)
    if served < plan.profile.connections:
        faults[f"fewer than {plan.profile.connections} served"] = "Raise backlog, or resources.cpu."
    faults |= {f"afterwards {what}": advice for what, advice in failures(after).items()}
    promised = f"at {factor:g} times its connections {plan.profile.connections} get responses, "
    promised += "nothing dies, it recovers"
    claim = judged(f"over capacity x {factor:g}", promised, measured, faults, load=result, after=after)
    return beside_recycling(plan, claim, 0, 0)


def judge_reload(result: Mapping[str, Any], before: Sequence[int] | None, after: Sequence[int] | None) -> Claim:
    """Whether SIGHUP replaced every worker and dropped nothing; the workers are None where nobody could look."""
    measured = f"{result['responses']} responses, {result['failed']} failed, "
    faults = failures(result)
    if before is None or after is None:
        measured += "workers not seen"
    else:
        new = set(after) - set(before)
        measured += f"{len(new)} new workers"
        if not new or set(before) & set(after):
            faults["workers were not replaced"] = "Is process 1 the server? It must be for signals to reach it."
    return judged("SIGHUP under load", "workers are replaced, no request fails", measured, faults, load=result)


def judge_stop(result: Mapping[str, Any], exit_code: int, seconds: float, grace: int) -> Claim:
    """After SIGTERM nobody listens, so a refused connection is right; an accepted request must get its response."""
    measured = f"exit code {exit_code} after {seconds:.1f} s, {result['responses']} responses, "
    dropped = failures({**result, "no_response": 0}, allowed=("connect_refused",))
    measured += f"{sum(n for kind, n in result['failures'].items() if kind != 'connect_refused')} dropped"
    faults = dropped
    if exit_code != 0:
        faults[f"exit code {exit_code}"] = (
            "The server did not stop by itself: raise graceful_timeout, or look at its log."
        )
    if seconds > grace:
        faults[f"longer than {grace} s"] = "Raise graceful_timeout, or make the app's requests shorter."
    promised = f"requests in flight get their responses, exit code 0 within {grace} s"
    return judged("SIGTERM under load", promised, measured, faults, load=result, exit_code=exit_code, seconds=seconds)
