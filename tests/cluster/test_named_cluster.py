"""These tests on a cluster that the user names: in a namespace of their own, which is gone however they end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.cluster import Cluster, wait
from tests.cluster.node import node
from tests.cluster.node.build import BIN
from tests.containers import kit

_LOAD = """
import sys
from generator.containers.docker import Docker
from generator.proof.images import find_client
from tests.cluster.node import node
node.load_image(Docker(find_client()[0], label="kit-test"), sys.argv[1], sys.argv[1])
"""
#: Copies an image to our own node, as `kind load docker-image` does to kind's.
LOAD = shlex.join((sys.executable, "-c", _LOAD))

Session = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Session]:
    """Start the tests of `kubectl apply` on this cluster as a named one; its namespaces are the same afterwards."""
    before = namespaces(cluster)
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        inside = ("nsenter", "-t", str(node.pid()), "-n", "--") if cluster.own else ()
        named = f"--kubeconfig={node.KUBECONFIG if cluster.own else cluster.words[-1]}"
        command = [*inside, sys.executable, "-m", "pytest", "tests/cluster/test_apply.py", "-k", "small"]
        env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
        process = subprocess.Popen(
            [*command, named, *words],
            cwd=kit.ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        wait(lambda: process.poll() is not None or namespaces(cluster) != before, 120, "a namespace of its own")
        return process

    yield start
    for process in started:
        process.kill()
    assert namespaces(cluster) == before


def namespaces(cluster: Cluster) -> set[str]:
    return set(cluster.run("get", "namespaces", "-o", "name").stdout.split())


def test_they_pass_where_a_command_loads_the_images(cluster: Cluster, session: Session) -> None:
    if not cluster.own:
        pytest.skip("what loads an image is known to the owner of this cluster")
    process = session("--load-image", LOAD)
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 0 and " passed" in output and "skipped" not in output, output


def test_nothing_is_left_after_a_failure(session: Session) -> None:
    process = session("--load-image", "false")
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 1 and "returned non-zero exit status" in output, output


def test_nothing_is_left_after_ctrl_c(session: Session) -> None:
    process = session("--load-image", "sh -c 'exec sleep 600' --")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=600)[0]
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
