"""A claim: what the profile promises, what was measured, and what to change where the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: What a claim comes to; "noted" are times, which nobody fails for: they are this machine's as much as the profile's.
PASSED, FAILED, NOTED = "passed", "failed", "noted"


@dataclass(frozen=True)
class Claim:
    """One line of the table; ``data`` holds the results as the tools gave them."""

    name: str
    promised: str
    measured: str
    verdict: str
    advice: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def judged(name: str, promised: str, measured: str, faults: Mapping[str, str], **data: Any) -> Claim:
    """Passed if there are no faults; ``faults`` maps what is wrong to what to change."""
    found = {fault: advice for fault, advice in faults.items() if fault}
    wrong = "; ".join(found)
    advice = " ".join(dict.fromkeys(found.values()))
    return Claim(
        name, promised, f"{measured}; {wrong}" if wrong else measured, FAILED if found else PASSED, advice, data
    )


@dataclass(frozen=True)
class Pace:
    """How long each step takes, in seconds."""

    hold: float
    #: From one health command to the next while all connections are busy; None: the period of the plan's probes.
    probe: float | None
    #: Whether there are enough of them to judge.
    judges_probes: bool
    idle: float
    sweep: float
    counts: tuple[int, ...]
    over: tuple[float, ...]
    over_seconds: float
    signal: float
    every_path: bool
    #: Whether the configuration that people copy is measured as well.
    seed: bool


QUICK = Pace(10, 4, False, 2, 2, (200,), (), 0, 2, every_path=False, seed=False)
FULL = Pace(60, None, True, 8, 5, (50, 200, 1200), (1.5, 3.0), 15, 5, every_path=True, seed=True)
