"""What stock meinheld breaks and the image's mended one keeps; each of these fails on the stock package."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.conftest import Boot
from tests.containers.faults import established
from tests.containers.support.waiting import wait_until
from tests.containers.test_faults import in_background, in_flight

PROFILE = "profiles/servers/meinheld.yaml"
#: Appended to the configuration: the same worker, its sockets left as they are.
UNPATCHED = """
from gunicorn.workers.base import Worker as _Base
from kit_runtime.workers.meinheld import MeinheldWorker as _Worker
class _Unpatched(_Worker):
    load_wsgi = _Base.load_wsgi
worker_class = _Unpatched
"""
MEGABYTES = 20


@pytest.mark.parametrize("signal", ["TERM", "HUP"])
def test_a_request_that_waits_for_its_backend_finishes(docker: Docker, boot: Boot, signal: str) -> None:
    """Stock cuts a cooperative request after 1 to 2 s, whatever graceful_timeout says."""
    with boot(PROFILE) as container, kit.upstream(docker, container) as port:
        response = in_background(lambda: container.get("/io?ms=3000"))
        wait_until(in_flight(container, 1, port), kit.PATIENCE, container.container, what="the request at its backend")
        container.container.kill(signal)
        result = response()
        assert result.status == 200
        assert result.headers["connection"].lower() == "close", "while draining"


def test_a_large_response_read_slowly_arrives_whole_at_no_cost(boot: Boot) -> None:
    """Stock spins at 100 % CPU, blocks every other client and appends an error page to the body."""
    with boot(PROFILE) as container:
        before = cpu_seconds(container)
        start = time.monotonic()
        connection = container.connect()
        connection.request("GET", f"/bytes?n={MEGABYTES * 1_000_000}")
        response = connection.getresponse()
        digest, length, slowest = hashlib.sha256(), 0, 0.0
        while piece := response.read(500_000):
            digest.update(piece)
            length += len(piece)
            began = time.monotonic()
            assert container.get("/").status == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.1)  # this is the slow reader, not a wait for something
        used = cpu_seconds(container) - before
        assert length == MEGABYTES * 1_000_000
        assert digest.digest() == hashlib.sha256(b"x" * length).digest()
        whole = time.monotonic() - start
        assert used < 0.2 * whole, f"{used:.1f} s of CPU"
        assert slowest < 0.5 * whole, "the second client is served meanwhile; stock lets it wait for the whole of it"


def cpu_seconds(container: kit.Booted) -> float:
    """CPU time of the workers, user and system, in seconds."""
    script = f"import os; print(sum(sum(map(int, open(f'/proc/{{p}}/stat').read().rpartition(')')[2].split()[11:13])) for p in {container.worker_pids()}) / os.sysconf('SC_CLK_TCK'))"  # noqa: E501
    return float(container.container.exec("python", "-c", script).stdout)


@pytest.mark.serial
def test_cooperative_sockets_are_worth_ten_times(docker: Docker, boot: Boot, tmp_path: Path) -> None:
    """50 connections that wait 50 ms for a backend, with and without meinheld's cooperative sockets."""
    with boot(PROFILE) as container, kit.upstream(docker, container):
        patched = kit.load(docker, container, "/io?ms=50", connections=50, duration=4)
    mounts = kit.mounted_configuration(kit.plan_of(PROFILE), tmp_path)
    configuration = tmp_path / "gunicorn.conf.py"
    configuration.write_text(configuration.read_text() + UNPATCHED)
    with boot(PROFILE, volumes=[mounts["volume"]]) as container, kit.upstream(docker, container):
        unpatched = kit.load(docker, container, "/io?ms=50", connections=50, duration=4)
    assert patched["failed"] == 0 and patched["no_response"] == 0
    assert patched["responses"] >= 10 * unpatched["responses"], (patched["responses"], unpatched["responses"])


@pytest.mark.serial
def test_requests_in_progress_end_before_others_begin(docker: Docker, boot: Boot) -> None:
    """With one queue for both, nearly all requests are in progress at once, and cost memory, when CPU is
    short: 600 of 1,500 instead of 160 (medians)."""
    with (
        boot(PROFILE, overrides=("connections=1500",)) as container,
        kit.upstream(docker, container) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        clients = container.plan.profile.connections
        load = pool.submit(kit.load, docker, container, "/io?ms=50", connections=clients, duration=5)
        seen = []
        while not load.done():
            seen.append(established(container, port))
        result = load.result()
        assert (result["failed"], result["no_response"]) == (0, 0), json.dumps(result)
        assert statistics.median(number for number in seen if number) < 350, seen


def test_more_connections_than_its_limit_are_all_served(docker: Docker, boot: Boot) -> None:
    """Stock takes worker_connections for the size of a table and leaves the connections beyond it hanging."""
    overrides = ("workers=1", "connections=64", "worker_connections=64")
    with boot(PROFILE, overrides=overrides) as container:
        result = kit.load(docker, container, "/", connections=300, duration=6)
        assert (result["failed"], result["no_response"]) == (0, 0), json.dumps(result)


def test_a_full_worker_leaves_the_rest_to_the_others(docker: Docker, boot: Boot) -> None:
    """It closes idle clients only when nobody else takes those who wait."""
    overrides = ("workers=2", "connections=208", "worker_connections=104")
    active, reserve = 10, 8  # the reserve for HEALTHCHECK
    with boot(PROFILE, overrides=overrides) as container:
        idle = container.plan.profile.connections - active - reserve
        result = kit.load(docker, container, "/", connections=active, idle=idle, rate=50, duration=4)
        assert (result["failed"], result["idle"]["held"]) == (0, idle), json.dumps(result)


def test_every_client_sees_its_own_address(boot: Boot) -> None:
    """Stock shows a kept-alive client the address of whoever connected last."""
    with boot(PROFILE) as container:
        first = container.connect()
        addresses = [kit.request(first, "/info").json["remote_addr"]]
        script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/info').read().decode())"
        inside = json.loads(container.container.exec("python", "-c", script).stdout)["remote_addr"]
        addresses.append(kit.request(first, "/info").json["remote_addr"])
        assert inside == "127.0.0.1"
        assert addresses[0] == addresses[1] != inside


def test_ambiguous_requests_are_refused(boot: Boot) -> None:
    """What a lenient parser and a strict proxy would read differently."""
    with boot(PROFILE) as container:
        for name, value in (("Content-Length", "5"), ("Transfer-Encoding", "identity"), ("Host", "other")):
            connection = container.connect(timeout=10)
            connection.putrequest("POST", "/echo")
            connection.putheader("Content-Length", "4")
            connection.putheader(name, value)
            connection.endheaders(b"abcd")
            assert connection.getresponse().status == 400, name
            connection.close()
        with pytest.raises((http.client.HTTPException, OSError, AssertionError)):
            assert container.get("/\n").status == 200


def test_a_body_without_room_in_tmp_is_the_servers_fault(boot: Boot) -> None:
    """Stock drops what finds no room, and the app reads the rest as the whole body."""
    with boot(PROFILE, tmpfs="/tmp:size=1m") as container:
        connection = container.connect()
        # The server may respond and close before it has taken the whole body, as HTTP allows: the response counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", "/echo", body=b"x" * 4_000_000)
        assert connection.getresponse().status == 500
        connection.close()
        connection.request("POST", "/echo", body=b"x" * 500_000)
        assert json.loads(connection.getresponse().read())["length"] == 500_000
        connection.close()
