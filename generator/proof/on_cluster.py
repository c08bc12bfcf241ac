"""`prove --kubernetes`: apply the profile's manifests to the user's cluster, and restart, delete and evict under load.

In a namespace made for it and removed afterwards, or in one that the user names (for its Secrets), of which only the
objects that the proof made are removed. Ingress and HTTPRoute are left out: they would take the host's live traffic.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import KitError
from ..plan.explain import explanation
from ..plan.plan import Plan
from ..render.render import render
from . import judge
from .claim import FAILED, Claim, judged
from .kubectl import Kubectl, NotOnCluster, poll, ready, restarts, trouble
from .request import Request
from .steady_load import LABEL, SteadyLoad

#: Kinds that are not applied: the namespace is the proof's, and routes would take live traffic.
LEFT_OUT = ("Namespace", "Ingress", "HTTPRoute")
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
#: Seconds of load: before what is done to the pods, and at least in all.
BEFORE, LOAD_SECONDS = 3, 30
#: What an eviction waits for: the API server refuses it with 429 while another pod is missing.
EVICTION_SECONDS = 60

Action = Callable[["OnCluster"], None]


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

    def settle(self) -> None:
        """Wait until all wanted pods are ready and no other is left. Raises NotOnCluster with the pods' troubles."""
        seconds = self.plan.startup_seconds + self.plan.stop_seconds.value + 120
        poll(lambda: self.kubectl.settled(self.instance), seconds, f"all pods ready; {self.troubles()}")

    def troubles(self) -> str:
        pods = self.kubectl.pods(self.instance)
        known = [f"{pod['metadata']['name']}: {why}" for pod in pods if (why := trouble(pod))]
        return "; ".join(known) or f"{sum(map(ready, pods))} of {len(pods)} pods are ready"

    def load(self) -> SteadyLoad:
        """A load on the Service, half of it over kept connections, half over fresh ones."""
        service = self.kubectl.get("service", self.instance)["spec"]
        half = self.rate / 2
        words = (f"--path={self.request.path}", *self.request.client_words())
        words += (f"--seconds={LOAD_SECONDS}", "--at-least=0", f"--keep={half}", f"--fresh={half}", "--slow=0")
        address = f"{service['clusterIP']}:{service['ports'][0]['port']}"
        return SteadyLoad(self.kubectl, self.image, address, words)

    def ready_pod(self) -> str:
        return next(str(pod["metadata"]["name"]) for pod in self.kubectl.pods(self.instance) if ready(pod))


def restart(on: OnCluster) -> None:
    """A rollout without a change: what every deployment of a new version does."""
    on.kubectl.run("rollout", "restart", f"deployment/{on.instance}")


def delete(on: OnCluster) -> None:
    """Delete one pod; the Deployment replaces it."""
    on.kubectl.run("delete", "pod", on.ready_pod(), "--wait=false")


def evict(on: OnCluster) -> None:
    """What draining a node does to each of its pods."""
    pod = on.ready_pod()
    metadata = {"name": pod, "namespace": on.kubectl.namespace}
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
    path = f"/api/v1/namespaces/{on.kubectl.namespace}/pods/{pod}/eviction"

    def accepted() -> bool:
        return on.kubectl.run("create", "--raw", path, "-f", "-", text=eviction, check=False).returncode == 0

    poll(accepted, EVICTION_SECONDS, f"the eviction of {pod} is allowed")


ACTIONS: dict[str, tuple[str, Action]] = {
    "rolling restart": ("kubectl rollout restart under load: no request fails", restart),
    "deleted pod": ("a pod deleted under load: no request fails", delete),
    "evicted pod": ("a pod evicted under load, as when a node is drained: no request fails", evict),
}


def walk(on: OnCluster, quick: bool, begin: Callable[[str], None]) -> Iterator[Claim]:
    """All claims in their order; ends early where the pods do not become ready."""
    begin("kubectl apply")
    yield applied(on)
    begin("pods become ready")
    yield (found := becomes_ready(on))
    if found.verdict == FAILED:
        return
    yield repeated(on)
    yield reported(on)
    for name, (promised, action) in ACTIONS.items():
        if name == "rolling restart" or not quick:
            begin(name)
            yield under_load(on, name, promised, action)


def applied(on: OnCluster) -> Claim:
    """The API server accepts every object without a warning, Pod Security's among them."""
    done = on.kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(on.objects))
    warnings = [line for line in done.stderr.splitlines() if line.strip()]
    left_out = ", ".join(kind for kind in LEFT_OUT[1:] if f"kind: {kind}\n" in render(on.plan)[on.plan.manifest])
    measured = f"{len(on.objects)} objects, {len(warnings)} warnings"
    measured += f"; {left_out} left out, which would take live traffic" if left_out else ""
    faults = {line: "kubernetes.patches changes what the manifest says." for line in warnings}
    return judged("kubectl apply", "every object is accepted without a warning", measured, faults)


