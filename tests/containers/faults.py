"""The faults of the table servers x faults, each done to a booted container under a light load.

`test_faults_table.py` does a few of them to every server; ``make faults`` does all and writes docs/faults.md.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from generator.containers.container import NotInTime
from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.support.docker import host_port
from tests.containers.support.waiting import wait_until

APP = Path(__file__).with_name("support") / "fault_app.py"
#: Short, so that what is replaced is replaced soon; small, so that everything can be used up.
OVERRIDES = ("timeout=8", "graceful_timeout=6", "connections=20", "workers=2")
OPTIONS: dict[str, Any] = {
    "tmpfs": "/tmp:size=8m",
    "memory": "256m",
    "memory_swap": "256m",
    "ulimit": {"nofile": "512:512"},
}
#: Where a connection occupies a whole worker there can be no more of them.
OVERRIDES_ONE_EACH = ("timeout=8", "graceful_timeout=6", "connections=2", "workers=2")
FROZEN = 18  # seconds: more than twice `timeout`, as 40 s are more than the default
HELD = 10  # requests at a stop: more work than one worker can do within graceful_timeout, less than two can
HANDS = 4  # requests at a time while a fault is done
SLOW = 8  # clients that never send the rest of a body, or never take the rest of a response
#: How long a server that needs no proxy waits for more of a body, or for a client to take more: 60 s, and here 2.
IMPATIENT = {
    "gevent": "_Worker.transfer_timeout = 2.0\n",
    "pywsgi": "client_body_timeout = send_timeout = 2\n",
}
REQUEST_ERRORS = (OSError, http.client.HTTPException)


@dataclass
class Outcome:
    sent: int = 0
    failed: int = 0
    recovered: bool = False
    #: Seconds from the fault until the container served as before; None where it did not.
    recovered_in: float | None = None
    #: What the failed ones saw.
    errors: list[str] = field(default_factory=list)


class Load:
    """New connections with one request each, HANDS at a time, until the block ends; each is counted."""

    def __init__(self, port: int, path: str = "/") -> None:
        self.port, self.path, self.outcome = port, path, Outcome()
        self._lock, self._end = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(HANDS)]

    def _work(self) -> None:
        while not self._end.is_set():
            self.once()
            time.sleep(0.02)

    def once(self, path: str | None = None) -> None:
        error = ""
        try:
            status, _ = request(self.port, path or self.path)
            error = "" if status == 200 else str(status)
        except REQUEST_ERRORS as raised:
            error = type(raised).__name__
        with self._lock:
            self.outcome.sent += 1
            if error:
                self.outcome.failed += 1
                self.outcome.errors.append(error)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)


def request(port: int, path: str, body: bytes | None = None, timeout: float = 25) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            parts = (
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + body + b"\r\n--b--\r\n"
            )
            connection.request("POST", path, parts, {"Content-Type": "multipart/form-data; boundary=b"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@dataclass
class Stage:
    """A booted container, the folder of its app, and the load that runs while something is done to it."""

    docker: Docker
    container: kit.Booted
    folder: Path
    load: Load = field(init=False)
    #: When what it has to recover from was done, on the monotonic clock.
    done_at: float = field(init=False, default=0.0)

    def done(self) -> None:
        """What the container has to recover from is done now; without this call, from the fault's begin."""
        self.done_at = time.monotonic()

    def seconds_since(self) -> float:
        return time.monotonic() - self.done_at

    @property
    def port(self) -> int:
        return self.container.port

    def workers(self, gone: list[int] | None = None) -> list[int]:
        return self.container.wait_workers(self.container.plan.numbers.workers.value, gone or [])

    def signal(self, pid: int, name: str) -> None:
        self.container.container.exec("python", "-c", f"import os, signal; os.kill({pid}, signal.{name})")

    def serves(self) -> bool:
        """Several times in a row, so by more than one worker."""
        wait_until(lambda: request(self.port, "/", timeout=5)[0] == 200, kit.PATIENCE, ignoring=REQUEST_ERRORS)
        return all(request(self.port, "/")[0] == 200 for _ in range(10))

    def write(self, text: str) -> None:
        """The app's file; in place, since a mounted folder is another user's."""
        (self.folder / "flask_server.py").write_text(text)

    def start_again(self) -> None:
        self.docker.call("start", self.container.container.id)


# --- The faults: each returns whether what it should come to has come ---


def sighup_with_a_changed_file(stage: Stage) -> bool:
    """Workers that import the app have the new code; where the master has imported it, a new container has."""
    before = stage.workers()
    in_flight = threading.Thread(target=stage.load.once, args=("/sleep?ms=2000",))
    in_flight.start()
    stage.write(APP.read_text().replace('"one"', '"two"'))
    stage.done()
    stage.container.container.kill("HUP")
    stage.workers(gone=before)
    in_flight.join()
    return stage.serves() and request(stage.port, "/")[1] == (b"one" if stage.container.plan.preload_app else b"two")


