"""The autoscaler on real figures: up while the pods are busy, down when they are not, and nothing lost meanwhile."""

from __future__ import annotations

import json

from tests.cluster import scenarios
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy

SMALL = "profiles/small.yaml"
#: Pods of a quarter of a CPU, so that one more fits on a node of two.
QUARTERS = (
    "name=scaled",
    "connections=300",
    "resources.cpu=250m",
    "resources.memory=256Mi",
    "kubernetes.connections=600",
)
#: Requests a second and pod, of 20 ms of CPU each: 86 % of the quarter, above the target of 70 %.
RATE = 10.8


def desired_replicas(cluster: Cluster, app: str) -> int:
    return int(cluster.get("deployment", app)["spec"]["replicas"])


def test_the_autoscaler_adds_a_pod_under_load_and_removes_it_afterwards(deploy: Deploy, cluster: Cluster) -> None:
    deployed = deploy(SMALL, *QUARTERS)
    pods = desired_replicas(cluster, deployed.app)
    assert pods == deployed.plan.kubernetes.min_replicas.value
    wait(
        lambda: cluster.get("hpa", deployed.app)["status"].get("currentMetrics"),
        180,
        "the autoscaler has figures: is a metrics-server at work?",
    )
    client = deployed.client(path="/cpu?ms=20", fresh=round(RATE * pods), keep=0, slow=0, seconds=150, at_least=0)
    wait(
        lambda: desired_replicas(cluster, deployed.app) > pods,
        240,
        f"a pod more: {json.dumps(cluster.get('hpa', deployed.app))}",
    )
    report = client.result()
    deployed.settle()
    scenarios.record(deployed, "autoscaler adds a pod", report)
    assert report["failed"] == 0, report
    # The five minutes of calm that the manifest waits for are shortened; the rule that follows them is its own.
    calm = {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 15}}}}
    cluster.run("patch", "hpa", deployed.app, "-p", json.dumps(calm))
    client = deployed.client(keep=20, fresh=0, slow=0, seconds=100, at_least=0)
    wait(lambda: desired_replicas(cluster, deployed.app) == pods, 300, "the pod is removed again")
    report = client.result()
    assert report["failed"] == 0, report
    scenarios.record(deployed, "autoscaler removes a pod", report)
    cluster.run("delete", "hpa,deployment", deployed.app, "--wait=false")
