"""A Kubernetes to test on, whoever runs it: kubectl, a namespace that enforces "restricted", and a client in a pod."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.containers.docker import Docker

from .node import node
from .node.build import CACHE

NAMESPACE = "kit-test"
KIND = "kit-test"
LOAD = Path(__file__).with_name("load.py")
_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@dataclass(frozen=True)
class Cluster:
    """How to reach it; ``load_image`` copies an image of the Docker engine there, under another name."""

    name: str
    command: Callable[..., list[str]]
    load_image: Callable[[Docker, str, str], None]
    #: Whether it is ours alone: the machine's processes are the node's.
    own: bool = False

    def run(self, *words: str, text: str | None = None, check: bool = True, seconds: float = 120) -> Completed:
        command = self.command("-n", NAMESPACE, *words)
        done = subprocess.run(command, check=False, input=text, capture_output=True, text=True, timeout=seconds)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}:\n{done.stdout}{done.stderr}")
        return Completed(done.returncode, done.stdout, done.stderr)

    def get(self, *words: str) -> Any:
        return json.loads(self.run("get", *words, "-o", "json").stdout)

    def apply(self, *objects: Any) -> Completed:
        return self.run("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def make_namespace(self) -> None:
        self.remove_namespace()
        metadata = {"name": NAMESPACE, "labels": _RESTRICTED}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        wait(lambda: self.run("get", "serviceaccount", "default", check=False).code == 0, 60, "its default account")

    def remove_namespace(self) -> None:
        self.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", seconds=300)

    def pods(self, app: str) -> list[Any]:
        """Those of one profile, with those that are on their way out."""
        return list(self.get("pods", "-l", f"app.kubernetes.io/instance={app}")["items"])

    def python(self, pod: str, code: str) -> str:
        """Run Python in the pod's app container."""
        return self.run("exec", pod, "-c", "app", "--", "/opt/venv/bin/python", "-c", code).stdout


@dataclass(frozen=True)
class Completed:
    """What kubectl printed."""

    code: int
    stdout: str
    stderr: str


def wait(condition: Callable[[], Any], seconds: float, what: str, every: float = 0.5) -> Any:
    """Poll until it is true; its value. Raises AssertionError with ``what`` at the deadline."""
    end = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


def ready(pod: Any) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    return bool(statuses) and all(each["ready"] for each in statuses) and not pod["metadata"].get("deletionTimestamp")


def restarts(pod: Any) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses") or [])


def settled(cluster: Cluster, app: str) -> bool:
    """All wanted pods are ready, no other is left, and the autoscaler, if there is one, has raised their number."""
    found = cluster.get("deployment,hpa", "-l", f"app.kubernetes.io/instance={app}")["items"]
    deployment, pods = next(each for each in found if each["kind"] == "Deployment"), cluster.pods(app)
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    least = max((each["spec"]["minReplicas"] for each in found if each["kind"] != "Deployment"), default=0)
    return (
        least <= wanted
        and status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("readyReplicas") == wanted == len(pods)
        and all(map(ready, pods))
    )


@dataclass
class Client:
    """A pod that loads a Service until it is done; ``result`` waits for that, and removes it."""

    cluster: Cluster
    app: str
    name: str = field(init=False)

    def start(self, image: str, **options: Any) -> Client:
        self.name = f"load-{time.time_ns() % 10**9}"
        address = self.cluster.get("service", self.app)["spec"]["clusterIP"]
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        script = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "load"}}
        container = {
            "name": "load",
            "image": image,
            "command": ["/opt/venv/bin/python", "-P", "/load/load.py", address, *words],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "load", "mountPath": "/load"}],
        }
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "load", "configMap": {"name": "load"}}],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name}, "spec": spec}
        self.cluster.apply({**script, "data": {"load.py": LOAD.read_text()}}, pod)
        wait(lambda: self.phase() != "Pending", 60, "the client's pod runs", every=0.2)
        return self

    def phase(self) -> str:
        return str(self.cluster.get("pod", self.name)["status"]["phase"])

    def result(self, seconds: float = 400) -> Any:
        wait(lambda: self.phase() in ("Succeeded", "Failed"), seconds, "the client's end")
        said = self.cluster.run("logs", self.name).stdout
        self.cluster.run("delete", "pod", self.name, "--wait=false")
        return json.loads(said.splitlines()[-1])


def of_user(kubeconfig: str) -> Cluster:
    """The user's own. Its nodes must have the images, or pull them from where the profile's image says."""

    def command(*words: str) -> list[str]:
        return ["kubectl", "--kubeconfig", kubeconfig, *words]

    return Cluster("the user's cluster", command, lambda docker, tag, name: None)


def of_kind() -> Cluster:
    """kind's, made when it is first asked for."""
    kubeconfig = CACHE / "kind.conf"
    listed = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True, check=True).stdout.split()
    if KIND not in listed:
        made = ["kind", "create", "cluster", "--name", KIND, "--kubeconfig", str(kubeconfig), "--wait", "120s"]
        subprocess.run(made, check=True)

    def load(docker: Docker, tag: str, name: str) -> None:
        docker.call("tag", tag, name)
        subprocess.run(["kind", "load", "docker-image", name, "--name", KIND], check=True)
        docker.call("rmi", "--no-prune", name)

    return Cluster("kind", of_user(str(kubeconfig)).command, load)


def of_node() -> Cluster:
    node.up()
    return Cluster("own node", node.kubectl, node.load_image, own=True)


def why_none(kubeconfig: str | None) -> str | None:
    """In one line why there is nothing to test on; None if there is."""
    if kubeconfig:
        return None if shutil.which("kubectl") else "there is no kubectl"
    if shutil.which("kind") and shutil.which("kubectl"):
        return None
    return node.why_not()


def find(kubeconfig: str | None) -> Cluster:
    """The user's cluster if one is named, else kind's if it is installed, else the node of our own."""
    if kubeconfig:
        return of_user(kubeconfig)
    if shutil.which("kind") and shutil.which("kubectl"):
        return of_kind()
    return of_node()


def named_by_user() -> str | None:
    return os.environ.get("KUBECONFIG")


def down() -> None:
    """Remove what was made here; never anything of the user's own cluster but the tests' namespace."""
    if shutil.which("kind") and (CACHE / "kind.conf").exists():
        subprocess.run(["kind", "delete", "cluster", "--name", KIND], check=True)
        (CACHE / "kind.conf").unlink()
    node.down()
