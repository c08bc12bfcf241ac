"""What a pod's probes run, on booted containers: a frozen master, hung workers, more load than the CPU carries."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.conftest import Boot
from tests.containers.support.waiting import wait_until

PRODUCTION = [profile for profile in kit.PROFILES if kit.plan_of(profile).server.production]


#: A look is a Python in the container: back to back they would take a CPU of the machine.
LOOK = 0.5


def passes(container: kit.Booted, command: Sequence[str]) -> bool:
    return container.container.exec(*command, check=False).returncode == 0


@pytest.mark.parametrize("profile", PRODUCTION)
def test_a_frozen_master_fails_liveness_alone(boot: Boot, profile: str) -> None:
    with boot(profile) as container:
        probes = container.plan.probes
        assert passes(container, probes.live_command)
        container.container.kill("STOP")  # from outside: no process of the container can stop its PID 1
        wait_until(
            lambda: not passes(container, probes.live_command),
            kit.PATIENCE,
            container.container,
            what="liveness sees it",
            interval=LOOK,
        )
        assert passes(container, probes.ready_command), "its workers serve on"
        assert container.get("/").status == 200
        container.container.kill("CONT")
        wait_until(
            lambda: passes(container, probes.live_command),
            kit.PATIENCE,
            container.container,
            what="liveness recovers",
            interval=LOOK,
        )


@pytest.mark.parametrize("profile", [p for p in kit.honouring("timeout") if kit.plan_of(p).server.beats_while_busy])
def test_hung_workers_fail_readiness_alone(boot: Boot, profile: str) -> None:
    """The others' are replaced before: only their `timeout` tells a hung worker from a long request."""
    with boot(profile, overrides=("timeout=12", "graceful_timeout=3")) as container:
        probes = container.plan.probes
        before = container.wait_workers(container.plan.numbers.workers.value)
        container.container.exec("python", "-c", f"import os; [os.kill(pid, 19) for pid in {before}]")
        wait_until(
            lambda: not passes(container, probes.ready_command),
            kit.PATIENCE,
            container.container,
            what="readiness",
            interval=LOOK,
        )
        assert passes(container, probes.live_command), "the master will replace them"
        container.wait_workers(len(before), gone=before)
        wait_until(
            lambda: passes(container, probes.ready_command),
            kit.PATIENCE,
            container.container,
            what="ready again",
            interval=LOOK,
        )


# Not eventlet: its worker beats when all requests that compute have had their turn, here after 15 to 30 s,
# and at its timeout even the master takes it for hung.
@pytest.mark.parametrize("profile", [p for p in PRODUCTION if not kit.plan_of(p).server.legacy])
def test_a_saturated_server_fails_no_probe(docker: Docker, boot: Boot, profile: str) -> None:
    """200m of CPU, 60 clients that each wait for 50 ms of it: a response takes four times readiness' patience."""
    with boot(profile, cpus=0.2) as container:
        probes = container.plan.probes
        failed: list[Sequence[str]] = []
        over = threading.Event()

        def probe() -> None:
            while not over.is_set():
                failed.extend(
                    words for words in (probes.ready_command, probes.live_command) if not passes(container, words)
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
