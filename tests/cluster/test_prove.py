"""`prove --kubernetes`: against the cluster itself, as a user runs it, with kubectl on the PATH."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from generator.containers.docker import Docker
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import BROKEN, LoadImage
from tests.containers import kit
from tests.containers.support.images import NGINX_TAG, ensure_nginx_image

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class Ended:
    """By a signal, as soon as something has started; by another one while it removes what it made."""

    number: signal.Signals
    started: str = "namespace"
    again: bool = False


ENDED = (
    Ended(signal.SIGINT),
    Ended(signal.SIGTERM),
    Ended(signal.SIGINT, "load", again=True),
    Ended(signal.SIGTERM, "load"),
    Ended(signal.SIGHUP, again=True),
)
Prove = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def prove(cluster: Cluster, kubectl_folder: Path) -> Iterator[Prove]:
    """The command, with a kubectl that finds this cluster."""
    path = f"{kubectl_folder}:{os.environ['PATH']}"

    def namespaces() -> str:
        return cluster.run("get", "namespaces", "-o", "name").stdout

    def moment(started: str) -> bool:
        """Whether the proof has come so far: its "namespace" is there, or its "load" runs."""
        if started == "namespace":
            return "kit-proof-" in namespaces()
        pods = cluster.run("get", "pods", "-A", "-l", "container-kit.dev/proof=load", "--no-headers").stdout
        return any(line.startswith("kit-proof-") and " Running " in line for line in pods.splitlines())

    def run(*words: str, ended_by: Ended | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "generator", "prove", str(kit.ROOT / "profiles/small.yaml"), "--kubernetes"]
        process = subprocess.Popen(
            [*command, *words],
            cwd=kit.ROOT,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if ended_by:
            started = ended_by.started
            wait(lambda: process.poll() is not None or moment(started), 300, f"its {started}")
            process.send_signal(ended_by.number)
        if ended_by and ended_by.again:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
            process.send_signal(ended_by.number)
        out, err = process.communicate(timeout=900)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    yield run
    # Whoever presses Ctrl-C twice does not wait for it.
    wait(lambda: "kit-proof-" not in namespaces(), 120, "the namespace of a proof is removed at its end")


def claims_of() -> dict[str, Any]:
    report = json.loads((kit.ROOT / "build/proof/small-kubernetes.json").read_text())
    return {claim["name"]: claim for claim in report["claims"]}


def test_every_claim_holds_and_nothing_is_left_behind(prove: Prove, load_image: LoadImage) -> None:
    load_image("profiles/small.yaml", "small:dev")
    done = prove()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    claims = claims_of()
    assert list(claims) == [
        "kubectl apply",
        "pods ready",
        "apply again",
        "plan equals reality",
        "rolling restart",
        "deleted pod",
        "evicted pod",
    ]
    assert all(claims[name]["data"]["load"]["sent"] > 1000 for name in list(claims)[-3:])


def test_an_image_that_fails_at_import_is_named_with_its_last_words(
    prove: Prove, changed_images: dict[str, str]
) -> None:
    done = prove("--quick", f"--image={changed_images[BROKEN]}", "--set", "health.startup_seconds=20")
    assert done.returncode == 1, f"{done.stdout}{done.stderr}"
    output = done.stdout
    assert "CrashLoopBackOff" in output or "restarts, the last after exit code" in output, output
    assert "the app raised RuntimeError when it was imported" in output, output


def before_start(code: str) -> tuple[str, str]:
    """Python that runs before the release, as the command's words."""
    return ("--set", f"app.before_start={json.dumps(['python', '-c', code])}")


#: Its image is on the node, and no registry has it.
_PROXY = (f"proxy_image={NGINX_TAG}", "kubernetes.proxy=true", "kubernetes.image_pull_policy=Never")
WITH_PROXY = tuple(word for setting in _PROXY for word in ("--set", setting))


def test_a_command_runs_first_and_the_proxy_serves_in_front(
    prove: Prove, load_image: LoadImage, cluster: Cluster, docker: Docker
) -> None:
    load_image("profiles/small.yaml", "small:dev")
    ensure_nginx_image(docker)
    cluster.load_image(docker, NGINX_TAG, NGINX_TAG)
    done = prove("--quick", *before_start("import time; time.sleep(5)"), *WITH_PROXY)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    claims = claims_of()
    assert list(claims)[:3] == ["kubectl apply", "app.before_start", "pods ready"]
    assert claims["app.before_start"]["measured"].startswith("Complete after")
    assert claims["rolling restart"]["data"]["load"]["sent"] > 1000


def test_a_command_that_fails_is_reported_with_its_last_words(prove: Prove, load_image: LoadImage) -> None:
    load_image("profiles/small.yaml", "small:dev")
    done = prove("--quick", *before_start("raise SystemExit('no such table: users')"))
    assert done.returncode == 1, f"{done.stdout}{done.stderr}"
    claims = claims_of()
    assert list(claims) == ["kubectl apply", "app.before_start"], "no pod can start: nothing is waited for"
    failed = claims["app.before_start"]
    assert failed["verdict"] == "failed" and "exit code 1" in failed["measured"]
    assert "no such table: users" in failed["advice"]
    assert "no such table: users" in done.stdout


@pytest.mark.parametrize("ended_by", ENDED, ids=lambda one: f"{one.number.name} {one.started} {one.again}")
def test_nothing_is_left_behind_when_it_is_ended(prove: Prove, load_image: LoadImage, ended_by: Ended) -> None:
    """That nothing is left is what the fixture looks at."""
    load_image("profiles/small.yaml", "small:dev")
    done = prove(ended_by=ended_by)
    assert done.returncode not in (0, 1), f"{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
