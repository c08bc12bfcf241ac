"""kubectl against the user's own cluster, in one namespace, and what pods and Deployments say of themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..containers.command import Completed, run
from ..errors import KitError

T = TypeVar("T")


class NotOnCluster(KitError):
    """Something did not come true on the cluster in time; the message says what was there instead."""

    code = "K093"


@dataclass(frozen=True)
class Kubectl:
    """``words`` is the command with the options that choose the cluster: ``("kubectl", "--context", "prod")``."""

    words: tuple[str, ...]
    namespace: str = "default"

    def run(self, *words: str, text: str | None = None, check: bool = True, seconds: float = 120) -> Completed:
        """Raises EngineError where there is no kubectl, or where it fails and ``check`` is set."""
        command = (*self.words, "-n", self.namespace, *words)
        return run(command, stdin=text, check=check, timeout=seconds)

    def get(self, *words: str) -> Any:
        return json.loads(self.run("get", *words, "-o", "json").stdout)

    def apply(self, *objects: Mapping[str, Any]) -> Completed:
        """Apply objects as one list, in their order."""
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        return self.run("apply", "-f", "-", text=json.dumps(items))

    def pods(self, instance: str) -> list[Any]:
        """The pods of one profile, with those that are being deleted."""
        return list(self.get("pods", "-l", f"app.kubernetes.io/instance={instance}")["items"])

    def settled(self, instance: str) -> bool:
        """Whether `settled` holds of the profile's Deployment."""
        found = self.get("deployment,hpa", "-l", f"app.kubernetes.io/instance={instance}")["items"]
        deployments = [each for each in found if each["metadata"]["name"] == instance and each["kind"] == "Deployment"]
        scalers = [each for each in found if each["kind"] == "HorizontalPodAutoscaler"]
        return bool(deployments) and settled(deployments[0], scalers, self.pods(instance))


def container_statuses(pod: Mapping[str, Any]) -> list[Any]:
    """In the order of their start: what comes before the server, sidecars among it, and the server."""
    status = pod["status"]
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def ready(pod: Mapping[str, Any]) -> bool:
    """Whether all of its containers are ready, and it is not being deleted. One that has done its work is ready."""
    statuses = container_statuses(pod)
    return bool(statuses) and all(each["ready"] for each in statuses) and not pod["metadata"].get("deletionTimestamp")


def restarts(pod: Mapping[str, Any]) -> int:
    """How often the kubelet has restarted its containers."""
    return sum(each["restartCount"] for each in container_statuses(pod))


def settled(deployment: Mapping[str, Any], scalers: Iterable[Mapping[str, Any]], pods: list[Any]) -> bool:
    """All wanted pods are ready, no other is left, and the autoscaler, if there is one, has raised their number."""
    status, replicas = deployment["status"], deployment["spec"]["replicas"]
    return (
        max((each["spec"]["minReplicas"] for each in scalers), default=0) <= replicas
        and status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("readyReplicas") == replicas == len(pods)
        and all(map(ready, pods))
    )


def trouble(pod: Mapping[str, Any]) -> str | None:
    """Why a pod cannot start, as the kubelet or the scheduler puts it; None if nothing is known to be wrong."""
    for each in container_statuses(pod):
        waiting = each["state"].get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
        if each["restartCount"] and not each["ready"]:
            ended = each.get("lastState", {}).get("terminated") or {}
            return f"{each['restartCount']} restarts, the last after exit code {ended.get('exitCode', 'unknown')}"
        if code := (each["state"].get("terminated") or {}).get("exitCode"):
            return f"exit code {code}"
    for condition in pod["status"].get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason', 'not scheduled')}: {condition.get('message', '')}".rstrip(": ")
    return None


def last_words(kubectl: Kubectl, pod: Mapping[str, Any]) -> str:
    """The last lines of the first container that is not ready and has said anything; else of its former one."""
    for each in container_statuses(pod):
        for words in ((), ("--previous",)) if not each["ready"] else ():
            name = pod["metadata"]["name"]
            done = kubectl.run("logs", name, "-c", each["name"], "--tail=10", *words, check=False)
            if done.returncode == 0 and done.stdout.strip():
                return done.stdout.strip()
    return ""


def poll(condition: Callable[[], T], seconds: float, what: str, every: float = 0.5) -> T:
    """The condition's first true value. Raises NotOnCluster with ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise NotOnCluster(f"not within {seconds:g} s: {what}")
        time.sleep(every)
    return value
