"""A PersistentVolumeClaim in the pod: the app writes to it as its own user, and the next pod reads it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.proof.kubectl import ready
from tests.cluster import notes_app
from tests.cluster.cluster import NAMESPACE, Cluster, wait
from tests.cluster.conftest import Deploy
from tests.cluster.mounted import mount
from tests.cluster.node import node

CLAIM = "kit-test-data"
LOCAL = f"{NAMESPACE}-local"


@pytest.fixture
def claim(cluster: Cluster) -> Iterator[str]:
    """Of a local volume that belongs to root, on our own node; elsewhere of the cluster's default class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    metadata = {"name": CLAIM}
    if cluster.own:
        folder = node.RUN / LOCAL
        folder.mkdir(mode=0o755, exist_ok=True)
        cluster.kubectl.apply(*local_volume(folder))
        spec["storageClassName"] = LOCAL
    cluster.kubectl.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    yield CLAIM
    cluster.run("delete", "deployment", "stored", "--ignore-not-found", "--wait=true")
    cluster.run("delete", "pvc", CLAIM, "--wait=true")
    if cluster.own:
        cluster.run("delete", "pv,storageclass", LOCAL, "--wait=true")


def local_volume(folder: Path) -> tuple[dict[str, object], ...]:
    """Not a hostPath: the kubelet gives those to no group."""
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node.NODE]}]}]
    volume = {
        "capacity": {"storage": "16Mi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": LOCAL,
        "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
    }
    metadata = {"name": LOCAL}
    return (
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata,
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": volume},
    )


def test_what_the_app_wrote_is_there_after_its_pod(cluster: Cluster, deploy: Deploy, claim: str) -> None:
    volume = f"[{{name: data, mount_path: /data, claim: {claim}}}]"
    app = mount(cluster, Path(notes_app.__file__))
    deployed = deploy("profiles/small.yaml", "name=stored", f"volumes={volume}", "kubernetes.replicas=1", *app)

    def request(arguments: str) -> str:
        url = f"http://127.0.0.1:{deployed.plan.profile.port}/notes"
        code = f"import urllib.request as r; print(r.urlopen('{url}', {arguments}timeout=30).read().decode())"
        return cluster.python(deployed.ready_pod(), code).strip()

    first = deployed.ready_pod()
    owner = cluster.python(first, "import os; s = os.stat('/data/'); print(s.st_uid, s.st_gid, os.getuid())").split()
    group = next(pod["spec"]["securityContext"]["fsGroup"] for pod in deployed.pods())
    assert owner == ["0", str(group), str(group)] and group != 0, "fsGroup alone lets the app write"
    assert request("data=b'first', ") == "kept"
    cluster.run("delete", "pod", first, "--wait=true")
    wait(lambda: [pod for pod in deployed.pods() if ready(pod)], 180, "the next pod is ready")
    assert deployed.ready_pod() != first
    assert request("data=b'second', ") == "kept"
    assert request("").split() == ["first", "second"]
