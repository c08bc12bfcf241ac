"""Each line of the copied configuration is a profile setting that is honoured, or a refusal that says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.docs.generate import seed_findings
from generator.docs.seed import SEED, Line
from generator.errors import ProfileError
from generator.pipeline import plan_profile

ROOT = Path(__file__).resolve().parents[2]
SMALL = (ROOT / "profiles/small.yaml").read_text()
KEYS = [line for line in SEED if line.setting]


@pytest.mark.parametrize("line", SEED, ids=lambda line: line.text)
def test_what_a_line_does_is_what_audit_finds_or_is_said_where_it_finds_nothing(line: Line) -> None:
    assert bool(seed_findings()[line.text]) != bool(line.truth)


@pytest.mark.parametrize("line", [line for line in KEYS if not line.refusal], ids=lambda line: line.text)
def test_honoured_lines(line: Line) -> None:
    plan = plan_profile(SMALL, "small.yaml", (f"{line.setting}={line.value}",))
    assert plan.profile.is_set(str(line.setting))


@pytest.mark.parametrize("line", [line for line in KEYS if line.refusal], ids=lambda line: line.text)
def test_refused_lines(line: Line) -> None:
    with pytest.raises(ProfileError) as raised:
        plan_profile(SMALL, "small.yaml", (f"{line.setting}={line.value}",))
    assert [fault.path for fault in raised.value.faults] == [line.setting]
    assert line.refusal in str(raised.value)


def test_the_seeds_rules_give_the_seeds_numbers() -> None:
    rules = (
        "workers={per_cpu: 2, plus: 1}",
        "threads={per_cpu: 2}",
        "server=gthread",
        "resources={cpu: 4, memory: 2Gi}",
    )
    numbers = plan_profile(SMALL, "small.yaml", rules).numbers
    assert numbers.workers.value == 9
    assert numbers.threads is not None and numbers.threads.value == 8
