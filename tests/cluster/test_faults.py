"""A frozen master, a hung worker, and three times the load that the pods can carry."""

from __future__ import annotations

import time
from typing import Any

import pytest

from generator.proof.kubectl import restarts
from tests.cluster import scenarios
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy
from tests.cluster.node import node
from tests.cluster.scenarios import Deployed, watched_endpoints
from tests.containers import kit

SMALL = "profiles/small.yaml"
SERVERS = [
    profile
    for profile in kit.PROFILES
    if profile.startswith("profiles/servers/")
    and kit.plan_of(profile).server.production
    and not kit.plan_of(profile).server.legacy
]
#: A CPU that a few requests a second fill.
TIGHT = ("resources.cpu=200m", "resources.memory=256Mi")


def all_restarts(deployed: Deployed) -> int:
    return sum(map(restarts, deployed.pods()))


def workers_of(cluster: Cluster, pod: str) -> list[int]:
    code = "import os\nfor p in os.listdir('/proc'):\n    try:\n        s = open(f'/proc/{p}/stat').read()\n"
    code += "        c = open(f'/proc/{p}/cmdline', 'rb').read()\n    except OSError: continue\n"
    code += "    if s.rpartition(')')[2].split()[1] == '1' and b'kit_runtime.health' not in c: print(p)\n"
    return [int(line) for line in cluster.python(pod, code).split()]


@pytest.mark.quick
def test_a_hung_worker_gets_no_new_requests_and_is_replaced(deploy: Deploy) -> None:
    """Readiness sees it before the master repairs it after `timeout`; no container is restarted."""
    deployed = deploy(SMALL)
    pod = deployed.ready_pod()
    (worker,) = workers_of(deployed.cluster, pod)
    with watched_endpoints(deployed) as endpoints:
        client = deployed.client(seconds=scenarios.LONGEST, slow=0, timeout=10)
        deployed.cluster.python(pod, f"import os; os.kill({worker}, 19)")
        wait(lambda: False in endpoints[-1], 60, "the pod is taken out of the Service", every=0.1)
        assert workers_of(deployed.cluster, pod) == [worker], "before it is replaced"
        deployed.settle()
        client.stop()
        report = client.result()
    assert workers_of(deployed.cluster, pod) != [worker]
    assert all_restarts(deployed) == 0
    scenarios.record(deployed, "hung worker, SIGSTOP", report)


def test_a_killed_master(deploy: Deploy, cluster: Cluster) -> None:
    """Its container is restarted; what it lost is in the table."""
    if not cluster.own:
        pytest.skip("only the node's own processes can be signalled: nothing in a container can kill its PID 1")
    deployed = deploy(SMALL)
    pod = next(each for each in deployed.pods() if each["metadata"]["name"] == deployed.ready_pod())
    client = deployed.client(seconds=scenarios.LONGEST, slow=0)
    time.sleep(3)
    node.kill(node.master_pid(container_of(pod)), "KILL")
    wait(lambda: all_restarts(deployed) == 1, 120, "the container is restarted")
    deployed.settle()
    client.stop()
    report = client.result()
    assert all_restarts(deployed) == 1
    scenarios.record(deployed, "master killed, SIGKILL", report)
    scenarios.delete(deployed)
    deployed.settle()


def container_of(pod: Any) -> str:
    return str(pod["status"]["containerStatuses"][0]["containerID"]).removeprefix("containerd://")


@pytest.mark.quick
def test_a_frozen_master_is_restarted_and_loses_nothing_before(deploy: Deploy, cluster: Cluster) -> None:
    if not cluster.own:
        pytest.skip("only the node's own processes can be signalled: nothing in a container can stop its PID 1")
    deployed = deploy(SMALL)
    name = deployed.ready_pod()
    pod = next(each for each in deployed.pods() if each["metadata"]["name"] == name)
    node.kill(node.master_pid(container_of(pod)), "STOP")
    wait(lambda: all_restarts(deployed) == 1, 240, "the container is restarted")
    deployed.settle()
    deployed.cluster.run("delete", "pod", name, "--wait=false")  # the next test counts from none
    deployed.settle()


@pytest.mark.parametrize("replicas", [2, 3])
def test_overload_restarts_no_pod_and_empties_no_service(deploy: Deploy, replicas: int) -> None:
    overloaded(deploy(SMALL, *TIGHT, "name=tight", "connections=300", f"kubernetes.replicas={replicas}"), replicas)


@pytest.mark.parametrize("replicas", [2, 3])
@pytest.mark.parametrize("profile", SERVERS)
def test_overload_of_every_server(deploy: Deploy, profile: str, replicas: int) -> None:
    connections = f"connections={min(300, kit.plan_of(profile).profile.connections)}"
    overloaded(deploy(profile, *TIGHT, "group=tight", connections, f"kubernetes.replicas={replicas}"), replicas)


def overloaded(deployed: Deployed, replicas: int) -> None:
    """Three times the requests that the pods' CPUs can compute, for three minutes.

    Each takes 20 ms of CPU, so that 200m make ten a second. What fails is recorded and not judged: nobody can respond
    to three times what he can. It must end with the load, and nothing may make it worse.
    """
    with watched_endpoints(deployed) as endpoints:
        client = deployed.client(path="/cpu?ms=20", fresh=30 * replicas, keep=0, slow=0, seconds=180, at_least=0)
        report = client.result(600)
    assert all(any(ready) for ready in endpoints), f"all pods were out of the Service at once: {endpoints}"
    assert all_restarts(deployed) == 0, deployed.pods()
    deployed.settle()
    scenarios.record(deployed, f"three times the load, {replicas} pods", report)
    deployed.cluster.run("scale", f"deployment/{deployed.app}", "--replicas=0")
