"""The node: up and down, and commands within it. Needs root, the cache that build.py fills, runc and iptables.

Everything that runs is a child of one PID 1 in namespaces of its own; when that ends, so does all the rest. State lives
in the cache's folder ``run``, away from Docker's and the machine's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from generator.containers.docker import Docker

from . import certificates, configurations
from .build import BIN, CACHE, missing

NAME = "kitk8s"  # of the network namespace and of the cgroup
NODE = "kit-node"
IP = "10.99.0.1"
SERVICES, SERVICE_IP, DNS_IP = "10.96.0.0/16", "10.96.0.1", "10.96.0.10"
PODS = "10.244.0.0/24"
#: CPUs that the node claims to have, so that requests of whole CPUs fit a small machine.
CPUS = 32
METRICS_PORT = 4443
RUN = CACHE / "run"
KUBECONFIG = RUN / "admin.conf"
_PID, _ENDED = RUN / "pid", RUN / "log" / "ended"
_NETWORK = Path("/run/netns") / NAME
_INIT = Path(__file__).with_name("init.sh")
_CONTAINERD = ("ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io")


def pid() -> int | None:
    """The node's PID 1 as this machine sees it, while it runs."""
    with contextlib.suppress(OSError, ValueError):
        found = int(_PID.read_text())
        if Path(f"/proc/{found}/cmdline").read_bytes():
            return found
    return None


def why_not() -> str | None:
    """In one line why the node cannot run here; None if it can."""
    if os.geteuid() != 0:
        return "it needs root, for namespaces and a network"
    if absent := [
        name for name in ("runc", "iptables", "ip", "openssl", "nsenter", "unshare") if not shutil.which(name)
    ]:
        return f"there is no {', '.join(absent)}"
    if not Path("/sys/fs/cgroup/memory").is_dir():
        return "its cgroups are of version 1, and this machine has version 2 alone: use --kubeconfig"
    if absent := missing():
        return f"{', '.join(absent)} not built: `make cluster` builds it, in about 20 minutes"
    return None


def up(seconds: float = 240) -> None:
    """Start the node, and wait until it is ready."""
    if pid():
        return
    down()
    configurations.write_all(RUN, NAME, NODE, PODS, DNS_IP)
    certificates.issue_all(RUN, NODE, IP, SERVICE_IP)
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    environment = {
        **os.environ,
        **{"RUN": str(RUN), "CACHE": str(CACHE), "NAME": NAME, "NODE": NODE},
        **{"IP": IP, "SERVICES": SERVICES, "CPUS": str(CPUS), "METRICS_PORT": str(METRICS_PORT)},
    }
    # unshare stays outside as the parent; --kill-child ends PID 1, and with it everything, should it go.
    words = ["nsenter", f"--net={_NETWORK}", "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
    words += ["--mount-proc", "--propagation", "private", "bash", str(_INIT)]
    with (RUN / "log" / "init.log").open("wb") as log:
        outer = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    end = time.monotonic() + seconds
    _PID.write_text(str(_child(outer, end)))
    ready = '{.status.conditions[?(@.type=="Ready")].status}'
    while time.monotonic() < end:
        found = subprocess.run(
            kubectl("get", "node", NODE, "-o", f"jsonpath={ready}"), check=False, capture_output=True, text=True
        )
        if found.stdout == "True":
            _register_metrics()
            return
        if outer.poll() is not None or _ENDED.exists():
            break
        time.sleep(0.5)
    reason = diagnosis()
    down()
    raise RuntimeError(f"the node did not become ready:\n{reason}")


def _register_metrics() -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": configurations.metrics_api(IP, METRICS_PORT)}
    subprocess.run(kubectl("apply", "-f", "-"), check=True, capture_output=True, text=True, input=json.dumps(items))


def _child(outer: subprocess.Popen[bytes], end: float) -> int:
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while time.monotonic() < end and outer.poll() is None:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.05)
    raise RuntimeError(f"unshare ended:\n{diagnosis()}")


def diagnosis() -> str:
    """The last lines of init, and of what ended."""
    ended = _ENDED.read_text().split() if _ENDED.exists() else []
    logs = [RUN / "log" / f"{name}.log" for name in ("init", *ended)]
    return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs if log.exists())


def down() -> None:
    """End the node and remove all that it left: processes, network, cgroups, state. Safe when there is none."""
    found = pid()
    if found:
        os.kill(found, signal.SIGKILL)
        end = time.monotonic() + 20
        while pid() and time.monotonic() < end:
            time.sleep(0.05)
    if _NETWORK.exists():
        subprocess.run(["ip", "netns", "del", NAME], check=True)
    for top in Path("/sys/fs/cgroup").glob(f"*/{NAME}"):
        _remove_cgroup(top)
    if RUN.exists():
        shutil.rmtree(RUN)


def _remove_cgroup(top: Path) -> None:
    end = time.monotonic() + 10
    while top.exists() and time.monotonic() < end:
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):  # its last process is still on the way out
                Path(folder).rmdir()
        time.sleep(0.1)
    if top.exists():
        raise RuntimeError(f"{top} could not be removed")


def kubectl(*arguments: str) -> list[str]:
    """The command, in the node's network; paths are the caller's."""
    return ["nsenter", "-t", str(pid()), "-n", "--", str(BIN / "kubectl"), "--kubeconfig", str(KUBECONFIG), *arguments]


def inside(*command: str) -> list[str]:
    """A command in all of the node's namespaces."""
    return ["nsenter", "-t", str(pid()), "-n", "-m", "-p", "-u", "-i", "--", *command]


def load_image(docker: Docker, tag: str, name: str) -> None:
    """Copy an image of a Docker engine to the node, where it gets another name."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as saved:
        docker.call("save", "--output", saved.name, tag, timeout=300)
        with Path(saved.name).open("rb") as archive:
            loaded = subprocess.run(
                inside(*_CONTAINERD, "images", "import", "-"), stdin=archive, check=False, capture_output=True
            )
    if loaded.returncode:
        raise RuntimeError(f"{tag} was not loaded: {loaded.stderr.decode(errors='replace')[-1000:]}")
    names = [f"docker.io/library/{each}" for each in (tag, name)]
    subprocess.run(inside(*_CONTAINERD, "images", "tag", "--force", *names), check=True, capture_output=True)


def master_pid(container: str) -> int:
    """PID 1 of a container, as the node sees it; ``container`` is its id, without the runtime's prefix."""
    listed = subprocess.run(inside(*_CONTAINERD, "tasks", "ls"), check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[1]) for line in listed.splitlines() if line.startswith(container))


def kill(number: int, signal_name: str) -> None:
    """A signal to a process of the node, by its pid there."""
    subprocess.run(inside("kill", f"-{signal_name}", str(number)), check=True)
