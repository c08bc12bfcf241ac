"""What a pod's probes run, on booted containers: a frozen master, hung workers, more load than the CPU carries."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from generator.containers.docker import Docker
from generator.containers.waiting import wait_until
from tests.containers import kit
from tests.containers.conftest import Boot

PRODUCTION = [profile for profile in kit.PROFILES if kit.plan_of(profile).server.production]


def passes(container: kit.Booted, command: Sequence[str]) -> bool:
    return container.container.exec(*command, check=False).returncode == 0


@pytest.mark.parametrize("profile", PRODUCTION)
def test_a_frozen_master_fails_liveness_alone(boot: Boot, profile: str) -> None:
    with boot(profile) as container:
        texts = container.plan.texts
        assert passes(container, texts.live_command)
        container.container.kill("STOP")  # from outside: no process of the container can stop its PID 1
        wait_until(lambda: not passes(container, texts.live_command), 40, container.container, what="liveness sees it")
        assert passes(container, texts.ready_command), "its workers serve on"
        assert container.get("/").status == 200
        container.container.kill("CONT")
        wait_until(lambda: passes(container, texts.live_command), 20, container.container, what="liveness recovers")


@pytest.mark.parametrize("profile", kit.honouring("timeout"))
def test_hung_workers_fail_readiness_alone(boot: Boot, profile: str) -> None:
    # Longer than HUNG_SECONDS, so that readiness sees it before the master repairs it; sync is hung by its timeout.
    with boot(profile, overrides=("timeout=12", "graceful_timeout=3")) as container:
        texts = container.plan.texts
        before = container.wait_workers(container.plan.numbers.workers.value)
        container.container.exec("python", "-c", f"import os; [os.kill(pid, 19) for pid in {before}]")
        wait_until(lambda: not passes(container, texts.ready_command), 40, container.container, what="readiness")
        assert passes(container, texts.live_command), "the master will replace them"
        container.wait_workers(len(before), gone=before)
        wait_until(lambda: passes(container, texts.ready_command), 20, container.container, what="ready again")


@pytest.mark.parametrize("profile", PRODUCTION)
def test_a_saturated_server_fails_no_probe(docker: Docker, boot: Boot, profile: str) -> None:
    """200m of CPU, 60 clients that each wait for 50 ms of it: a response takes four times readiness' patience."""
    with boot(profile, cpus=0.2) as container:
        texts = container.plan.texts
        failed: list[Sequence[str]] = []
        over = threading.Event()

        def probe() -> None:
            while not over.is_set():
                failed.extend(
                    words for words in (texts.ready_command, texts.live_command) if not passes(container, words)
                )

        thread = threading.Thread(target=probe)
        thread.start()
        try:
            report = kit.load(docker, container, "/cpu?ms=50", 60, 30, timeout=120)
        finally:
            over.set()
            thread.join(60)
        assert failed == [], container.container.describe()
        assert "TIMEOUT" not in container.container.logs().stderr
        assert report
