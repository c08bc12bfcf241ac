"""The engine the tests run on: the one found, else Debian's docker.io, installed and started here."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from generator.containers import client
from generator.containers.client import Client, Verdict
from generator.containers.command import EngineError, say
from tests.containers.support import daemon, host, plugins

# docker-cli and docker-buildx are packages of their own since trixie; bookworm's docker.io holds both.
PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "iptables")
START_SECONDS = 60
SYSTEMD = Path("/run/systemd/system")
LOCK_FILE = host.BUILD_DIR / "engine.lock"
HOW_TO = (
    "install Docker and start it (Debian: apt-get install docker.io docker-cli docker-buildx; "
    "service docker start), or run the tests as root on Debian and they do so themselves"
)


class NoEngine(EngineError):
    """There is no container engine and no way to get one."""


@dataclass
class Engine:
    """A client that works and, if it was started here, the daemon behind it."""

    client: Client
    server_version: str
    started: daemon.Daemon | None = None

    def stop(self) -> None:
        """Stop the daemon that was started here; an engine that was found keeps running."""
        if self.started:
            say(f"stopping dockerd (pid {self.started.pid})")
            daemon.stop(self.started)
            daemon.forget()
            self.started = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def ensure_engine() -> Engine:
    """Find or start an engine; `with ensure_engine() as engine:` or `engine.stop()` ends what it started."""
    with host.one_at_a_time(LOCK_FILE):  # or two processes that begin together would both start a daemon
        verdicts = _examine_all()
        started = None if _responds(verdicts) else _bring_up(verdicts)
        try:
            if started or not _responds(verdicts):
                verdicts = _examine_all()
            best = _choose(verdicts)
        except BaseException:
            if started:
                daemon.stop(started)
                daemon.forget()
            raise
    return Engine(best.client, best.server_version, started)


def _examine_all() -> list[Verdict]:
    """Look at each installed client until one can do everything."""
    verdicts: list[Verdict] = []
    for candidate in client.installed_clients():
        verdicts.append(client.examine(candidate))
        if verdicts[-1].works:
            break
    return verdicts


def _responds(verdicts: list[Verdict]) -> bool:
    return any(verdict.server_version for verdict in verdicts)


def _choose(verdicts: list[Verdict]) -> Verdict:
    """The client that builds with both builders, helped by Debian's buildx plugin if none does alone."""
    for verdict in verdicts:
        if verdict.works:
            return verdict
    for verdict in verdicts:
        if verdict.can_build and host.is_debian():
            helped = client.examine(plugins.ensure_plugin(verdict.client, "buildx"))
            verdicts = [*verdicts, helped]
            if helped.works:
                return helped
    raise NoEngine(
        "no docker client here builds with both DOCKER_BUILDKIT=0 and DOCKER_BUILDKIT=1:\n"
        f"{client.describe(verdicts)}\ninstall docker-buildx (or Debian 12's docker.io, which needs none)"
    )


def _bring_up(verdicts: list[Verdict]) -> daemon.Daemon | None:
    """Get a daemon to respond; the one to stop again at the end, or None where it is not ours to stop."""
    tried = client.describe(verdicts)
    if client.refused(verdicts):
        raise NoEngine(f"the Docker daemon does not let this user in:\n{tried}\njoin the group docker, or run as root")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        if os.environ.get(name):
            raise NoEngine(
                f"{name}={os.environ[name]} is set, and nothing responds there:\n{tried}\nstart it, or unset it"
            )
    running = daemon.running()
    if running:
        # Never a second one: it would delete the first one's docker0 bridge.
        say(f"dockerd (pid {running[0].pid}) runs and does not respond yet; waiting for it")
        _wait_until_ready(running[0])
        return None
    if not host.is_root():
        raise NoEngine(f"no container engine responds, and this is not root:\n{tried}\n{HOW_TO}")
    if not (host.find_program("dockerd") and verdicts):
        if not host.is_debian():
            raise NoEngine(f"no container engine here, and this is not Debian:\n{tried}\n{HOW_TO}")
        host.install(PACKAGES)
    return _start()


def _start() -> daemon.Daemon | None:
    """Start dockerd, or take over the one that installing the package has just started."""
    by_package = daemon.running()
    if by_package:
        started = by_package[0]
        say(f"installing docker.io has started dockerd (pid {started.pid})")
    else:
        path = host.find_program("dockerd")
        if path is None:
            raise NoEngine(f"there is no dockerd, not even after the installation\n{HOW_TO}")
        started = daemon.start([path])
        say(f"started {path} (pid {started.pid}), log in {daemon.LOG_FILE}")
    if by_package and SYSTEMD.is_dir():
        say("systemd looks after it: it keeps running (systemctl disable --now docker.socket docker)")
        _wait_until_ready(started)
        return None
    daemon.remember(started)
    try:
        _wait_until_ready(started)
    except BaseException:
        daemon.stop(started)
        daemon.forget()
        raise
    return started


def _wait_until_ready(process: daemon.Daemon) -> None:
    """Until a client reaches the daemon, the daemon has died, or the deadline has passed."""
    deadline = time.monotonic() + START_SECONDS
    problem = "no docker client"
    while time.monotonic() < deadline:
        for candidate in client.installed_clients():
            version, problem = client.query_server(candidate)
            if version:
                return
        if not process.alive():
            raise NoEngine(f"dockerd (pid {process.pid}) ended at start:\n{daemon.log_tail()}")
        time.sleep(0.2)
    raise NoEngine(
        f"dockerd (pid {process.pid}) does not respond within {START_SECONDS} s: {problem}\n{daemon.log_tail()}"
    )