def ten_restarts(stage: Stage) -> bool:
    for _ in range(10):
        before = stage.workers()
        stage.done()
        stage.container.container.kill("HUP")
        stage.workers(gone=before)
    return stage.serves()


def kill_9_of_each_worker(stage: Stage) -> bool:
    for pid in stage.workers():
        stage.done()
        stage.signal(pid, "SIGKILL")
        stage.workers(gone=[pid])
    return stage.serves()


def busy_loop(stage: Stage) -> bool:
    """Longer than `timeout`: the worker is replaced, or its other threads go on."""
    spin = threading.Thread(target=quietly, args=(lambda: request(stage.port, "/spin?ms=17000"),))
    spin.start()
    spin.join()
    return bool(stage.workers()) and stage.serves()


def sigstop_of_a_worker(stage: Stage) -> bool:
    stopped = stage.workers()[:1]
    stage.done()
    stage.signal(stopped[0], "SIGSTOP")
    stage.workers(gone=stopped)
    return stage.serves()


def freeze(stage: Stage) -> bool:
    before = stage.workers()
    pause(stage.docker, stage.container, FROZEN)
    stage.done()
    return stage.serves() and stage.workers() == before


def pause(docker: Docker, container: kit.Booted, seconds: float) -> None:
    """Freeze all processes of the container for that long."""
    # Version 1 of cgroups gives up on a busy machine ("unable to freeze") where a process does not stop at once.
    wait_until(
        lambda: docker.call("pause", container.container.id, check=False).returncode == 0,
        kit.PATIENCE,
        container.container,
        what="docker pause",
    )
    time.sleep(seconds)
    docker.call("unpause", container.container.id)


def worker_at_the_memory_limit(stage: Stage) -> bool:
    before = set(stage.workers())
    stage.done()
    quietly(lambda: request(stage.port, "/grow"))
    wait_until(lambda: set(stage.workers()) != before, kit.PATIENCE, stage.container.container)
    return stage.serves() and stage.container.container.running()


def dead_upstream(stage: Stage) -> bool:
    return all(request(stage.port, "/backend")[0] == 502 for _ in range(20)) and stage.serves()


def descriptors_used_up(stage: Stage) -> bool:
    return int(request(stage.port, "/descriptors")[1]) > 100 and stage.serves()


def tmp_full(stage: Stage) -> bool:
    """An upload that needs it gets an error, nothing else does."""
    filled = b"No space" in request(stage.port, "/fill")[1]
    refused = request(stage.port, "/upload", bytes(2 << 20))[0]
    stage.done()
    request(stage.port, "/empty")
    return filled and refused >= 400 and request(stage.port, "/upload", bytes(2 << 20)) == (200, b"2097152")


def slow_bodies(stage: Stage) -> bool:
    """Clients that stop in the middle of a body: each is ended, and nobody else waits for that."""
    head = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1"
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(("127.0.0.1", stage.port), 40)) for _ in range(SLOW)]
        for client in slow:
            client.sendall(head)
        for client in slow:
            with suppress(ConnectionResetError):
                while client.recv(65536):  # until the server closes
                    pass
    return stage.serves()


def slow_readers(stage: Stage) -> bool:
    """Clients that take nothing of a large response: each is ended, and nobody else waits for that."""
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(("127.0.0.1", stage.port), 40)) for _ in range(SLOW)]
        for client in slow:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        for client in slow:
            client.recv(1)  # its response has begun
        stage.done()
        # Seen from inside: Docker's proxy does not tell a client that reads nothing of a reset.
        wait_until(lambda: established(stage.container) <= HANDS, kit.PATIENCE, stage.container.container)
    return stage.serves()


def app_raises_oserror(stage: Stage) -> bool:
    """As of a database that resets a connection, or of a file that is missing; gunicorn takes it for the client's and
    hangs up. Each is a 500 with its traceback in the log."""
    raised = [f"{where}/{kind}" for where in ("call", "first") for kind in ("reset", "missing")]
    statuses = [request(stage.port, f"/raise/{one}")[0] for one in raised]
    expected = {f"] on purpose: {one}" for one in raised}
    wait_until(lambda: all(one in stage.container.container.logs().stderr for one in expected), kit.PATIENCE)
    return statuses == [500] * len(raised) and stage.serves()


