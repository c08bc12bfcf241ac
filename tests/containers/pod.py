"""A pod of a Deployment as `docker run` would start it: what a kubelet does, for the fields that the kit writes."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import yaml

from generator.containers.container import Container
from generator.containers.docker import Docker
from generator.plan.plan import Plan
from generator.render.render import render
from tests.containers.support.docker import host_port

_UNITS: dict[str, Decimal] = {"": Decimal(1), "m": Decimal("0.001"), "Ki": Decimal(2**10)}
_UNITS |= {"Mi": Decimal(2**20), "Gi": Decimal(2**30)}


def quantity(text: Any) -> Decimal:
    """A Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9.]+)(m|Ki|Mi|Gi)?", str(text))
    assert match, text
    return Decimal(match[1]) * _UNITS[match[2] or ""]


def expand(text: str, known: Mapping[str, str]) -> str:
    """A variable's value as the kubelet expands it: $(NAME), where it is known, and $$ for a dollar."""

    def one(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", one, text)


@dataclass
class Manifest:
    """The objects of one file, by kind."""

    objects: dict[str, Any]

    @classmethod
    def of(cls, plan: Plan) -> Manifest:
        documents = yaml.safe_load_all(render(plan)[plan.manifest])
        return cls({document["kind"]: document for document in documents})

    @property
    def spec(self) -> Any:
        return self.objects["Deployment"]["spec"]["template"]["spec"]

    def container(self, name: str) -> Any:
        every = [*self.spec.get("initContainers", []), *self.spec["containers"]]
        return next(container for container in every if container["name"] == name)

    def options(self, name: str, folder: Path) -> dict[str, Any]:
        """The flags of `docker run` for one container; ConfigMap files are written below ``folder``."""
        container = self.container(name)
        user = self.spec["securityContext"]
        own = container["securityContext"]
        assert user["runAsNonRoot"] and user["seccompProfile"] == {"type": "RuntimeDefault"}, "docker's own default"
        assert own["allowPrivilegeEscalation"] is False
        limits = container["resources"]["limits"]
        memory = int(quantity(limits["memory"]))
        return {
            "user": f"{user['runAsUser']}:{user['runAsGroup']}",
            "security_opt": "no-new-privileges",
            "cap_drop": own["capabilities"]["drop"],
            "read_only": own["readOnlyRootFilesystem"],
            "cpus": str(quantity(limits["cpu"])) if "cpu" in limits else None,
            "cpu_shares": max(2, int(quantity(container["resources"]["requests"]["cpu"]) * 1024)),
            "memory": memory,
            "memory_swap": memory,
            "env": self._env(container),
            **self._mounts(container, folder),
        }

    def _env(self, container: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for variable in container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = expand(variable["value"], found)
                continue
            reference = variable["valueFrom"]["resourceFieldRef"]
            group, resource = reference["resource"].split(".")
            value = quantity(self.container(reference["containerName"])["resources"][group][resource])
            units = (value / quantity(reference["divisor"])).to_integral_value(ROUND_CEILING)
            found[variable["name"]] = str(int(units))
        return found

    def _mounts(self, container: Any, folder: Path) -> dict[str, list[str]]:
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        files, memory = [], []
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if "emptyDir" in volume:
                size = int(quantity(volume["emptyDir"]["sizeLimit"]))
                memory.append(f"{mount['mountPath']}:exec,mode=1777,size={size}")
            else:
                assert volume["configMap"]["name"] == self.objects["ConfigMap"]["metadata"]["name"]
                file = folder / mount["subPath"]
                file.write_text(self.objects["ConfigMap"]["data"][mount["subPath"]])
                file.chmod(0o644)
                files.append(f"{file}:{mount['mountPath']}:ro")
        return {"volume": files, "tmpfs": memory}

    def port(self, container: Any, name: Any) -> int:
        """A port of a container by its name."""
        return next(int(port["containerPort"]) for port in container["ports"] if port["name"] == name)


def passes(probe: Any, manifest: Manifest, container: Any, running: Container, host_port: int) -> bool:
    """One try of a probe, within its own timeout, as the kubelet sends it; any response below 400 will do."""
    if "exec" in probe:
        return running.exec(*probe["exec"]["command"], check=False).returncode == 0
    handler = probe.get("httpGet") or probe["tcpSocket"]
    assert manifest.port(container, handler["port"])
    try:
        if "tcpSocket" in probe:
            socket.create_connection(("127.0.0.1", host_port), timeout=probe["timeoutSeconds"]).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", host_port, timeout=probe["timeoutSeconds"])
        connection.request("GET", handler["path"], headers={"User-Agent": "kube-probe/1.34", "Connection": "close"})
        status = connection.getresponse().status
        connection.close()
        return 200 <= status < 400
    except (OSError, http.client.HTTPException):
        return False


def wait_started(manifest: Manifest, container: Any, running: Container, host_port: int) -> None:
    """Send the startup probe with its own period until it passes; it may fail as often as the Deployment says."""
    probe = container["startupProbe"]
    for _ in range(probe["failureThreshold"]):
        if passes(probe, manifest, container, running, host_port):
            return
        assert running.running(), running.describe()
        time.sleep(probe["periodSeconds"])
    raise AssertionError(f"the startup probe failed {probe['failureThreshold']} times\n{running.describe()}")


@contextmanager
def started(docker: Docker, image: str, manifest: Manifest, folder: Path, **changes: Any) -> Iterator[tuple[Any, int]]:
    """The pod's server, started: (running container, its port on this machine)."""
    container = manifest.container("app")
    port = container["ports"][0]["containerPort"]
    options = {**manifest.options("app", folder), "publish": f"127.0.0.1::{port}", **changes}
    with docker.run_detached(image, *container.get("args", []), **options) as running:
        published = host_port(running, port)
        wait_started(manifest, container, running, published)
        yield running, published
