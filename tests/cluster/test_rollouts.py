"""Rollouts, scaling, lost pods: thousands of requests through the Service meanwhile, and none of them fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from generator.proof.kubectl import ready
from generator.render.render import render
from tests.cluster import scenarios
from tests.cluster.cluster import wait
from tests.cluster.conftest import BROKEN, NEXT, Deploy
from tests.cluster.scenarios import MIN_REQUESTS, Deployed, none_failed, under_load
from tests.containers import kit

SMALL = "profiles/small.yaml"
OTHERS = [
    profile
    for profile in kit.PROFILES
    if profile != SMALL and kit.plan_of(profile).server.production and not kit.plan_of(profile).server.legacy
]


@pytest.mark.quick
def test_rolling_restart_of_small(deploy: Deploy) -> None:
    none_failed(under_load(deploy(SMALL), "restart", scenarios.restart))


ACTIONS: dict[str, Callable[[Deployed], object]] = {
    "new image": scenarios.image(f"{NEXT}:dev"),
    "undo": scenarios.undo,
    "scale up": scenarios.scale(3),
    "scale down": scenarios.scale(2),
    "delete a pod": scenarios.delete,
    "evict a pod": scenarios.evict,
}


@pytest.mark.parametrize("scenario", ACTIONS)
def test_small_under_load(deploy: Deploy, changed_images: dict[str, str], scenario: str) -> None:
    none_failed(under_load(deploy(SMALL), scenario, ACTIONS[scenario]))


@pytest.mark.parametrize("profile", OTHERS)
def test_rolling_restart_of_every_server(deploy: Deploy, profile: str) -> None:
    deployed = deploy(profile)
    # A request of 3 s in time.sleep() is all that a worker of these does meanwhile.
    blocks = deployed.plan.server.name in ("sync", "meinheld")
    none_failed(under_load(deployed, "restart", scenarios.restart, slow=0 if blocks else 1))
    # Room for the next: all of them together ask for more CPUs than the node says that it has.
    deployed.cluster.run("delete", "hpa,deployment", deployed.app, "--wait=false")


def test_requests_of_20_seconds_survive_a_rolling_restart(deploy: Deploy) -> None:
    """1,500 of them at a time, of which a pod that ends finishes its own."""
    long: dict[str, Any] = {"path": "/sleep?ms=20000", "keep": 0, "slow": 0, "timeout": 60}
    none_failed(under_load(deploy(SMALL), "restart, requests of 20 s", scenarios.restart, **long))


#: What a client sees whose request is on its way while the server closes the connection, idle until then: neither knows
#: of the other (RFC 9112, 9.3.1), and a client may send such a request again.
CLOSED_IDLE = {"reused: ConnectionResetError", "reused: closed before the response"}


def test_idle_connections_meet_nothing_worse_than_a_closed_one(deploy: Deploy) -> None:
    """600 of them, each with a request in ten seconds: more than the second in which the server waits for one."""
    idle = {"connections": 600, "keep": 60}
    report = under_load(deploy(SMALL), "restart, 600 idle connections", scenarios.restart, **idle)
    assert report["sent"] >= MIN_REQUESTS
    assert {cause for kind in report["kinds"].values() for cause in kind["failed"]} <= CLOSED_IDLE, report
    assert report["failed"] <= report["kinds"]["keep"]["closed_idle"], report


def test_a_changed_configuration_alone_rolls_the_pods(deploy: Deploy) -> None:
    deployed = deploy(SMALL)
    before = {pod["metadata"]["name"] for pod in deployed.pods()}
    changed = kit.plan_of(SMALL, "keepalive=70")

    def apply(to: Deployed) -> None:
        to.cluster.run("apply", "-f", "-", text=render(changed)[changed.manifest])

    none_failed(under_load(deployed, "changed configuration", apply))
    assert not before & {pod["metadata"]["name"] for pod in deployed.pods()}
    log = deployed.cluster.run("logs", deployed.ready_pod(), "-c", "app").stdout
    assert '"keepalive": {"value": 70' in log
    deployed.cluster.run("apply", "-f", "-", text=deployed.manifest)
    deployed.settle()


@pytest.mark.quick
def test_an_image_that_fails_at_import_never_replaces_healthy_pods(
    deploy: Deploy, changed_images: dict[str, str]
) -> None:
    deployed = deploy(SMALL)
    before = {pod["metadata"]["name"] for pod in deployed.pods()}
    client = deployed.client(seconds=scenarios.LONGEST)
    scenarios.image(changed_images[BROKEN])(deployed)

    def failed() -> bool:
        new = [pod for pod in deployed.pods() if pod["metadata"]["name"] not in before]
        return any("restartCount" in each and each["restartCount"] for pod in new for each in statuses(pod))

    wait(failed, 300, "the new pod fails")
    client.stop()
    report = client.result()
    left = deployed.pods()
    assert before <= {pod["metadata"]["name"] for pod in left if ready(pod)}
    scenarios.undo(deployed)
    deployed.settle()
    scenarios.record(deployed, "image that fails at import", report)
    none_failed(report)


def statuses(pod: Any) -> list[Any]:
    return list(pod["status"].get("containerStatuses") or [])


@pytest.mark.quick
def test_an_eviction_is_refused_while_another_pod_is_missing(deploy: Deploy) -> None:
    deployed = deploy(SMALL)
    assert scenarios.evict(deployed).returncode == 0
    refused = scenarios.evict(deployed)
    assert refused.returncode != 0 and "disruption budget" in refused.stderr
    deployed.settle()
