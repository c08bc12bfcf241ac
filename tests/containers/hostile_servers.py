"""Each production server with the app of the hostile tests, alone or behind its proxy."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterable
from pathlib import Path

from generator.containers.client import Client
from generator.containers.docker import Docker
from generator.runtime.http_limits import PROBE_IDLE
from tests import responses
from tests.containers import hostile_reference, kit
from tests.containers.behind import LITERAL, behind_the_proxy
from tests.containers.hostile_cases import CASES, SMUGGLED_REQUEST, Case
from tests.containers.hostile_client import Found, Verdict, forged, send_all, verdict
from tests.containers.support import answering_app, host, hostile_app
from tests.containers.support.docker import build_text
from tests.containers.support.peers import seconds_to_probe
from tests.containers.support.waiting import wait_until

#: A profile of each production server.
PROFILES = {
    plan.server.name: profile
    for profile in kit.PROFILES
    if profile != LITERAL and (plan := kit.plan_of(profile)).server.production
}


def hostile_image(docker: Docker, profile: str, image: str) -> str:
    """The profile's image with another app; returns its tag."""
    module = kit.plan_of(profile).profile.app.module.partition(":")[0]
    text = f"FROM {image}\nUSER 0\n"
    for name, found in ((module, hostile_app), ("answering_app", answering_app)):
        source = base64.b64encode(Path(str(found.__file__)).read_bytes()).decode()
        text += f"RUN echo {source} | base64 -d > /app/{name}.py\n"
    text += "USER 12345\n"
    tag = image.replace(":dev", ":hostile")
    with host.one_at_a_time(host.lock_of(tag)):
        build_text(docker, text, tag)
    return tag


def alone(docker: Docker, profile: str, image: str, cases: Iterable[Case] = CASES) -> list[Found]:
    """The cases, sent to the server itself, and every way to respond. It must serve on afterwards."""
    with kit.booted(docker, hostile_image(docker, profile, image), kit.plan_of(profile)) as found:
        workers = found.wait_workers(found.plan.numbers.workers.value)
        results = send_all(("127.0.0.1", found.port), cases)
        assert found.get("/").status == 200
        assert b"X-Forged" not in forged(("127.0.0.1", found.port))
        responses.judge(("127.0.0.1", found.port), keeps_alive=found.plan.server.name != "sync")
        assert_probed(found)
        assert found.worker_pids() == workers, found.container.logs().text
        assert not [each.case.name for each in results if 500 in each.statuses], found.container.logs().text
    return results


def assert_probed(container: kit.Booted) -> None:
    """The kernel asks of a silent connection whether its client is still there: by default after two hours."""
    port = container.plan.profile.port

    def left() -> list[float]:
        """Nothing yet where a byte is on its way, which has a timer of its own."""
        found = seconds_to_probe(container.container.exec("cat", "/proc/net/tcp").stdout, port)
        return [] if None in found else [seconds for seconds in found if seconds]

    with socket.create_connection(("127.0.0.1", container.port), 30):
        assert max(wait_until(left, kit.PATIENCE, container.container, what="a keepalive timer")) <= PROBE_IDLE


def proxied(docker: Docker, client: Client, profile: str, image: str, scratch: Path) -> list[Found]:
    """All cases, sent through the proxy."""
    with behind_the_proxy(client, profile, hostile_image(docker, profile, image), scratch) as found:
        results = send_all(("127.0.0.1", found.door.port))
        assert found.door.get("/").status == 200
    return results


#: gunicorn 27 with gunicorn's own parser: what each other server is compared with behind nginx.
BESIDE = "gevent"


def verdicts_alone(found: list[Found]) -> list[tuple[Found, Verdict]]:
    """Against gunicorn's parser on the bytes that were sent. The client is no trusted proxy."""
    return [(each, each.verdict(hostile_reference.gunicorn([each.case.whole], peers=""))) for each in found]


def verdicts_proxied(found: list[Found], beside: list[Found]) -> list[tuple[Found, Verdict]]:
    """Against gunicorn behind the same nginx, which reads the bytes its own way and writes requests of its own.

    Where the server refuses one of these requests, nginx sends it the next one all the same.
    """
    verdicts: list[tuple[Found, Verdict]] = []
    for each, other in zip(found, beside, strict=True):
        rest = iter(other.core)
        lost = len(each.core) < len(other.core) and all(request in rest for request in each.core)
        verdicts.append((each, "stricter" if lost else verdict(each.core, other.core)))
    return verdicts


def smuggled(found: list[Found]) -> list[Found]:
    """Where a request had a response that gunicorn's parser finds to be part of another, or of nothing."""
    readings = (hostile_reference.gunicorn([each.case.whole], peers="").requests for each in found)
    return [each for each, read in zip(found, readings, strict=True) if each.smuggled > read.count(SMUGGLED_REQUEST)]
