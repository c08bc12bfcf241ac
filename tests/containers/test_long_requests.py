"""Requests that take long or are large, through the proxy: longer than `timeout`, and more than memory would hold."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from generator.containers.client import Client
from generator.containers.docker import Docker
from generator.plan.explain import explanation
from tests.containers import kit
from tests.containers.behind import Behind, behind_the_proxy
from tests.containers.support.images import ensure_nginx_image
from tests.containers.support.plugins import ensure_compose
from tests.containers.support.uploading_app import MIB, blocks
from tests.containers.support.waiting import wait_until
from tests.containers.test_faults import in_background

PROFILE = "profiles/servers/gthread.yaml"
APP = Path(__file__).parent / "support" / "uploading_app.py"
#: MiB: `make test-apps` takes the larger. Of the smaller upload too four do not fit the app's usual /tmp.
UPLOAD, DOWNLOAD = (300, 1024) if os.environ.get("KIT_ALL_APPS") else (40, 96)
OVERRIDES = ("app.module=uploading_app:app", "timeout=3", "request_timeout=10", f"proxy_max_body={UPLOAD + 1}Mi")
BOUNDARY = b"kit-boundary"


@pytest.fixture(scope="module")
def composing(docker: Docker) -> Client:
    ensure_nginx_image(docker)
    return ensure_compose(docker.client)


@pytest.fixture(scope="module")
def behind(
    composing: Client, image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    scratch = tmp_path_factory.mktemp("long")
    with behind_the_proxy(composing, PROFILE, image(PROFILE), scratch, OVERRIDES, APP) as found:
        yield found


def form(count: int) -> tuple[int, Iterable[bytes]]:
    """The length of a form with a file of so many MiB, and its pieces."""
    name = b'Content-Disposition: form-data; name="file"; filename="f"'
    head, tail = b"--%b\r\n%b\r\n\r\n" % (BOUNDARY, name), b"\r\n--%b--\r\n" % BOUNDARY

    def pieces() -> Iterator[bytes]:
        yield head
        yield from blocks(count)
        yield tail

    return len(head) + count * MIB + len(tail), pieces()


def digest(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def test_a_large_upload_arrives_whole(behind: Behind) -> None:
    length, pieces = form(UPLOAD)
    connection = behind.door.connect(timeout=kit.PATIENCE)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}", "Content-Length": str(length)}
    connection.request("POST", "/upload", body=pieces, headers=headers)
    response = connection.getresponse()
    seen = kit.Response(response.status, {}, response.read())
    connection.close()
    assert seen.status == 200, seen.body[:500]
    assert (seen.json["length"], seen.json["sha256"]) == (UPLOAD * MIB, digest(blocks(UPLOAD)))
    assert seen.json["where"].startswith("/tmp/"), "spooled by Werkzeug"


def test_a_large_download_arrives_whole(behind: Behind) -> None:
    assert behind.plan.proxy.response_bytes.value < DOWNLOAD * MIB, "more than the proxy keeps"
    connection = behind.door.connect(timeout=kit.PATIENCE)
    connection.request("GET", f"/download?mib={DOWNLOAD}")
    response = connection.getresponse()
    assert response.status == 200
    assert digest(iter(lambda: response.read(MIB), b"")) == digest(blocks(DOWNLOAD))
    connection.close()


def test_a_larger_tmp_brings_no_workers(behind: Behind) -> None:
    """Compose's limit has room for files; the server goes by the profile's."""
    limit = behind.app.inspect()["HostConfig"]["Memory"]
    assert limit == behind.plan.uploads.app_memory.value > behind.plan.profile.resources.memory
    found = kit.Booted(behind.plan, behind.app, 0).report()["numbers"]
    assert found["workers"]["value"] == explanation(behind.plan)["numbers"]["workers"]["value"]
    environment = behind.app.inspect()["Config"]["Env"]
    assert f"KIT_MEMORY_BYTES={behind.plan.profile.resources.memory}" in environment


def test_a_request_longer_than_timeout_is_no_hang_and_a_stop_waits_for_it(behind: Behind) -> None:
    """The last one: it ends the project."""
    app = kit.Booted(behind.plan, behind.app, 0)
    before, began = app.worker_pids(), time.monotonic()
    response = in_background(lambda: behind.door.get("/slow?s=7", timeout=kit.PATIENCE))
    seconds = behind.plan.profile.timeout + 1
    wait_until(lambda: time.monotonic() - began > seconds, kit.PATIENCE, behind.app, what="more than timeout")
    assert app.worker_pids() == before, "none was taken for hung"
    behind.project.call("stop", timeout=behind.plan.stop_seconds.value + 60)
    assert (response().status, response().body) == (200, b"slow")
    for container in (behind.app, behind.proxy):
        assert container.state()["ExitCode"] == 0, container.describe()
    assert kit.complaints(behind.app.logs().stderr) == []
