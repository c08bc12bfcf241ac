"""The steady load on a Service: a pod that runs load_client/steady.py beside the profile's own pods."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..plan.places import ENVIRONMENT_FOLDER
from .kubectl import Kubectl, poll

SCRIPT = Path(__file__).resolve().parents[1] / "load_client" / "steady.py"
#: Seconds in which a policy engine has learnt of the load's pod.
_WAIT = 20
#: Label of the load's pods, by which a NetworkPolicy admits them.
LABEL = {"container-kit.dev/proof": "load"}


class SteadyLoad:
    """Started by its constructor; ``result`` waits for its end, and removes the pod."""

    def __init__(self, kubectl: Kubectl, image: str, address: str, words: tuple[str, ...]) -> None:
        """``image`` is one of the kit's; ``address`` is HOST:PORT; ``words`` are options of steady.py."""
        self.kubectl, self.name = kubectl, f"load-{secrets.token_hex(4)}"
        kubectl.apply(*load_objects(self.name, image, address, words))
        poll(lambda: self.phase() != "Pending", 120, f"the load's pod {self.name} runs", every=0.2)

    def phase(self) -> str:
        return str(self.kubectl.get("pod", self.name)["status"]["phase"])

    def stop(self) -> None:
        """Its seconds are over, as soon as it has sent --at-least requests; ``result`` waits for that."""
        stop = f"import os; os.kill(1, {signal.SIGTERM:d})"
        self.kubectl.run("exec", self.name, "--", f"{ENVIRONMENT_FOLDER}/bin/python", "-c", stop)

    def result(self, seconds: float = 400) -> Any:
        """What steady.py printed. Raises NotOnCluster if it does not end in time."""
        poll(lambda: self.phase() in ("Succeeded", "Failed"), seconds, "the load ends")
        output = self.kubectl.run("logs", self.name).stdout
        self.kubectl.run("delete", "pod,configmap", self.name, "--wait=false")
        return json.loads(output.splitlines()[-1])


def load_objects(name: str, image: str, address: str, words: tuple[str, ...]) -> tuple[Mapping[str, Any], ...]:
    """The pod and the ConfigMap with its script; fit for a namespace that enforces Pod Security "restricted"."""
    metadata = {"name": name, "labels": LABEL}
    container = {
        "name": "load",
        "image": image,
        "command": [f"{ENVIRONMENT_FOLDER}/bin/python", "-P", "/load/steady.py", address, f"--wait={_WAIT}", *words],
        # No CPU limit: a throttled client would count its own waiting as the server's.
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": name}}],
    }
    script = {"steady.py": SCRIPT.read_text(encoding="utf-8")}
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": script},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    )
