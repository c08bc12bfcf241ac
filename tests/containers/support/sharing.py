"""How the processes of pytest-xdist share the tests on servers and containers among themselves."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Modules whose tests share a boot of one profile at most: each profile is a unit of its own, so that the last units
#: are short and all processes end together. In any other module they share more (a network, an image's name, the rule
#: that no other proof runs meanwhile) and stay in one process.
BY_PROFILE = {
    f"tests/containers/test_{name}.py"
    for name in (
        *("boot", "build", "faults", "faults_table", "kubernetes", "probes", "proxy", "pythons", "real_apps"),
        "running",
    )
}
#: Takes longest, so it begins first.
LONGEST = "tests/containers/test_prove.py"


def unit_of(nodeid: str) -> str:
    """What one process runs in one go: a module, or the tests of one profile in it."""
    module, _, test = nodeid.partition("::")
    return f"{module}[{test.partition('[')[2]}" if module in BY_PROFILE else module


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The longest unit first, then whole modules, those with containers before the others, then parts of modules."""

    def rank(item: pytest.Item) -> tuple[bool, bool, bool]:
        unit = unit_of(item.nodeid)
        return unit != LONGEST, "[" in unit, "/containers/" not in unit

    return sorted(items, key=rank)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """``--dist loadscope`` with these units, in the order of the collection.

    The plain one begins with the modules of most tests, and ends with those that take longest, which have few.
    """

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
