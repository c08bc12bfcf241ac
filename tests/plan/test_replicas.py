"""How many pods, and why: a row for each case, with the expected numbers and the bounds that decided them."""

from __future__ import annotations

import pytest

from tests.fast_support import faults_of, plan_of

#: (kubernetes section, fewest, decided by, most, decided by); a pod of the minimal profile holds 1200 connections.
RANGES = [
    ("{}", 2, "availability", 3, "min_replicas"),
    ("{connections: 1200}", 2, "availability", 3, "min_replicas"),
    ("{connections: 1201}", 3, "connections", 4, "min_replicas"),
    ("{connections: 12000}", 11, "connections", 15, "headroom_percent"),
    ("{connections: 12000, headroom_percent: 100}", 11, "connections", 20, "headroom_percent"),
    ("{connections: 12000, headroom_percent: 0}", 11, "connections", 12, "min_replicas"),
    ("{connections: 12000, min_replicas: 10}", 10, "profile", 15, "headroom_percent"),
    ("{connections: 12000, max_replicas: 30}", 11, "connections", 30, "profile"),
    ("{min_replicas: 5}", 5, "profile", 6, "min_replicas"),
    ("{min_replicas: 1, max_replicas: 1}", 1, "profile", 1, "profile"),
]


@pytest.mark.parametrize(("section", "minimum", "minimum_by", "maximum", "maximum_by"), RANGES)
def test_range(section: str, minimum: int, minimum_by: str, maximum: int, maximum_by: str) -> None:
    pods = plan_of(f"kubernetes: {section}\n").kubernetes
    assert pods.replicas is None
    assert (pods.min_replicas.value, pods.min_replicas.decided_by) == (minimum, minimum_by)
    assert (pods.max_replicas.value, pods.max_replicas.decided_by) == (maximum, maximum_by)
    assert "horizontalpodautoscaler" in pods.kinds


def test_reasons_show_the_formula() -> None:
    pods = plan_of("kubernetes: {connections: 100000}\n", "connections=10000", "resources.memory=2Gi").kubernetes
    assert pods.min_replicas.reason == "100000 connections / 10000 a pod = 10, and one that may be missing"
    assert pods.max_replicas.reason == "10 needed + 50 % head-room, rounded up = 15"
    assert "70" not in pods.target_cpu.reason and "request of 1 CPU" in pods.target_cpu.reason
    assert "more than 0.7 CPU" in pods.target_cpu.reason


def test_a_fixed_number_has_no_autoscaler() -> None:
    pods = plan_of("kubernetes: {replicas: 10, connections: 12000}\n").kubernetes
    assert pods.replicas is not None and pods.replicas.value == 10
    assert "each holds 1200 connections, 10 needed" in pods.replicas.reason
    assert "horizontalpodautoscaler" not in pods.kinds


#: (server, more settings, kubernetes section, all connections to the backend or None, what each worker opens)
BACKENDS = [
    ("gthread", "", "{replicas: 3, backend_connections: 96}", 96, "2 workers x 16 threads x 3 pods = 96"),
    ("gthread", "", "{backend_connections: 100}", 96, "2 workers x 16 threads x 3 pods = 96"),
    ("gthread", "threads: 4\n", "{replicas: 2, backend_connections: 20}", 16, "2 workers x 4 threads x 2 pods = 16"),
    ("gthread", "", "{replicas: 2, backend_connections: 20, backend_pool: 5}", 20, "2 workers x 5 backend_pool x 2"),
    ("gevent", "", "{replicas: 2, backend_connections: 50, backend_pool: 10}", 20, "1 workers x 10 backend_pool x 2"),
    ("gevent", "", "{replicas: 1, backend_connections: 2000}", 1560, "1 workers x 1560 worker_connections x 1 pods"),
    ("gevent", "", "{replicas: 1}", None, ""),
]


@pytest.mark.parametrize(("server", "more", "section", "total", "reason"), BACKENDS)
def test_backend_connections(server: str, more: str, section: str, total: int | None, reason: str) -> None:
    number = plan_of(f"{more}kubernetes: {section}\n", f"server={server}").kubernetes.backend_connections
    assert (None if number is None else number.value) == total
    assert number is None or reason in number.reason


#: (server, kubernetes section, what is needed, the factor to lower)
TOO_MANY = [
    ("gthread", "{replicas: 3, backend_connections: 95}", "at least 96: 2 workers x 16 threads x 3", "threads to 15"),
    ("gthread", "{backend_connections: 90}", "2 workers x 16 threads x 3 pods", "lower threads to 15"),
    ("gevent", "{backend_connections: 100}", "1 workers x 1560 worker_connections", "kubernetes.backend_pool to 33"),
    ("gevent", "{backend_connections: 20, backend_pool: 10}", "at least 30", "kubernetes.backend_pool to 6"),
    ("gthread", "{replicas: 9, backend_connections: 10}", "x 9 pods", "lower workers, or kubernetes.replicas"),
    ("gthread", "{min_replicas: 9, backend_connections: 10}", "x 10 pods", "lower workers, or kubernetes.max_replicas"),
]


@pytest.mark.parametrize(("server", "section", "allowed", "remedy"), TOO_MANY)
def test_more_than_the_backend_allows_names_the_factor(server: str, section: str, allowed: str, remedy: str) -> None:
    (fault,) = faults_of(f"kubernetes: {section}\n", f"server={server}")
    assert fault.path == "kubernetes.backend_connections"
    assert allowed in fault.allowed and remedy in fault.remedy
