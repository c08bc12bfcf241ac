"""The NetworkPolicy, where it is enforced: who reaches the pods, and who does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from generator.proof.kubectl import Kubectl
from generator.proof.steady_load import SteadyLoad
from tests.cluster.cluster import NAMESPACE, Cluster
from tests.cluster.conftest import Deploy
from tests.cluster.scenarios import Deployed

SMALL = "profiles/small.yaml"
OTHER = f"{NAMESPACE}-other"


@pytest.fixture
def other(cluster: Cluster) -> Iterator[Kubectl]:
    """A second namespace."""
    if not cluster.own:
        pytest.skip("whether this cluster's network plugin enforces policies is its owner's choice")
    with cluster.namespace(OTHER) as there:
        yield there


def requests(kubectl: Kubectl, to: Deployed) -> Any:
    """What becomes of a few requests, each over a connection of its own."""
    address = to.cluster.get("service", to.app)["spec"]["clusterIP"]
    words = ("--keep=0", "--fresh=3", "--slow=0", "--seconds=5", "--at-least=0", "--timeout=4")
    return SteadyLoad(kubectl, to.image, address, words).result()


def test_only_the_namespaces_of_the_profile_reach_the_pods(deploy: Deploy, cluster: Cluster, other: Kubectl) -> None:
    own = deploy(SMALL)
    assert requests(cluster.kubectl, own)["failed"] == 0
    refused = requests(other, own)
    assert refused["failed"] == refused["sent"] > 0
    # Whether a packet is dropped or rejected is the engine's choice.
    assert all(cause.startswith("connect") for cause in refused["kinds"]["fresh"]["failed"]), refused
    admitting = deploy(SMALL, "name=admitting", f"kubernetes.allowed_namespaces=[{OTHER}]")
    assert requests(other, admitting)["failed"] == 0
    cluster.run("delete", "hpa,deployment", admitting.app, "--wait=false")
