"""What goes wrong in production, done to a booted container: signals, dead and hung workers, slow clients."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.conftest import Boot
from tests.containers.faults import established, pause
from tests.containers.support.docker import health
from tests.containers.support.waiting import wait_until

PRODUCTION = [profile for profile in kit.PROFILES if kit.plan_of(profile).server.production]

#: Those that tests/servers does not start; the others are frozen there.
FROZEN_HERE = ("eventlet", "meinheld")


def in_background(call: Callable[[], kit.Response]) -> Callable[[], kit.Response]:
    """Start the call in a thread; the returned function waits for its response and raises what it raised."""
    responses: list[kit.Response | Exception] = []

    def run() -> None:
        try:
            responses.append(call())
        except Exception as error:
            responses.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> kit.Response:
        thread.join(kit.PATIENCE)
        assert responses, "no response in time"
        if isinstance(responses[0], Exception):
            raise responses[0]
        return responses[0]

    return result


def in_flight(container: kit.Booted, connections: int, port: int | None = None) -> Callable[[], bool]:
    """Whether that many connections to the port are established."""
    return lambda: established(container, port) >= connections


@pytest.fixture(scope="module", params=PRODUCTION)
def steady(request: pytest.FixtureRequest, docker: Docker, image: Callable[[str], str]) -> Iterator[kit.Booted]:
    """One boot a profile for its workers' end and, last, its own."""
    with kit.booted(docker, image(request.param), kit.plan_of(request.param)) as container:
        yield container


def test_killed_worker_is_replaced(steady: kit.Booted) -> None:
    before = steady.wait_workers(steady.plan.numbers.workers.value)
    steady.container.exec("python", "-c", f"import os; os.kill({before[0]}, 9)")
    steady.wait_workers(len(before), gone=before[:1])
    assert steady.get("/").status == 200


def test_request_in_flight_finishes_on_sigterm(steady: kit.Booted) -> None:
    """And an idle connection does not hold up the stop, where the server closes it."""
    server, idle = steady.plan.server, 0
    complaints = kit.complaints(steady.container.logs().stderr)
    with ExitStack() as stack:
        if server.honours("keepalive") and server.closes_idle_on_stop:
            connection = stack.enter_context(closing(steady.connect()))
            assert kit.request(connection, "/").status == 200
            idle = 1
        response = in_background(lambda: steady.get("/sleep?ms=3000"))
        wait_until(in_flight(steady, idle + 1), kit.PATIENCE, steady.container, what="the request in flight")
        start = time.monotonic()
        steady.container.kill("TERM")
        result = response()
        assert (result.status, result.body) == (200, b"slept")
        if server.closes_while_draining:
            assert result.headers["connection"].lower() == "close"
        assert steady.container.wait(kit.PATIENCE) == 0
        assert not idle or time.monotonic() - start < 30, "graceful_timeout; keepalive is 75 s"
    assert kit.complaints(steady.container.logs().stderr) == complaints, "none after the killed worker's"


@pytest.mark.parametrize("profile", kit.honouring("timeout"))
def test_hung_worker_is_replaced(docker: Docker, boot: Boot, profile: str) -> None:
    with boot(profile, overrides=("timeout=3", "graceful_timeout=3")) as container:
        before = container.wait_workers(container.plan.numbers.workers.value)
        if container.plan.server.name in FROZEN_HERE:
            pause(docker, container, 7)
            assert container.get("/").status == 200
            assert container.wait_workers(len(before)) == before, "a frozen one is none"
        script = f"import os, signal; os.kill({before[0]}, signal.SIGSTOP)"
        container.container.exec("python", "-c", script)
        container.wait_workers(len(before), gone=before[:1])
        assert "timeout" in container.container.logs().stderr.lower()
        assert container.get("/").status == 200


#: Each is soon over; none disturbs what is tested of the others.
SHORT = {"keepalive": "1", "header_timeout": "3", "max_requests": "20"}


