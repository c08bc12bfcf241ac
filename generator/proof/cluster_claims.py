"""What `prove --kubernetes` claims: objects accepted, app.before_start first, pods ready, no request lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from ..plan.explain import explanation
from ..render.render import render
from . import judge
from .booted import boot_report
from .claim import FAILED, Claim, judged
from .kubectl import NotOnCluster, container_statuses, last_words, poll, ready, restarts, trouble
from .on_cluster import LEFT_OUT, OnCluster

#: Seconds of load before what is done to the pods.
BEFORE = 3
#: What an eviction waits for: the API server refuses it with 429 while another pod is missing.
EVICTION_SECONDS = 60

#: What a command before the release, a migration, may take in a proof.
COMMAND_SECONDS = 600

Action = Callable[[OnCluster], None]


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
    if on.job:
        begin("app.before_start")
        yield (found := command_ran(on, on.job))
        if found.verdict == FAILED:
            return
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


def command_ran(on: OnCluster, job: str) -> Claim:
    """The Job has succeeded, and no pod of the app had started before that."""
    promised, began = "app.before_start succeeds, and no pod starts before", time.monotonic()
    try:
        how = poll(lambda: job_end(on.kubectl.get("job", job)), COMMAND_SECONDS, "the Job has ended")
    except NotOnCluster:
        how = "still at work"
    measured = f"{how} after {time.monotonic() - began:.0f} s"
    pods = on.kubectl.get("pods", "-l", f"batch.kubernetes.io/job-name={job}")["items"]
    if how != "Complete":
        why = next((why for pod in pods if (why := trouble(pod))), "")
        advice = "Mend the command: the release's pods wait until it has succeeded once."
        log = next((log for pod in pods if (log := last_words(on.kubectl, pod))), "")
        advice += f" Its last words:\n{log}" if log else ""
        return judged("app.before_start", promised, measured, {why or f"kubectl describe job {job} says more": advice})
    ended = pods[0]["status"]["initContainerStatuses"][0]["state"]["terminated"]["finishedAt"]
    early = [pod["metadata"]["name"] for pod in on.kubectl.pods(on.instance) if started_before(pod, ended)]
    advice = "Something on the cluster changes the pods' volumes: look at its mutating webhooks."
    return judged("app.before_start", promised, measured, {f"{name} started before": advice for name in early})


def job_end(job: Mapping[str, Any]) -> str:
    """Complete or Failed; empty while it is at work."""
    true = [each["type"] for each in job["status"].get("conditions") or [] if each["status"] == "True"]
    return next((each for each in true if each in ("Complete", "Failed")), "")


def started_before(pod: Mapping[str, Any], moment: str) -> bool:
    """Whether one of its containers runs since before; the API server's moments sort as text."""
    running = [(each["state"].get("running") or {}).get("startedAt") for each in container_statuses(pod)]
    return any(each < moment for each in running if each)


def becomes_ready(on: OnCluster) -> Claim:
    """All pods ready, and none of their containers restarted on the way."""
    promised, began = f"all pods ready within {on.plan.startup_seconds} s of their start, 0 restarts", time.monotonic()
    try:
        on.settle()
    except NotOnCluster:
        advice = "Push the image to a registry that the nodes reach, or set image; kubectl describe pod says more."
        unready = [pod for pod in on.kubectl.pods(on.instance) if not ready(pod)]
        log = next((log for pod in unready if (log := last_words(on.kubectl, pod))), "")
        advice += f" The app's last words:\n{log}" if log else ""
        return judged("pods ready", promised, f"after {time.monotonic() - began:.0f} s", {on.troubles(): advice})
    pods = on.kubectl.pods(on.instance)
    count = sum(map(restarts, pods))
    faults = {f"{count} restarts": "Raise health.startup_seconds, or read the log of the former container."}
    measured = f"{len(pods)} pods ready after {time.monotonic() - began:.0f} s"
    return judged("pods ready", promised, measured, faults if count else {})


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
    return judge.judge_report(explanation(on.plan), boot_report(log), on.plan.numbers.descriptors.value)


def under_load(on: OnCluster, name: str, promised: str, action: Action) -> Claim:
    """What became of the requests that were sent to the Service until ``action`` on its pods had come to its end."""
    on.settle()
    load = on.load()
    time.sleep(BEFORE)
    try:
        action(on)
        on.settle(one_by_one=True)
        load.stop()
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
