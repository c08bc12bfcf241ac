"""Each production profile behind its proxy: `docker compose up --wait`, plain, forged and slow requests, a stop."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from generator.containers.client import Client
from generator.containers.docker import Docker
from generator.render.render import render
from tests.containers import kit
from tests.containers.behind import LITERAL, Behind, behind_the_proxy
from tests.containers.support.docker import health, host_port, run_once
from tests.containers.support.images import LOAD_TAG, NGINX_TAG, ensure_nginx_image, run_beside
from tests.containers.support.plugins import ensure_compose
from tests.containers.support.waiting import wait_until
from tests.containers.test_faults import in_background, in_flight

PRODUCTION = [profile for profile in kit.PROFILES if kit.plan_of(profile).server.production]
SLOW_CLIENTS = 500
SLOW_UPLOADS = Path(__file__).parent / "support" / "slow_uploads.py"
#: Whom a slow client holds up, waits for its timeout: seconds. On two cores that others use too a median of 1 ms may
#: become some tens by noise alone.
NOISE_MS = 500


@pytest.fixture(scope="module")
def composing(docker: Docker) -> Client:
    ensure_nginx_image(docker)
    return ensure_compose(docker.client)


@pytest.fixture(scope="module", params=PRODUCTION)
def behind(
    request: pytest.FixtureRequest,
    composing: Client,
    image: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Behind]:
    """One project a profile for all looks."""
    profile = request.param
    with behind_the_proxy(composing, profile, image(profile), tmp_path_factory.mktemp("compose")) as found:
        yield found


def test_nginx_accepts_every_file(composing: Client, docker: Docker, tmp_path: Path) -> None:
    """As an unprivileged user, with settings that change the file."""
    networks = "forwarded_allow_ips=10.0.0.0/8,2001:db8::/32"
    changes = [(), ("access_log=json", "keepalive=0"), ("access_log=text", networks)]
    changes += [
        ("forwarded_allow_ips='*'", "connections=64", "proxy_max_body=1500k"),
        ("websocket=true", "connections=3000"),
    ]
    for number, profile in enumerate(PRODUCTION):
        for variant, overrides in enumerate(changes if profile == LITERAL else changes[:1]):
            plan = kit.plan_of(profile, *overrides)
            (tmp_path / f"{number}-{variant}.conf").write_text(render(plan)[f"{plan.folder}/nginx.conf"])
    tmp_path.chmod(0o755)
    script = "for file in /conf/*.conf; do nginx -e stderr -t -c $file || exit 1; done"
    options: dict[str, Any] = {"volume": f"{tmp_path}:/conf:ro", "user": "101", "read_only": True, "tmpfs": "/tmp"}
    output = run_once(docker, NGINX_TAG, "sh", "-c", script, cap_drop="ALL", network="none", **options).output
    assert output.count("test is successful") == len(PRODUCTION) + len(changes) - 1
    assert "warn" not in output and "alert" not in output


#: What must not reach a log: of the query, of the Referer's query, of an absolute URL's user info.
SECRETS = "sesame", "taheen", "hunter2"
#: Targets and what stands for them in JSON: decoded where that is ASCII, else as they came.
TARGETS = {
    b"/a%20b?token=sesame": "/a b",
    b"/%22%5c%0a%1b[2J?token=sesame": "/%22%5c%0a%1b[2J",
    b"/%22%5c?token=sesame": '/"\\',
    b"http://x/absolute?token=sesame": "/absolute",
    b"/gr%C3%B6%C3%9Fe?token=sesame": "/gr%C3%B6%C3%9Fe",
    b"/%C2%85%E2%80%A8x?token=sesame": "/%C2%85%E2%80%A8x",
    b"/%85%ff?token=sesame#sesame": "/%85%ff",
    b"/\xc2\x85\xe2\x80\xa8?token=sesame": "not ASCII",
    b"/%C3%B6#sesame": "/%C3%B6",
}
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffd]")


@pytest.mark.parametrize("access_log", ["json", "text", "off"])
def test_logs_hold_no_secret_and_no_line_of_a_clients_making(
    composing: Client, docker: Docker, tmp_path: Path, access_log: str
) -> None:
    """No app is there: each request is in the access log, and among what failed."""
    plan = kit.plan_of(LITERAL, f"access_log={access_log}")
    text = render(plan)[f"{plan.folder}/nginx.conf"].replace(plan.proxy.upstream, "127.0.0.1:9")
    (tmp_path / "nginx.conf").write_text(text)
    tmp_path.chmod(0o755)
    options: dict[str, Any] = {"volume": f"{tmp_path}:/conf:ro", "user": "101", "read_only": True, "tmpfs": "/tmp"}
    options["publish"] = f"127.0.0.1::{plan.proxy.port}"
    words = "nginx", "-e", "stderr", "-c", "/conf/nginx.conf", "-g", "daemon off;"
    with docker.run_detached(NGINX_TAG, *words, **options) as proxy:
        port = host_port(proxy, plan.proxy.port)

        statuses: list[bytes] = []

        def status(head: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=kit.PATIENCE) as connection:
                connection.sendall(head)
                statuses.append(connection.recv(65536)[9:12])
            return statuses[-1]

        def lines() -> tuple[int, int]:
            logs = proxy.logs()
            return len(logs.stdout.splitlines()), len(logs.stderr.splitlines())

        wait_until(lambda: status(b"GET / HTTP/1.0\r\nUser-Agent: first\r\n\r\n") == b"502", kit.PATIENCE, proxy)
        for target in TARGETS:
            more = b"Referer: http://h/?taheen\x1b\xc2\x85\r\nUser-Agent: \x1b\xc2\x85\xe2\x80\xa8\xff\r\n"
            assert status(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n" % (target, more)) == b"502"
        assert status(b"GET http://u:hunter2@h/ HTTP/1.1\r\nHost: h\r\n\r\n") == b"400"
        assert status(b"POST /?sesame HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n") == b"413"
        expected = 0 if access_log == "off" else len(statuses), statuses.count(b"502")
        wait_until(lambda: lines() == expected, kit.PATIENCE, proxy, what="a line for each")
        logs = proxy.logs()
    assert not [secret for secret in SECRETS if secret in logs.stdout + logs.stderr]
    assert not CONTROLS.findall(logs.stdout + logs.stderr)
    assert all("[error] 502 for " in line and ": 127.0.0.1:9 " in line for line in logs.stderr.splitlines())
    if access_log == "json":
        entries = [json.loads(line) for line in logs.stdout.splitlines()]
        paths = [entry["path"] for entry in entries if entry["user_agent"] == "not ASCII"]
        assert sorted(paths) == sorted(TARGETS.values())
        assert {entry["status"] for entry in entries} == {400, 413, 502}


def test_serves_through_the_proxy(behind: Behind) -> None:
    response = behind.door.get("/")
    assert (response.status, response.body) == (200, b"hello")
    assert response.headers["server"] == "nginx", "no version"
    assert health(behind.app) == health(behind.proxy) == "healthy"
    assert behind.door.get("/bytes?n=3000000").body == b"x" * 3_000_000


def test_containers_have_as_little_as_they_need(behind: Behind) -> None:
    plan = behind.plan
    app, proxy = behind.app.inspect(), behind.proxy.inspect()
    for found, memory in ((app, plan.profile.resources.memory), (proxy, plan.proxy.memory_bytes.value)):
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] == host["MemorySwap"] == memory
        assert not found["Config"]["User"].startswith("0")
    assert app["HostConfig"]["NanoCpus"] == plan.profile.resources.cpu * 1_000_000
    assert app["HostConfig"]["Ulimits"] == [
        {"Name": "nofile", "Hard": plan.numbers.descriptors.value, "Soft": plan.numbers.descriptors.value}
    ]
    assert app["Config"]["StopTimeout"] == plan.stop_seconds.value
    assert not app["HostConfig"]["PortBindings"]
    (bound,) = proxy["HostConfig"]["PortBindings"].values()
    assert [entry["HostIp"] for entry in bound] == ["127.0.0.1"]


def test_a_client_cannot_say_who_it_is(behind: Behind) -> None:
    """What it sends is replaced, whatever the name it takes."""
    names = ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded")
    lies = dict.fromkeys(names, "for=6.6.6.6") | {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "e"}
    lies |= {"X-Forwarded-Proto": "https", "X-Forwarded-Protocol": "ssl", "X-Forwarded-Ssl": "on"}
    info = behind.door.get("/info", headers=lies)
    assert info.status == 200 and b"6.6.6.6" not in info.body
    assert info.json["scheme"] == "http"
    seen = behind.door.get("/headers", headers=lies).json
    assert "6.6.6.6" not in json.dumps(seen)
    assert seen["X-Forwarded-For"] == seen["X-Real-Ip"] == behind.plan.proxy.gateway
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-Host"]) == ("http", f"127.0.0.1:{behind.door.port}")
    assert not {"Forwarded", "X-Forwarded-Ssl", "X-Forwarded-Protocol"} & seen.keys()


def test_a_trusted_proxy_in_front_is_believed_and_the_app_believes_this_one_only(behind: Behind) -> None:
    headers = ("--header", "X-Forwarded-Proto: https", "--header", "X-Forwarded-For: 6.6.6.6, 203.0.113.9")
    seen = json.loads(behind.inside(*headers, "/headers"))
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-For"]) == ("https", "203.0.113.9"), "not what came before it"
    if not behind.plan.proxy.app_args:
        return
    assert json.loads(behind.inside(*headers, "/info"))["scheme"] == "https"
    script = (
        "import sys, urllib.request as r; "
        f"q = r.Request('http://127.0.0.1:{behind.plan.profile.port}/info', headers={{'X-Forwarded-Proto': 'https'}}); "
        "print(r.urlopen(q).read().decode())"
    )
    assert json.loads(behind.app.exec("python", "-c", script).stdout)["scheme"] == "http", "not even its own loopback"


SMUGGLED = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
)


def test_ambiguous_and_oversized_requests_end_at_the_proxy(behind: Behind) -> None:
    statuses = []
    for request in SMUGGLED:
        with socket.create_connection(("127.0.0.1", behind.door.port), timeout=kit.PATIENCE) as connection:
            connection.sendall(request)
            statuses.append(connection.recv(4096).split(b" ")[1])
    assert statuses == [b"400", b"400", b"400", b"501", b"400", b"400", b"400", b"414", b"413"]


def test_slow_bodies_and_slow_readers_hold_no_worker(behind: Behind) -> None:
    """More of each than the app could take at once, if they reached it."""
    with ExitStack() as stack:
        for number in range(40):
            head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"
            head = head if number % 2 else b"GET /bytes?n=1000000 HTTP/1.1\r\nHost: x\r\n\r\n"
            slow = stack.enter_context(socket.socket())
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", behind.door.port))
            slow.sendall(head)
        assert behind.door.get("/", timeout=5).body == b"hello"


@pytest.mark.parametrize("behind", [p for p in PRODUCTION if kit.plan_of(p).server.holds_one_each], indirect=True)
def test_without_the_proxy_slow_clients_hold_the_workers(behind: Behind) -> None:
    """The case that must fail, where a connection occupies a whole worker."""
    script = (
        "import socket\n"
        f"address = ('127.0.0.1', {behind.plan.profile.port})\n"
        f"slow = [socket.create_connection(address) for _ in range({behind.plan.numbers.workers.value})]\n"
        "for one in slow: one.sendall(b'GET / HT')\n"
        "healthy = socket.create_connection(address, timeout=2)\n"
        "healthy.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "try: print(healthy.recv(99))\n"
        "except TimeoutError: print('waits')\n"
    )
    assert behind.app.exec("python", "-c", script).stdout.strip() == "waits"
    assert behind.door.get("/").status == 200, "they have gone"


def test_slow_clients_do_not_slow_down_the_others(behind: Behind, docker: Docker) -> None:
    url = f"http://127.0.0.1:{behind.plan.proxy.port}/"
    quiet = behind.load(docker, url, "--connections", "2", "--duration", "2")
    attacked = behind.load(docker, url, "--connections", "2", "--duration", "3", "--slow", str(SLOW_CLIENTS))
    assert attacked["connections"]["peak"] > attacked["slow"]["requested"] == SLOW_CLIENTS
    for found in (quiet, attacked):
        assert found["responses"] > 100 and not any(found["failures"].values()), found
    before, after = quiet["latency_ms"]["p50"], attacked["latency_ms"]["p50"]
    assert after < max(3 * before, NOISE_MS), (before, after)


@pytest.mark.parametrize("behind", ["profiles/small.yaml"], indirect=True)
def test_one_address_cannot_take_all(behind: Behind, docker: Docker) -> None:
    """Nginx and its limit are the same for all."""
    limit = behind.plan.proxy.per_address.value
    url = f"http://127.0.0.1:{behind.plan.proxy.port}/sleep?ms=1000"
    words = (url, "--connections", str(limit + 50), "--requests", str(limit + 50), "--duration", "4", "--no-reconnect")
    one = behind.load(docker, *words, "--header", "X-Forwarded-For: 203.0.113.9")
    assert one["statuses"].get("429", 0) >= 50
    many = behind.load(docker, *words)
    assert many["statuses"].keys() == {"200"}, "an address that stands for many clients is not limited"


@pytest.mark.parametrize("behind", ["profiles/small.yaml"], indirect=True)
def test_slow_uploads_leave_room_for_others(behind: Behind, docker: Docker) -> None:
    """From one address, more than the room for bodies would hold: it may have half of it."""
    count, limit = 24, behind.plan.proxy.uploads_per_address.value
    found = slow_uploads(behind, docker, count, count - limit, "203.0.113.9")
    assert found["refused"] == [429] * (count - limit)
    assert (found["given_up"], found["response"], found["upload"]) == ([], [200, 2_000_000], [200, True])


@pytest.mark.parametrize("behind", ["profiles/small.yaml"], indirect=True)
def test_uploads_that_fill_their_room_cut_no_response(behind: Behind, docker: Docker) -> None:
    """The case that must fail: from an address that stands for many clients, which are not limited."""
    found = slow_uploads(behind, docker, 24, 0)
    assert set(found["given_up"]) == {500}
    assert found["response"] == [200, 2_000_000]


def slow_uploads(behind: Behind, docker: Docker, count: int, refused: int, *name: str) -> dict[str, Any]:
    """What became of so many uploads of the largest size that do not end, and of others' requests meanwhile."""
    numbers = (behind.plan.proxy.port, behind.plan.proxy.body_bytes.value, count, refused)
    options: dict[str, Any] = {"volume": f"{SLOW_UPLOADS}:/kit/slow_uploads.py:ro", "image": LOAD_TAG}
    words = ("python3", "-B", "/kit/slow_uploads.py", *map(str, numbers), *name)
    found: dict[str, Any] = json.loads(run_beside(docker, behind.proxy, *words, **options).stdout)
    return found


def test_stops_in_time_and_finishes_what_is_in_flight(behind: Behind) -> None:
    """The last one: it ends the project."""
    response = in_background(lambda: behind.door.get("/sleep?ms=2000"))
    app = kit.Booted(behind.plan, behind.app, 0)
    wait_until(in_flight(app, 1), kit.PATIENCE, behind.app, what="the request in flight")
    behind.project.call("stop", timeout=behind.plan.stop_seconds.value + 60)  # past stop_seconds: SIGKILL, code 137
    assert (response().status, response().body) == (200, b"slept")
    for container in (behind.app, behind.proxy):
        assert container.state()["ExitCode"] == 0, container.describe()
    assert kit.complaints(behind.app.logs().stderr) == []
    output = behind.proxy.logs().stderr
    expected = ("too large body", '"/tmp/body/')  # the room for bodies was full on purpose
    assert not [line for line in output.splitlines() if not any(text in line for text in expected)], output
