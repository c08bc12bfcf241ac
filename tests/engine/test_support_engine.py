"""Which engine is chosen, started, installed or refused; nothing here touches a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.containers import client
from generator.containers.client import Client, Verdict
from tests.containers.support import daemon, engine, host
from tests.containers.support.engine import NoEngine, ensure_engine
from tests.engine.machine import FakeMachine

DEAD = Verdict(Client("/usr/bin/docker"), problem="Cannot connect to the Docker daemon. Is it running?")
GOOD = Verdict(Client("/usr/bin/docker"), "20.10.24", True, True)
LEGACY_ONLY = Verdict(Client("/usr/local/bin/docker"), "20.10.24", True, False, "buildx is missing")


class Stage:
    """A machine as `ensure_engine` sees it, and what it did to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.before: list[Verdict] = []
        self.after: list[Verdict] = [GOOD]
        self.dockerd: str | None = "/usr/sbin/dockerd"
        self.running: list[daemon.Daemon] = []
        self.done: list[str] = []
        self.root = self.debian = True
        self.by_package = False
        self.up = False
        monkeypatch.setattr(engine, "LOCK_FILE", folder / "lock")
        monkeypatch.setattr(engine, "_examine_all", lambda: self.after if self.up else self.before)
        monkeypatch.setattr(engine, "_wait_until_ready", self.wait)
        monkeypatch.setattr(engine, "START_SECONDS", 0.1)
        monkeypatch.setattr(host, "is_root", lambda: self.root)
        monkeypatch.setattr(host, "is_debian", lambda: self.debian)
        monkeypatch.setattr(host, "find_program", lambda name: self.dockerd)
        monkeypatch.setattr(host, "install", self.install)
        monkeypatch.setattr(daemon, "running", lambda: self.running)
        monkeypatch.setattr(daemon, "start", self.start)
        monkeypatch.setattr(daemon, "stop", lambda process: self.done.append(f"stop {process.pid}"))
        monkeypatch.setattr(daemon, "remember", lambda process: None)
        monkeypatch.setattr(daemon, "forget", lambda: None)
        for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
            monkeypatch.delenv(name, raising=False)

    def install(self, packages: tuple[str, ...]) -> None:
        self.done.append(f"install {packages[0]}")
        self.dockerd = "/usr/sbin/dockerd"
        if self.by_package:
            self.running = [daemon.Daemon(50, 1)]

    def start(self, argv: list[str]) -> daemon.Daemon:
        self.done.append(f"start {argv[0]}")
        return daemon.Daemon(40, 1)

    def wait(self, process: daemon.Daemon) -> None:
        self.done.append(f"wait {process.pid}")
        self.up = True


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(monkeypatch, tmp_path)


def test_an_engine_that_runs_is_used_and_left_alone(stage: Stage) -> None:
    stage.before = [LEGACY_ONLY, GOOD]
    with ensure_engine() as found:
        assert (found.client.path, found.started) == ("/usr/bin/docker", None)
    assert stage.done == []


def test_root_on_debian_installs_starts_and_stops(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.dockerd = None
    with ensure_engine() as found:
        assert found.server_version == "20.10.24"
    assert stage.done == ["install docker.io", "start /usr/sbin/dockerd", "wait 40", "stop 40"]
    printed = capsys.readouterr().err
    assert "started /usr/sbin/dockerd (pid 40)" in printed and "stopping dockerd (pid 40)" in printed


def test_an_installed_dockerd_is_started_without_apt(stage: Stage) -> None:
    stage.before, stage.debian = [DEAD], False
    ensure_engine().stop()
    assert stage.done == ["start /usr/sbin/dockerd", "wait 40", "stop 40"]


def test_a_dockerd_that_the_package_started_is_not_doubled(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.dockerd, stage.by_package = None, True
    monkeypatch.setattr(engine, "SYSTEMD", Path("/nonexistent"))
    ensure_engine().stop()
    assert stage.done == ["install docker.io", "wait 50", "stop 50"]


def test_a_dockerd_that_systemd_keeps_is_left_running(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage.dockerd, stage.by_package = None, True
    monkeypatch.setattr(engine, "SYSTEMD", tmp_path)
    ensure_engine().stop()
    assert stage.done == ["install docker.io", "wait 50"]


def test_a_second_dockerd_is_never_started(stage: Stage) -> None:
    stage.before, stage.running = [DEAD], [daemon.Daemon(7, 1)]
    ensure_engine().stop()
    assert stage.done == ["wait 7"]


def test_a_daemon_with_no_client_that_builds_is_stopped_again(stage: Stage) -> None:
    stage.before, stage.after, stage.debian = [DEAD], [LEGACY_ONLY], False
    with pytest.raises(NoEngine, match=r"(?s)DOCKER_BUILDKIT=1.*buildx is missing"):
        ensure_engine()
    assert stage.done[-1] == "stop 40"


REFUSALS = [
    ({"root": False}, {}, "(?s)this is not root.*apt-get install docker.io"),
    ({"debian": False, "dockerd": None}, {}, "(?s)this is not Debian.*install Docker"),
    (
        {},
        {"DOCKER_HOST": "tcp://10.0.0.1:2375"},
        "DOCKER_HOST=tcp://10.0.0.1:2375 is set, and nothing responds",
    ),
]


@pytest.mark.parametrize(("facts", "environ", "message"), REFUSALS)
def test_no_engine_and_no_way_to_get_one_is_reported(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, object],
    environ: dict[str, str],
    message: str,
) -> None:
    stage.before = [DEAD]
    for name, value in facts.items():
        setattr(stage, name, value)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NoEngine, match=message):
        ensure_engine()
    assert stage.done == []


def test_a_user_without_access_to_the_daemon_is_refused_with_the_reason(stage: Stage) -> None:
    stage.before = [Verdict(Client("docker"), problem="Got permission denied while trying to connect")]
    with pytest.raises(NoEngine, match=r"(?s)does not let this user in.*group docker"):
        ensure_engine()


def test_a_client_is_judged_by_what_it_builds() -> None:
    outputs = {"version": "20.10.24\n", "build": "sha256:1\n"}
    assert client.examine(Client("docker", run=FakeMachine(outputs))).works
    silent = client.examine(Client("docker", run=FakeMachine({"version": "20.10.24\n"})))
    assert not silent.works and "DOCKER_BUILDKIT=1 build: no image" in silent.problem
    gone = client.examine(Client("docker", run=FakeMachine({"version": 1})))
    assert (gone.server_version, gone.problem) == ("", "said no")


def test_installed_clients_are_listed_once_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a/docker").write_text("#!/bin/sh\n")
    (tmp_path / "a/docker").chmod(0o755)
    (tmp_path / "b/docker").symlink_to(tmp_path / "a/docker")
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
    monkeypatch.setattr(client, "USUAL_FOLDERS", ())
    assert [found.path for found in client.installed_clients()] == [f"{tmp_path}/a/docker"]
