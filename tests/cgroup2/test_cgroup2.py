"""Sizing, freezing and running out of memory on a kernel whose cgroups are of version 2, as most nodes have them."""

from __future__ import annotations

from typing import Any

import pytest

from generator.containers.docker import Docker
from tests.cgroup2 import machine
from tests.containers import kit
from tests.containers.conftest import docker as docker  # the engine that builds the image

MIB = 2**20
SMALL = "profiles/small.yaml"
#: A page that takes more memory than its group may have.
HOG = b"""

@app.get("/hog")
def hog():
    return str(len(b"x" * (400 * 1024 * 1024)))
"""
#: The groups from the outermost to the server's own. The machine has two CPUs.
SCENARIOS: list[dict[str, Any]] = [
    {"name": "own-quota", "groups": [{"cpu.max": "50000 100000", "memory.max": str(300 * MIB)}]},
    {"name": "quota-of-two", "groups": [{"cpu.max": "150000 100000", "memory.max": str(300 * MIB)}]},
    {"name": "no-limit", "groups": [{}]},
    {"name": "cpuset", "groups": [{"cpuset.cpus": "1"}]},
    {"name": "memory-caps", "groups": [{"memory.max": str(96 * MIB)}]},
    {"name": "two-levels", "groups": [{"memory.max": str(900 * MIB)}, {"cpu.max": "100000 100000"}]},
    {
        "name": "frozen",
        "groups": [{"cpu.max": "200000 100000", "memory.max": str(300 * MIB)}],
        "environment": {"GUNICORN_CMD_ARGS": "--timeout 3"},
        "freeze": 9,
    },
    {"name": "killed", "groups": [{"memory.max": str(300 * MIB)}], "kill": "/hog"},
]


@pytest.fixture(scope="session")
def found(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All scenarios, in one boot of the machine."""
    if why := machine.why_not():
        pytest.fail(f"no machine with cgroups of version 2: {why}")
    image = kit.build(docker, kit.plan_of(SMALL))
    return machine.boot(docker, image, SCENARIOS, {"/app/flask_server.py": HOG}, tmp_path_factory.mktemp("machine"))


@pytest.mark.parametrize("name", [each["name"] for each in SCENARIOS])
def test_every_scenario_serves_to_its_end_and_stops_by_itself(found: Any, name: str) -> None:
    result = found[name]
    assert "error" not in result, result["error"]
    assert result["exit_code"] == 0, result["log"]
    assert len(result["before"]) == len(result["after"]) == result["numbers"]["workers"]["value"]


@pytest.mark.parametrize(
    ("name", "cpus", "decided_by"),
    [("own-quota", 1, "quota"), ("quota-of-two", 2, "quota"), ("no-limit", 2, "affinity"), ("cpuset", 1, "affinity")],
)
def test_cpus_are_the_groups_and_not_the_machines(found: Any, name: str, cpus: int, decided_by: str) -> None:
    number = found[name]["numbers"]["cpus"]
    assert (number["value"], number["decided_by"]) == (cpus, decided_by), number


def test_memory_caps_the_workers(found: Any) -> None:
    workers = found["memory-caps"]["numbers"]["workers"]
    assert workers["decided_by"] == "memory" and workers["value"] < 2, workers


def test_in_a_namespace_of_its_own_a_group_sees_its_own_limits_only(found: Any) -> None:
    """As in a container: the limits of the pod above it are not visible, and are written into the container's group."""
    numbers = found["two-levels"]["numbers"]
    assert (numbers["cpus"]["value"], numbers["cpus"]["decided_by"]) == (1, "quota")


def test_a_freeze_longer_than_timeout_costs_no_worker(found: Any) -> None:
    assert found["frozen"]["after"] == found["frozen"]["before"], found["frozen"]["log"]


def test_out_of_memory_costs_the_worker_and_not_the_master(found: Any) -> None:
    result = found["killed"]
    assert result["oom_kills"] >= 1
    assert result["after"] != result["before"]
