"""`prove --kubernetes`: against the cluster itself, as a user runs it, with kubectl on the PATH."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.conftest import BROKEN, LoadImage
from tests.containers import kit

pytestmark = pytest.mark.quick

Prove = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def prove(cluster: Cluster, tmp_path: Path) -> Iterator[Prove]:
    """The command, with a kubectl that finds this cluster."""
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(f'#!/bin/sh\nexec {shlex.join(cluster.words)} "$@"\n')
    kubectl.chmod(0o755)
    path = f"{kubectl.parent}:{os.environ['PATH']}"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "generator", "prove", str(kit.ROOT / "profiles/small.yaml"), "--kubernetes"]
        env = {**os.environ, "PATH": path}
        return subprocess.run(
            [*command, *words], cwd=kit.ROOT, env=env, capture_output=True, text=True, timeout=500, check=False
        )

    yield run
    left = cluster.run("get", "namespaces", "-o", "name").stdout
    assert "kit-proof-" not in left, "the namespace of a proof is removed at its end"


def test_every_claim_holds_and_nothing_is_left_behind(prove: Prove, load_image: LoadImage) -> None:
    load_image("profiles/small.yaml", "small:dev")
    done = prove()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    report = json.loads((kit.ROOT / "build/proof/small-kubernetes.json").read_text())
    claims = {claim["name"]: claim for claim in report["claims"]}
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
    said = done.stdout
    assert "CrashLoopBackOff" in said or "restarts, the last after exit code" in said, said
    assert "Error: 1" in said, f"all that gunicorn prints of a RuntimeError in a preloaded app: {said}"
