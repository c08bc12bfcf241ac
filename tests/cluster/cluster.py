"""A Kubernetes to test on, whoever runs it: kubectl, a namespace that enforces "restricted", and a client in a pod."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from generator.containers.command import Completed
from generator.containers.docker import Docker
from generator.proof.kubectl import Kubectl, NotOnCluster, poll
from generator.proof.on_cluster import RESTRICTED

from .node import node

#: Of this session: on a cluster that the user names nothing is replaced that was there before.
NAMESPACE = f"kit-test-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Cluster:
    """How to reach it; ``load_image`` copies an image of the Docker engine there, under another name."""

    name: str
    #: kubectl with the options that choose the cluster.
    words: tuple[str, ...]
    load_image: Callable[[Docker, str, str], None]
    #: Whether it is ours alone: the machine's processes are the node's.
    own: bool = False

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.words, NAMESPACE)

    def run(self, *words: str, text: str | None = None, check: bool = True, seconds: float = 120) -> Completed:
        return self.kubectl.run(*words, text=text, check=check, seconds=seconds)

    def get(self, *words: str) -> Any:
        return self.kubectl.get(*words)

    @contextmanager
    def namespace(self, name: str) -> Iterator[Kubectl]:
        """A new one that enforces Pod Security "restricted"; removed at the end."""
        there = Kubectl(self.words, name)
        try:
            there.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
            account = ("get", "serviceaccount", "default")
            wait(lambda: there.run(*account, check=False).returncode == 0, 60, "its account")
            yield there
        finally:
            there.run("delete", "namespace", name, "--ignore-not-found", "--wait=true", seconds=300)

    def pods(self, app: str) -> list[Any]:
        """Those of one profile, with those that are on their way out."""
        return self.kubectl.pods(app)

    def python(self, pod: str, code: str) -> str:
        """Run Python in the pod's app container."""
        return self.run("exec", pod, "-c", "app", "--", "/opt/venv/bin/python", "-c", code).stdout


def wait(condition: Callable[[], Any], seconds: float, what: str, every: float = 0.5) -> Any:
    """Poll until it is true; its value. Raises AssertionError with ``what`` at the deadline."""
    try:
        return poll(condition, seconds, what, every)
    except NotOnCluster as error:
        raise AssertionError(str(error)) from None


def of_user(kubeconfig: str, load: str | None) -> Cluster:
    """The user's own. ``load`` is a command that copies an image of the Docker engine to its nodes, but for the image's
    name, as `kind load docker-image` does; without it they must have the images, or pull them."""

    def load_image(docker: Docker, tag: str, name: str) -> None:
        if load is None:
            return
        if tag != name:
            docker.call("tag", tag, name)
        subprocess.run([*shlex.split(load), name], check=True, stdout=subprocess.DEVNULL)
        if tag != name:
            docker.call("rmi", "--no-prune", name)

    # By its path: tests put a kubectl of their own on PATH, which runs these words.
    kubectl = shutil.which("kubectl") or "kubectl"
    return Cluster("the user's cluster", (kubectl, "--kubeconfig", kubeconfig), load_image)


def of_node() -> Cluster:
    node.up()
    return Cluster("own node", tuple(node.kubectl()), node.load_image, own=True)


def why_none(kubeconfig: str | None) -> str | None:
    """In one line why there is nothing to test on; None if there is."""
    if kubeconfig:
        return None if shutil.which("kubectl") else "there is no kubectl"
    return node.why_not()


def find(kubeconfig: str | None, load: str | None = None) -> Cluster:
    """The user's cluster if one is named, else the node of our own."""
    return of_user(kubeconfig, load) if kubeconfig else of_node()


def named_by_user() -> str | None:
    return os.environ.get("KUBECONFIG")
