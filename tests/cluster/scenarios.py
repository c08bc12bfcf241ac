"""What happens to a Deployment in production, done to one under load; each run is recorded for the table."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generator.containers.command import Completed
from generator.plan.plan import Plan
from generator.proof.kubectl import ready, trouble
from generator.proof.steady_load import SteadyLoad

from .cluster import NAMESPACE, Cluster, wait

RECORD = Path(__file__).resolve().parents[2] / "build" / "cluster.jsonl"


@dataclass(frozen=True)
class Deployed:
    """A profile that serves on the cluster."""

    cluster: Cluster
    plan: Plan
    app: str
    image: str
    manifest: str

    def settle(self, seconds: float = 240) -> None:
        """Wait until all wanted pods are ready, and no other is left."""
        try:
            wait(lambda: self.cluster.kubectl.settled(self.app), seconds, f"{self.app} settles")
        except AssertionError as error:
            pods = {pod["metadata"]["name"]: trouble(pod) or pod["status"] for pod in self.pods()}
            deployment, scalers = self.cluster.get("deployment", self.app), self.cluster.get("hpa")["items"]
            raise AssertionError(f"{error}: {json.dumps([pods, deployment['status'], scalers])}") from None

    def pods(self) -> list[Any]:
        return self.cluster.pods(self.app)

    def ready_pod(self) -> str:
        return next(str(pod["metadata"]["name"]) for pod in self.pods() if ready(pod))

    def client(self, address: str | None = None, tls: bool = False, **options: Any) -> SteadyLoad:
        """Load the Service, or another address, from a pod; options are those of generator/load_client/steady.py."""
        address = address or self.cluster.get("service", self.app)["spec"]["clusterIP"]
        words = tuple(f"--{name.replace('_', '-')}={value}" for name, value in options.items())
        words += ("--tls",) if tls else ()
        return SteadyLoad(self.cluster.kubectl, self.image, address, words)


#: Seconds that a load may go on for; it ends when what it is for has happened.
LONGEST = 600


def under_load(deployed: Deployed, scenario: str, action: Callable[[Deployed], object], **options: Any) -> Any:
    """The client's report on the load during which ``action`` was done, to its end; recorded too.

    However long that takes: a load of so many seconds could be over before a busy machine has replaced the first pod.
    """
    deployed.settle()
    client = deployed.client(**{"seconds": LONGEST, **options})
    time.sleep(3)  # some requests before it
    action(deployed)
    deployed.settle(LONGEST - 60)
    client.stop()
    report = client.result()
    record(deployed, scenario, report)
    return report


MIN_REQUESTS = 5000


def none_failed(report: Any) -> None:
    """Of thousands of requests."""
    assert report["failed"] == 0, report
    assert report["sent"] >= MIN_REQUESTS


def record(deployed: Deployed, scenario: str, report: Any, note: str = "") -> None:
    """For the table, where ``note`` stands beside the causes of failures."""
    RECORD.parent.mkdir(exist_ok=True)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    which = {"at": at, "profile": deployed.app, "server": deployed.plan.server.name, "scenario": scenario}
    line = {**which, "note": note, **report}
    with RECORD.open("a") as file:
        file.write(f"{json.dumps(line)}\n")


def restart(deployed: Deployed) -> None:
    deployed.cluster.run("rollout", "restart", f"deployment/{deployed.app}")


def image(name: str) -> Callable[[Deployed], None]:
    def set_image(deployed: Deployed) -> None:
        deployed.cluster.run("set", "image", f"deployment/{deployed.app}", f"app={name}")

    return set_image


def undo(deployed: Deployed) -> None:
    deployed.cluster.run("rollout", "undo", f"deployment/{deployed.app}")


def scale(replicas: int) -> Callable[[Deployed], None]:
    """By the autoscaler's range, which would undo anything else."""

    def to(deployed: Deployed) -> None:
        spec = {"spec": {"minReplicas": replicas, "maxReplicas": max(replicas, 3)}}
        deployed.cluster.run("patch", "hpa", deployed.app, "-p", json.dumps(spec))
        deployed.cluster.run("scale", f"deployment/{deployed.app}", f"--replicas={replicas}")

    return to


def delete(deployed: Deployed) -> None:
    deployed.cluster.run("delete", "pod", deployed.ready_pod(), "--wait=false")


def evict(deployed: Deployed) -> Completed:
    """What draining a node does to each of its pods; draining the only node would leave nowhere to go."""
    pod = deployed.ready_pod()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    return deployed.cluster.run("create", "--raw", path, "-f", "-", text=json.dumps(eviction), check=False)


@contextmanager
def watched_endpoints(deployed: Deployed) -> Iterator[list[list[bool]]]:
    """Which of the Service's pods were ready, each time that it changed. Fails if the watch ends before its block."""
    words = ["-n", NAMESPACE, "get", "endpointslices", "-l", f"kubernetes.io/service-name={deployed.app}", "-w"]
    # Not jsonpath: with it kubectl 1.34 ends the watch after the first object, with exit code 0.
    command = [*deployed.cluster.words, *words, "-o", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seen: list[list[bool]] = []

    def read() -> None:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.rstrip() == "}":  # the end of an object, which kubectl indents
                slice_ = json.loads(text)
                seen.append([bool(each["conditions"].get("ready")) for each in slice_.get("endpoints") or []])
                text = ""

    thread = threading.Thread(target=read)
    thread.start()
    try:
        wait(lambda: seen, 30, "the first look at the endpoints", every=0.1)
        yield seen
        assert process.poll() is None, "the watch ended by itself: what came later was not seen"
    finally:
        process.terminate()
        process.wait()
        thread.join()
