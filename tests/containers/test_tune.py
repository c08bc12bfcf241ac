"""`tune` on booted containers, with hardly any time: what it reports, not which candidate wins on a busy machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generator.containers.docker import Docker
from generator.pipeline import plan_profile
from tests.containers import kit
from tests.containers.test_prove import KEY, MIGRATION, NEEDS_SECRETS, PIN, SECRETS, give_secrets
from tests.containers.test_prove import untouched as untouched

SECONDS = 300
#: usleep of the C library, which no monkey patching knows: what a driver written in C does.
BLOCKING = """
import ctypes

from flask import Flask

app, libc = Flask(__name__), ctypes.CDLL(None)


def query():
    libc.usleep(60_000)


@app.get("/")
def index():
    query()
    return "queried"
"""
PROFILE = """\
name: tuned
app: {module: "shop:app", path: ., requirements: requirements.txt, before_start: %s}
server: gevent      # as the page said
connections: 20
workers: 1
resources: {cpu: 1, memory: 256Mi}
"""


@pytest.mark.serial
@pytest.mark.usefixtures("docker", "untouched")
def test_tune_measures_names_what_blocks_and_writes_the_profile(tmp_path: Path, docker: Docker) -> None:
    (tmp_path / "shop.py").write_text(BLOCKING + NEEDS_SECRETS)
    shutil.copy(kit.ROOT / "docker/app/requirements.txt", tmp_path)
    profile = tmp_path / "tuned.yaml"
    profile.write_text(PROFILE % MIGRATION + SECRETS)
    words = ["--output", str(tmp_path), *give_secrets(tmp_path), "--minutes", "0.3", "--server", "gevent"]
    command = [sys.executable, "-m", "generator", "tune", *words, "--no-compare", "--write", str(profile)]
    done = subprocess.run(command, cwd=kit.ROOT, text=True, capture_output=True, timeout=SECONDS, check=False)
    output = done.stdout + done.stderr
    assert done.returncode in (0, 1), output  # 1: no time to choose
    report = json.loads((tmp_path / "build/proof/tune-tuned.json").read_text())
    written = output + json.dumps(report)
    assert KEY not in written and PIN not in written
    assert report["alone_ms"] >= 60 and report["p99_limit_ms"] == 10 * report["alone_ms"]
    own = next(row for row in report["candidates"] if row["own"])
    assert own["name"] == "gevent, 1 worker" and not own["fault"], output
    trial = report["trials"][0]
    assert trial["candidate"] == own["name"] and trial["steps"], output
    facts = report["facts"]
    assert facts["cpu_ms"] < 60 <= facts["alone_ms"]
    assert facts["import_seconds"] > 0 and facts["ready_seconds"] > 0
    assert 2**20 < facts["worker_cold_bytes"] <= facts["worker_bytes"] < 256 * 2**20
    assert report["blocking"]["blocks"], report["blocking"]
    assert report["blocking"]["blocked_in"] == "shop.py:10 (query)"
    assert "run generate again" in output
    text = profile.read_text()
    assert "# as the page said" in text and "tune worker_memory: " in text
    plan = plan_profile(text, str(profile), (), tmp_path)
    assert plan.profile.resources.worker_memory and plan.profile.resources.worker_memory >= facts["worker_bytes"]
