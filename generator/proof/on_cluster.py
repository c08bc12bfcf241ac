"""The profile's objects on the user's cluster: `prove --kubernetes` applies and loads them here, and removes them.

In a namespace made for it and removed afterwards, or in one that the user names (for its Secrets), of which only the
objects that the proof made are removed. Ingress and HTTPRoute are left out: they would take the host's live traffic.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from ..containers.command import undisturbed
from ..errors import KitError
from ..plan.plan import Plan
from ..profile.document import LOADER
from ..render.render import render
from .kubectl import Kubectl, NotOnCluster, poll, ready, trouble
from .request import Request
from .steady_load import LABEL, SteadyLoad

#: Kinds that are not applied: the namespace is the proof's, and routes would take live traffic.
LEFT_OUT = ("Namespace", "Ingress", "HTTPRoute")
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
#: Of load at least, and longer where what is done to the pods takes longer.
LOAD_SECONDS = 30
#: Beside what the pods need by the plan: for images, volumes, the scheduler.
SPARE_SECONDS = 120


@dataclass
class OnCluster:
    """The profile's objects in the proof's namespace."""

    kubectl: Kubectl
    plan: Plan
    objects: list[dict[str, Any]]
    image: str
    request: Request
    #: Requests a second.
    rate: float

    @property
    def instance(self) -> str:
        return self.plan.kubernetes.name

    def patience(self, one_by_one: bool) -> int:
        """Seconds in which all pods start, or in which each is replaced, one after another."""
        each = self.plan.startup_seconds + self.plan.stop_seconds.value
        return each * (len(self.kubectl.pods(self.instance)) if one_by_one else 1) + SPARE_SECONDS

    def settle(self, one_by_one: bool = False) -> None:
        """Wait until all wanted pods are ready and no other is left. Raises NotOnCluster with the pods' troubles."""
        try:
            poll(lambda: self.kubectl.settled(self.instance), self.patience(one_by_one), "all pods ready")
        except NotOnCluster as error:
            raise NotOnCluster(f"{error}; {self.troubles()}") from None

    @property
    def job(self) -> str | None:
        """The Job of app.before_start."""
        return next((str(each["metadata"]["name"]) for each in self.objects if each["kind"] == "Job"), None)

    def troubles(self) -> str:
        """What keeps the pods from being ready."""
        pods = self.kubectl.pods(self.instance)
        known = [f"{pod['metadata']['name']}: {why}" for pod in pods if (why := trouble(pod))]
        return "; ".join(known) or f"{sum(map(ready, pods))} of {len(pods)} pods are ready"

    def load(self) -> SteadyLoad:
        """A load on the Service, half of it over kept connections, half over fresh ones, until it is stopped."""
        service = self.kubectl.get("service", self.instance)["spec"]
        half = self.rate / 2
        words = (f"--path={self.request.path}", *self.request.client_words())
        longest = self.patience(one_by_one=True) + SPARE_SECONDS
        words += (f"--seconds={longest}", f"--at-least={self.rate * LOAD_SECONDS:g}")
        words += (f"--keep={half}", f"--fresh={half}", "--slow=0")
        address = f"{service['clusterIP']}:{service['ports'][0]['port']}"
        return SteadyLoad(self.kubectl, self.image, address, words)

    def ready_pod(self) -> str:
        return next(str(pod["metadata"]["name"]) for pod in self.kubectl.pods(self.instance) if ready(pod))


@contextmanager
def on_cluster(
    kubectl: Kubectl, plan: Plan, image: str | None, namespace: str | None, request: Request, rate: float
) -> Iterator[OnCluster]:
    """Make the namespace if none is named; remove at the end, whatever happens, what the proof made.

    Raises KitError where ``namespace`` already holds an object of one of the profile's names: it may be in production.
    """
    objects = proof_objects(plan, image)
    name = namespace or f"kit-proof-{plan.kubernetes.name[:40]}-{secrets.token_hex(4)}"
    here = Kubectl(kubectl.words, name)
    text = yaml.safe_dump_all(objects)
    if namespace:
        found = here.run("get", "-f", "-", "--ignore-not-found", "-o", "name", text=text).stdout.split()
        if found:
            raise KitError(
                f"--namespace {namespace} already has {', '.join(found)}: a proof never touches what may be in "
                "production; name another namespace, or none"
            )

    def remove(*words: str, text: str | None = None) -> None:
        here.run("delete", *words, "--wait=false", text=text, check=False, seconds=60)

    try:
        if not namespace:
            here.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
        here.apply(load_policy(name))
        yield OnCluster(here, plan, objects, image or plan.image, request, rate)
    finally:
        with undisturbed():
            if namespace:
                labels = ",".join(f"{key}={value}" for key, value in LABEL.items())
                remove("-f", "-", "--ignore-not-found", text=text)
                remove("pod,configmap,networkpolicy", "-l", labels)
            else:
                remove("namespace", name, "--ignore-not-found")
        if not namespace:  # it is on its way out now, also if nobody waits for it any more
            here.run("wait", "--for=delete", f"namespace/{name}", "--timeout=300s", check=False, seconds=320)


def proof_objects(plan: Plan, image: str | None) -> list[dict[str, Any]]:
    """The manifest's objects without those left out, in no namespace of their own, with ``image`` where given."""
    kept = []
    for each in yaml.load_all(render(plan)[plan.manifest], Loader=LOADER):
        if each["kind"] in LEFT_OUT:
            continue
        each["metadata"].pop("namespace", None)
        kept.append(each)
        pod = each.get("spec", {}).get("template", {}).get("spec", {}) if image else {}
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            if container["image"] == plan.image:
                container["image"] = image
    return kept


def load_policy(namespace: str) -> dict[str, Any]:
    """Admits the load's pods, whichever namespaces the profile's own policy admits: policies add up."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "kit-proof-load", "namespace": namespace, "labels": LABEL},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "container-kit"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": LABEL}}]}],
        },
    }


def machine(kubectl: Kubectl) -> dict[str, Any]:
    """What a reader must know of the cluster: its version and its nodes."""
    version = json.loads(kubectl.run("version", "-o", "json").stdout)["serverVersion"]["gitVersion"]
    nodes: Sequence[Any] = kubectl.get("nodes")["items"]
    first = nodes[0]["status"]["nodeInfo"]
    return {
        "engine": f"Kubernetes {version}",
        "kernel": first["kernelVersion"],
        "architecture": first["architecture"],
        "container_runtime": first["containerRuntimeVersion"],
        "nodes": len(nodes),
        "cpus": sum(_cpus(node["status"]["capacity"]["cpu"]) for node in nodes),
    }


def _cpus(text: str) -> float:
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)