@pytest.fixture(scope="module", params=sorted({profile for name in SHORT for profile in kit.honouring(name)}))
def short(
    request: pytest.FixtureRequest,
    docker: Docker,
    image: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[kit.Booted]:
    """One boot a profile with as many of these settings as its server honours."""
    honours = kit.plan_of(request.param).server.honours
    plan = kit.plan_of(request.param, *(f"{name}={value}" for name, value in SHORT.items() if honours(name)))
    mounts = kit.mounted_configuration(plan, tmp_path_factory.mktemp("short"))
    with kit.booted(docker, image(request.param), plan, **mounts) as container:
        yield container


@pytest.mark.parametrize("short", kit.honouring("keepalive"), indirect=True)
def test_keepalive_closes_idle_connections(short: kit.Booted) -> None:
    connection = short.connect(timeout=60)  # keepalive's own default is 75 s
    assert kit.request(connection, "/").headers.get("connection", "").lower() != "close"
    assert connection.sock is not None
    assert connection.sock.recv(1) == b"", "the server closes it"


@pytest.mark.parametrize("short", kit.honouring("header_timeout"), indirect=True)
def test_header_timeout_closes_slow_clients(short: kit.Booted) -> None:
    start = time.monotonic()
    # The connection's own timeout fails the test: a server without header_timeout waits for longer.
    with socket.create_connection(("127.0.0.1", short.port), timeout=60) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:")
        while slow.recv(4096):
            pass
    assert time.monotonic() - start > 2, "not keepalive, which is 1 s"


@pytest.mark.parametrize("short", kit.honouring("max_requests"), indirect=True)
def test_max_requests_recycles(short: kit.Booted) -> None:
    before = short.wait_workers(short.plan.numbers.workers.value)

    def every_worker_is_new() -> bool:
        # The kernel decides which worker gets a connection: one by one, almost all of them may go to one worker.
        assert [short.get("/").status for _ in range(20)] == [200] * 20
        return not set(before) & set(short.worker_pids())

    wait_until(every_worker_is_new, kit.PATIENCE, short.container, what=f"workers other than {before}", ignoring=())
    short.wait_workers(len(before), gone=before)


@pytest.mark.parametrize("profile", kit.honouring("worker_connections"))
def test_worker_connections_limits(boot: Boot, profile: str) -> None:
    """A full worker takes no more connections, and takes the next one when a place is free: none is lost."""
    overrides: tuple[str, ...] = ("connections=4", "workers=1", "worker_connections=8")
    if kit.plan_of(profile).numbers.threads is not None:
        overrides += ("threads=4",)
    with boot(profile, overrides=overrides) as container:
        responses = [in_background(lambda: container.get("/sleep?ms=300")) for _ in range(20)]
        assert [response().status for response in responses] == [200] * 20


def test_sigterm_during_a_slow_import_ends_at_once(docker: Docker, image: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "flask_server.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(300)\n")
    tmp_path.chmod(0o755)
    plan = kit.plan_of("profiles/small.yaml")
    options = kit.run_options(plan, volume=f"{tmp_path}:/app:ro")
    with docker.run_detached(image("profiles/small.yaml"), **options) as container:
        wait_until(lambda: "importing" in container.logs().stdout, kit.PATIENCE, container, what="the import")
        container.kill("TERM")
        assert container.wait(kit.PATIENCE) == 0


def test_healthcheck_turns_unhealthy_for_a_broken_app(
    docker: Docker, image: Callable[[str], str], tmp_path: Path
) -> None:
    broken = "from flask import Flask, abort\napp = Flask(__name__)\n@app.get('/readyz')\ndef ready(): abort(503)\n"
    (tmp_path / "flask_server.py").write_text(broken)
    tmp_path.chmod(0o755)
    plan = kit.plan_of("profiles/small.yaml")
    options = kit.run_options(plan, volume=f"{tmp_path}:/app:ro")
    options |= {"health_interval": "1s", "health_retries": 2, "health_start_period": "1ms"}
    with docker.run_detached(image("profiles/small.yaml"), **options) as container:
        wait_until(lambda: health(container) == "unhealthy", kit.PATIENCE, container, what="HEALTHCHECK unhealthy")


def test_connection_refused_after_the_stop(boot: Boot) -> None:
    with boot("profiles/small.yaml") as container:
        container.container.stop()
        with pytest.raises((OSError, http.client.HTTPException)):
            container.get("/", timeout=5)


def test_flask_threads(boot: Boot) -> None:
    """The development server serves from one process; `threads` makes it serve several at a time."""
    with boot("profiles/servers/flask.yaml", overrides=("threads=4",)) as container:
        slow = in_background(lambda: container.get("/sleep?ms=8000"))
        wait_until(in_flight(container, 1), kit.PATIENCE, container.container, what="the request in flight")
        assert len({container.get("/info").json["pid"] for _ in range(4)}) == 1
        assert in_flight(container, 1)(), "not behind the slow one"
        assert slow().status == 200
        assert "DEVELOPMENT" in container.container.logs().stderr


def test_flask_processes(boot: Boot) -> None:
    """`workers` makes it serve each request in a process of its own."""
    with boot("profiles/servers/flask.yaml", overrides=("workers=4",)) as container:
        assert len({container.get("/info").json["pid"] for _ in range(4)}) == 4
        container.container.kill("TERM")
        assert container.container.wait(kit.PATIENCE) in (0, 143)
