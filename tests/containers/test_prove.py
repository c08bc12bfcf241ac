"""`python -m generator prove`: it passes what holds, fails what does not, and never leaves a container behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from generator.containers.docker import Docker
from generator.proof.images import LABEL
from tests.containers import kit

SMALL = "profiles/small.yaml"
LARGE = "profiles/large.yaml"
PRODUCTION = [profile for profile in kit.PROFILES if kit.plan_of(profile).server.production]
#: Every production server; large wants both CPUs and 10,000 connections.
PROVED = [pytest.param(name, marks=pytest.mark.serial if name == LARGE else ()) for name in PRODUCTION]
#: `make test-prove` runs all of it.
QUICK = () if os.environ.get("KIT_WHOLE_PROOF") else ("--quick",)
SECONDS = 500 if QUICK else 1200
#: Keeps half a megabyte of every request: with 1,200 connections more than twice the limit of small.yaml.
GREEDY = """
from flask import Flask

app, kept = Flask(__name__), []


@app.get("/readyz")
def ready():
    return "ok"


@app.get("/")
def index():
    kept.append(b"x" * 500_000)
    return "kept"
"""
#: Boots with what its profile names alone: a variable, a file, a folder to write to.
NEEDS_SECRETS = """
import os
import pathlib

print(os.environ["API_KEY"], pathlib.Path(os.environ["PIN_FILE"]).read_text(), flush=True)
pathlib.Path("/data/seen").write_text(pathlib.Path("/data/migrated").read_text())
"""
#: The word of app.before_start that makes it bootable: with the volume that both have.
MIGRATION = "[sh, -c, 'echo rows > /data/migrated']"
SECRETS = """\
env_secrets: {API_KEY: {secret: bank, key: api}, PIN_FILE: {secret: bank, key: pin, file: true}}
volumes: [{name: data, mount_path: /data, claim: data}]
kubernetes: {replicas: 1}
"""
KEY, PIN = "k3y-of-the-api", "p1n-of-the-bank"


def give_secrets(root: Path) -> tuple[str, ...]:
    """The file and the folder that --env-file takes them from; returns the option."""
    (root / ".env.bank").write_text(f"API_KEY={KEY}\n")
    (root / ".env.bank.d/bank").mkdir(parents=True)
    (root / ".env.bank.d/bank/pin").write_text(PIN)
    return "--env-file", str(root / ".env.bank")


def containers(docker: Docker) -> set[str]:
    return set(docker.call("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}").stdout.split())


@pytest.fixture
def untouched(docker: Docker) -> Iterator[None]:
    """No container of a proof is there afterwards that was not there before."""
    before = containers(docker)
    yield
    deadline = time.monotonic() + kit.PATIENCE
    while (left := containers(docker) - before) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == set()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(kit.ROOT / "docker/app", tmp_path / "docker/app")
    return tmp_path


def start(root: Path, *arguments: str, profile: str = SMALL) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "generator", "prove", *QUICK, "--output", str(root), *arguments]
    return subprocess.Popen([*words, profile], cwd=kit.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def prove(root: Path, *arguments: str, profile: str = SMALL) -> tuple[int, str]:
    process = start(root, *arguments, profile=profile)
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out + err


@pytest.mark.parametrize("profile", PROVED)
@pytest.mark.usefixtures("untouched")
def test_what_holds_is_proved(root: Path, image: Callable[[str], str], profile: str) -> None:
    """One image is built by prove itself; the others are those of the other tests."""
    code, output = prove(root, *([] if profile == SMALL else ["--image", image(profile)]), profile=profile)
    print(output)  # times are told, whatever they are
    assert code == 0
    plan = kit.plan_of(profile)
    report = json.loads((root / f"build/proof/{plan.name}.json").read_text())
    verdicts = {claim["name"]: claim["verdict"] for claim in report["claims"]}
    keeps = plan.server.honours("keepalive")
    expected = {"boots", "plan equals reality", "holds its connections", "SIGHUP under load", "SIGTERM under load"}
    assert expected | ({"idle memory"} if keeps else set()) <= verdicts.keys()
    held = next(claim["data"]["load"] for claim in report["claims"] if claim["name"] == "holds its connections")
    assert (held["failed"], held["no_response"]) == (0, 0)
    assert held["connections"]["requested"] == plan.profile.connections
    assert held["connections"]["held"] == plan.profile.connections or not keeps
    assert max(row[1] for row in report["samples"]) >= plan.profile.connections
    assert "<svg" in (root / f"build/proof/{plan.name}.html").read_text()
    assert sorted(path.name for path in root.iterdir()) == ["build", "docker"]


@pytest.mark.usefixtures("untouched")
def test_an_app_that_returns_another_status_is_reported_and_none_of_its_secrets(root: Path) -> None:
    app, profile = root / "docker/app/flask_server.py", root / "profile.yaml"
    app.write_text(app.read_text() + NEEDS_SECRETS)
    profile.write_text((kit.ROOT / SMALL).read_text() + SECRETS)
    migrated = f"app.before_start={MIGRATION}"
    code, output = prove(root, "--path", "/nope", *give_secrets(root), "--set", migrated, profile=str(profile))
    assert code == 1, output
    written = output + "".join(path.read_text() for path in (root / "build/proof").iterdir())
    assert KEY not in written and PIN not in written
    assert "1 x non_2xx (404)" in output
    assert "choose a request that gets 2xx, with --path" in output
    log = root / "build/proof/small.log"
    assert f"The container's log: {log}" in output and log.stat().st_mode & 0o777 == 0o600
    assert "[hidden]" in log.read_text() and '"event": "boot"' in log.read_text()


@pytest.mark.usefixtures("untouched")
def test_a_migration_that_fails_is_reported_and_nothing_boots(root: Path) -> None:
    code, output = prove(root, "--set", "app.before_start=[sh, -c, 'echo no database >&2; exit 3']")
    assert code == 1, output
    assert "exit code 3" in output and "no database" in output and "│ boots" not in output
    assert "no database" in (root / "build/proof/small.log").read_text()


@pytest.mark.usefixtures("untouched")
def test_an_app_that_needs_more_memory_is_reported(root: Path) -> None:
    (root / "docker/app/flask_server.py").write_text(GREEDY)
    code, output = prove(root)
    assert code == 1, output
    assert "resources.memory" in output


@pytest.mark.usefixtures("untouched")
def test_an_app_that_is_never_ready_is_reported(root: Path) -> None:
    code, output = prove(root, "--set", "health.readiness_path=/nope", "--set", "health.startup_seconds=3")
    assert code == 1, output
    assert "GET /nope returned 404" in output
    assert "Correct health.readiness_path" in output


@pytest.mark.usefixtures("untouched")
def test_descriptors_that_are_missing_are_found_before_anything_boots(root: Path) -> None:
    code, output = prove(root, "--set", "connections=1000000", "--set", "resources.memory=64Gi")
    assert code == 1, output
    assert "file descriptors are missing" in output or "of memory are missing" in output
    assert json.loads((root / "build/proof/small.json").read_text())["image"] == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
@pytest.mark.usefixtures("untouched")
def test_nothing_is_left_when_it_is_stopped(root: Path, docker: Docker, number: signal.Signals, code: int) -> None:
    before = containers(docker)
    process = start(root)
    assert process.stderr
    for line in process.stderr:
        if "idle connections" in line:
            break
    assert containers(docker) > before
    process.send_signal(number)
    process.communicate(timeout=kit.PATIENCE)
    assert process.returncode == code
