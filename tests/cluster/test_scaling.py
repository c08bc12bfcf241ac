"""The autoscaler on real figures: up while the pods are busy, down when they are not, and nothing lost meanwhile."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.cluster import scenarios
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy
from tests.cluster.scenarios import none_failed

SMALL = "profiles/small.yaml"
#: Pods so small that also a busy machine of two CPUs gives them all that they may have. Three of 250m were at 63 % of
#: it while thirty processes wanted to run, and no autoscaler adds a pod to that.
SMALL_PODS = (
    "name=scaled",
    "connections=300",
    "resources.cpu=150m",
    "resources.memory=256Mi",
    "kubernetes.connections=600",
)
#: Far more than the pods can compute, by clients that wait for each response before they ask again. So the pods are as
#: busy as their limit allows, on a fast machine and on a slow one, and no more than 24 requests ever wait. A rate of
#: requests that was meant to be 86 % of the limit was 96 % of it (239m of 250m), and had it been more than the pods can
#: compute, requests would have waited ever longer. Each connection is closed after its response: the next may go to a
#: pod that has been added.
BUSY: dict[str, Any] = {
    "path": "/cpu?ms=10",
    "header": "Connection: close",
    "keep": 1000,
    "connections": 24,
    "fresh": 0,
    "slow": 0,
}
CALM: dict[str, Any] = {"keep": 60, "fresh": 0, "slow": 0}
#: Each load ends when what it is for has happened: this only bounds it.
LONGEST = 900


def desired_replicas(cluster: Cluster, app: str) -> int:
    return int(cluster.get("deployment", app)["spec"]["replicas"])


def scaler(cluster: Cluster, app: str) -> str:
    """What the autoscaler says of itself, for a failure's message."""
    found = cluster.get("hpa", app)
    events = cluster.run("get", "events", "--field-selector", f"involvedObject.name={app}").stdout
    return f"{json.dumps(found['status'])}\n{events}"


def wait_for_pods(cluster: Cluster, app: str, pods: int, what: str) -> None:
    try:
        wait(lambda: desired_replicas(cluster, app) == pods, LONGEST - 60, what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {scaler(cluster, app)}") from None


def test_the_autoscaler_adds_a_pod_under_load_and_removes_it_afterwards(deploy: Deploy, cluster: Cluster) -> None:
    deployed = deploy(SMALL, *SMALL_PODS)
    pods = desired_replicas(cluster, deployed.app)
    assert pods == deployed.plan.kubernetes.min_replicas.value
    assert pods + 1 == deployed.plan.kubernetes.max_replicas.value, "so that it cannot add two"
    wait(
        lambda: cluster.get("hpa", deployed.app)["status"].get("currentMetrics"),
        300,
        "the autoscaler has figures: is a metrics-server at work?",
    )
    client, start = deployed.client(**BUSY, seconds=LONGEST), time.monotonic()
    wait_for_pods(cluster, deployed.app, pods + 1, "a pod more")
    seconds = time.monotonic() - start
    deployed.settle(LONGEST)
    client.stop()
    report = client.result()
    scenarios.record(deployed, "autoscaler adds a pod", report, f"it was wanted after {seconds:.0f} s")
    none_failed(report)

    # The five minutes of calm that the manifest waits for are shortened; the rule that follows them is its own.
    calm = {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 15}}}}
    cluster.run("patch", "hpa", deployed.app, "-p", json.dumps(calm))
    client = deployed.client(**CALM, seconds=LONGEST)
    wait_for_pods(cluster, deployed.app, pods, "the pod is removed again")
    deployed.settle(LONGEST)
    client.stop()
    report = client.result()
    scenarios.record(deployed, "autoscaler removes a pod", report)
    none_failed(report)
    cluster.run("delete", "hpa,deployment", deployed.app, "--wait=false")
