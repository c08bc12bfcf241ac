"""Every shipped profile, booted under its own limits, read-only, as a user that owns nothing."""

from __future__ import annotations

from typing import Any

from generator.plan.explain import explanation
from tests.containers import inside as checks
from tests.containers import kit
from tests.containers.support.docker import health
from tests.containers.support.waiting import wait_until


def test_the_server_is_pid_1_with_its_workers(running: kit.Booted, beside: Any) -> None:
    assert running.plan.server.program in beside.process.get(pid=1).args
    running.wait_workers(running.plan.numbers.workers.value)
    assert {process.euid for process in beside.process.filter(ppid="1")} == {12345}


def test_listens_on_the_port(running: kit.Booted, beside: Any) -> None:
    port = running.plan.profile.port
    assert beside.socket(f"tcp://0.0.0.0:{port}").is_listening
    if not running.plan.server.production:
        return
    queue = beside.check_output("ss -lntH sport = :%s", str(port)).split()[2]
    assert int(queue) == running.plan.numbers.backlog.value


def test_owns_nothing_and_writes_nowhere(inside: Any) -> None:
    checks.owns_nothing_and_writes_nowhere(inside, 12345)


def test_files_and_modes(inside: Any) -> None:
    checks.files_and_modes(inside)


def test_image_is_configured_as_the_profile_says(running: kit.Booted) -> None:
    config = running.container.inspect()["Config"]
    plan = running.plan
    assert config["Entrypoint"] == ["/opt/venv/bin/python", "-P", "-m", "kit_runtime", plan.server.program]
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["ExposedPorts"]) == [f"{plan.profile.port}/tcp"]
    assert config["Labels"]["org.opencontainers.image.title"] == plan.name
    look = "import getpass, pwd; print(pwd.getpwuid(10001).pw_name, getpass.getuser())"  # run as another uid
    assert running.container.exec("python", "-c", look).stdout == "app app\n"


def test_limits_seen_inside(running: kit.Booted, inside: Any) -> None:
    numbers = running.report()["numbers"]
    assert numbers["cpus"]["value"] == running.plan.numbers.cpus.value
    assert not running.plan.server.production or numbers == explanation(running.plan)["numbers"]
    checks.has_descriptors(inside, running.plan)


def test_serves(running: kit.Booted) -> None:
    assert running.get("/").body == b"hello"
    assert running.get("/healthz").status == 200
    assert running.get("/readyz").status == 200
    assert running.get("/bytes?n=100000").body == b"x" * 100_000
    assert int(running.get("/cpu?ms=1").body) > 0
    assert running.get("/headers", headers={"X-Kit": "1"}).json["X-Kit"] == "1"
    assert running.get("/no-such-page").status == 404


def test_info_shows_preload_and_patches(running: kit.Booted) -> None:
    info = running.get("/info").json
    assert info["pid"] in running.worker_pids() or not running.plan.server.production
    if running.plan.server.patched_by:
        assert {"socket", "threading", "time"} <= set(info["patched"])
        assert info["lock"].startswith(f"{running.plan.server.patched_by}."), "imported after patching"
    else:
        assert info["patched"] == []
        assert info["lock"] == "_thread.lock"


def test_healthcheck_turns_healthy(running: kit.Booted) -> None:
    wait_until(
        lambda: health(running.container) == "healthy", kit.PATIENCE, running.container, what="HEALTHCHECK healthy"
    )


def test_logs_without_a_complaint(running: kit.Booted) -> None:
    if not running.plan.server.production:
        return
    logs = running.container.logs()
    assert kit.complaints(logs.stderr) == []
    assert kit.complaints(logs.stdout) == []
    assert [line for line in logs.stdout.splitlines() if not line.startswith("{")] == [], "stdout is for reports"