def becomes_ready(on: OnCluster) -> Claim:
    """All pods ready, and none of their containers restarted on the way."""
    promised, began = f"all pods ready within {on.plan.startup_seconds} s of their start, 0 restarts", time.monotonic()
    try:
        on.settle()
    except NotOnCluster:
        advice = "Push the image to a registry that the nodes reach, or set image; kubectl describe pod says more."
        log = last_words(on)
        advice += f" The app's last words:\n{log}" if log else ""
        return judged("pods ready", promised, f"after {time.monotonic() - began:.0f} s", {on.troubles(): advice})
    pods = on.kubectl.pods(on.instance)
    count = sum(map(restarts, pods))
    faults = {f"{count} restarts": "Raise health.startup_seconds, or read the log of the former container."}
    measured = f"{len(pods)} pods ready after {time.monotonic() - began:.0f} s"
    return judged("pods ready", promised, measured, faults if count else {})


def last_words(on: OnCluster) -> str:
    """The last lines of a pod that is not ready; of its former container where the present one has said nothing."""
    for pod in on.kubectl.pods(on.instance):
        if ready(pod):
            continue
        for words in ((), ("--previous",)):
            name = pod["metadata"]["name"]
            done = on.kubectl.run("logs", name, "-c", "app", "--tail=10", *words, check=False)
            if done.returncode == 0 and done.stdout.strip():
                return done.stdout.strip()
    return ""


def repeated(on: OnCluster) -> Claim:
    """A second apply changes nothing, so that continuous delivery sees no drift."""
    before = specifications(on)
    on.kubectl.run("apply", "-f", "-", text=yaml.safe_dump_all(on.objects))
    after = specifications(on)
    advice = "Something on the cluster changes it: look at its mutating webhooks."
    faults = {f"{name} changed": advice for name, spec in before.items() if spec != after[name]}
    return judged("apply again", "the same manifest again changes no object", f"{len(before)} objects", faults)


def specifications(on: OnCluster) -> dict[str, Any]:
    """What is wanted of each object, by kind and name."""
    text = yaml.safe_dump_all(on.objects)
    listed = json.loads(on.kubectl.run("get", "-f", "-", "-o", "json", text=text).stdout)
    return {f"{each['kind']} {each['metadata']['name']}": each.get("spec") for each in listed["items"]}


def reported(on: OnCluster) -> Claim:
    """The numbers that a pod reports at its boot are those of the plan."""
    log = on.kubectl.run("logs", on.ready_pod(), "-c", "app").stdout
    lines = [line for line in log.splitlines() if '"event": "boot"' in line]
    report = json.loads(lines[0]) if lines else None
    return judge.judge_report(explanation(on.plan), report, on.plan.numbers.descriptors.value)


def under_load(on: OnCluster, name: str, promised: str, action: Action) -> Claim:
    """What became of the requests that were sent to the Service while ``action`` was done to its pods."""
    on.settle()
    load = on.load()
    time.sleep(BEFORE)
    try:
        action(on)
        on.settle()
        result = load.result()
    except NotOnCluster as error:
        return judged(name, promised, "not finished", {str(error): "kubectl describe pod says why."})
    measured = f"{result['sent']} requests sent, {result['failed']} failed"
    return judged(name, promised, measured, failures(result), load=result)


def failures(result: dict[str, Any]) -> dict[str, str]:
    """Each cause with its count, and what to change. A load of which nothing came back has no claim to pass."""
    causes: dict[str, int] = {}
    for kind in result["kinds"].values():
        for cause, count in kind["failed"].items():
            causes[cause] = causes.get(cause, 0) + count
    if not result["sent"]:
        return {"nothing was sent": "Raise --rate."}
    advice = "Raise kubernetes.pre_stop_seconds if connections were refused, graceful_timeout if responses were cut."
    status = "The app itself responded so: choose another --path or send what it needs with -H."
    return {f"{count} {cause}": status if ": status " in cause else advice for cause, count in sorted(causes.items())}


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
    else:
        here.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    try:
        here.apply(load_policy(name))
        yield OnCluster(here, plan, objects, image or plan.image, request, rate)
    finally:
        if namespace:
            labels = ",".join(f"{key}={value}" for key, value in LABEL.items())
            here.run("delete", "-f", "-", "--ignore-not-found", "--wait=false", text=text, check=False)
            here.run("delete", "pod,configmap,networkpolicy", "-l", labels, "--wait=false", check=False)
        else:
            here.run("delete", "namespace", name, "--wait=true", check=False, seconds=300)


def proof_objects(plan: Plan, image: str | None) -> list[dict[str, Any]]:
    """The manifest's objects without those left out, in no namespace of their own, with ``image`` where given."""
    kept = []
    for each in yaml.safe_load_all(render(plan)[plan.manifest]):
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
