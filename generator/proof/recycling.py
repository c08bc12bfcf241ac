"""Workers that max_requests replaces while something is measured: planned, unlike those that die."""

from __future__ import annotations

import re
from dataclasses import replace

from ..containers.container import Logs
from ..plan.plan import Plan
from .claim import FAILED, NOTED, Claim

#: What such a worker logs at level info: gunicorn's classes, and pywsgi. One that dies says neither.
_LAST_REQUEST = re.compile(
    r"\[(\d+)\] \[INFO\] Autorestarting worker|Worker \(pid:(\d+)\) has served max_requests and is to be replaced"
)
WITHOUT = "--set max_requests=0 --set max_requests_jitter=0 measures without that."


def recycled(logs: Logs) -> frozenset[int]:
    """The process ids of those that have said so."""
    return frozenset(int(one or other) for one, other in _LAST_REQUEST.findall(logs.stdout + logs.stderr))


def beside_recycling(plan: Plan, claim: Claim, replaced: int, closed: int) -> Claim:
    """The claim as it was judged but for connections that were ``closed`` while ``replaced`` workers were.

    Which connections closed for another reason nobody can tell, so the claim is neither held nor failed.
    """
    if claim.verdict == FAILED and plan.profile.max_requests:
        advice = f"{claim.advice} max_requests replaces workers after {plan.profile.max_requests} requests: {WITHOUT}"
        return replace(claim, advice=advice)
    if replaced and closed:
        why = f"not judged, since max_requests replaced {replaced} workers, which close what is idle. {WITHOUT}"
        return replace(claim, measured=f"{claim.measured}; {closed} closed: {why}", verdict=NOTED)
    return claim