def twice_the_connections(stage: Stage) -> bool:
    """Of what all workers hold together, at once."""
    numbers = stage.container.plan.numbers
    held = numbers.worker_connections.value if numbers.worker_connections else 1
    together = Load(stage.port, "/sleep?ms=200")
    threads = [threading.Thread(target=together.once) for _ in range(2 * held * numbers.workers.value)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return together.outcome.failed == 0 and together.outcome.sent == len(threads) and stage.serves()


def quietly(call: Callable[[], object]) -> None:
    with suppress(*REQUEST_ERRORS):
        call()


#: Done one after another to one container, with Load meanwhile.
FAULTS: tuple[Callable[[Stage], bool], ...] = (
    dead_upstream,
    app_raises_oserror,
    slow_bodies,
    slow_readers,
    twice_the_connections,
    tmp_full,
    descriptors_used_up,
    freeze,
    kill_9_of_each_worker,
    sigstop_of_a_worker,
    busy_loop,
    worker_at_the_memory_limit,
    ten_restarts,
    sighup_with_a_changed_file,
)

#: What a server that needs a proxy in front leaves to it.
LEFT_TO_A_PROXY = (slow_bodies, slow_readers)


def sigterm(stage: Stage) -> Outcome:
    """Of requests that were sent before it, some in progress and some still in the queue; none ends before it."""
    load = Load(stage.port, "/held?ms=700")
    threads = [threading.Thread(target=load.once) for _ in range(HELD)]
    for thread in threads:
        thread.start()
    wait_until(
        lambda: established(stage.container) >= HELD, kit.PATIENCE, stage.container.container, what="all connections"
    )
    stage.done()
    stage.container.container.kill("TERM")
    stage.container.container.exec("python", "-c", "open('/tmp/go', 'w')")
    load.outcome.recovered = stage.container.container.wait(kit.PATIENCE) == 0
    load.outcome.recovered_in = stage.seconds_since()
    for thread in threads:
        thread.join(30)
    return load.outcome


def established(container: kit.Booted, port: int | None = None, address: str = "") -> int:
    """Connections to the port (default: the server's), in its queue or accepted, seen from inside.

    ``address`` is the one of the container that they go to, as /proc/net/tcp writes it; any by default.
    """
    ending = f"{address}:{port or container.plan.profile.port:04X}"
    rows = map(str.split, container.container.exec("cat", "/proc/net/tcp").stdout.splitlines())
    return sum(row[1].endswith(ending) and row[3] == "01" for row in rows)


def import_error(stage: Stage) -> Outcome:
    """At the start of the stopped container: it ends and says why; with the file mended it serves."""
    stage.write("import no_such_module\n")
    stage.start_again()
    ended = (
        stage.container.container.wait(kit.PATIENCE) != 0 and "no_such_module" in stage.container.container.logs().text
    )
    stage.write(APP.read_text())
    stage.done()
    stage.start_again()
    stage.container.port = host_port(stage.container.container, stage.container.plan.profile.port)
    return Outcome(recovered=ended and stage.serves(), recovered_in=stage.seconds_since())


#: Done last, in this order: the first ends the container, the second starts it again.
LAST: tuple[Callable[[Stage], Outcome], ...] = (sigterm, import_error)


def outcomes(stage: Stage, faults: Sequence[Callable[[Stage], bool]] = FAULTS) -> dict[str, Outcome]:
    """Of each fault and then the last ones."""
    found = {}
    for fault in faults:
        if fault in LEFT_TO_A_PROXY and stage.container.plan.server.needs_proxy:
            continue
        stage.load = Load(stage.port)
        with stage.load as load:
            stage.done()
            try:
                load.outcome.recovered = fault(stage)
                load.outcome.recovered_in = stage.seconds_since() if load.outcome.recovered else None
            except (NotInTime, *REQUEST_ERRORS) as error:
                load.outcome.errors.append(repr(error)[:300])
        found[fault.__name__] = load.outcome
    return found | {last.__name__: last(stage) for last in LAST}


@contextmanager
def staged(docker: Docker, image: str, profile: str, scratch: Path) -> Iterator[Stage]:
    """The profile's image, booted with the fault app in a folder that can be changed."""
    app = scratch / "app"
    app.mkdir()
    (app / "flask_server.py").write_text(APP.read_text())
    app.chmod(0o755)
    overrides = OVERRIDES_ONE_EACH if kit.plan_of(profile).server.holds_one_each else OVERRIDES
    plan = kit.plan_of(profile, *overrides)
    volumes = [kit.mounted_configuration(plan, scratch)["volume"], f"{app}:/app:ro"]
    with (scratch / plan.server.configuration).open("a") as configuration:
        configuration.write(IMPATIENT.get(plan.server.name, ""))
    with kit.booted(docker, image, plan, volume=volumes, **OPTIONS) as container:
        yield Stage(docker, container, app)


# --- What a server cannot promise ---

_ENDS_WITH_IT = "no other process can serve what that worker had accepted, so those requests fail; all others succeed"
#: Faults at which requests may fail, whichever the server, and why.
MAY_FAIL = {
    kill_9_of_each_worker: _ENDS_WITH_IT,
    sigstop_of_a_worker: _ENDS_WITH_IT,
    busy_loop: _ENDS_WITH_IT,
    worker_at_the_memory_limit: _ENDS_WITH_IT,
}


def broken_promises(found: dict[str, Outcome]) -> dict[str, Outcome]:
    """What did not recover, or failed where a server can help it."""
    may_fail = {fault.__name__ for fault in MAY_FAIL}
    return {name: one for name, one in found.items() if not one.recovered or (one.failed and name not in may_fail)}
