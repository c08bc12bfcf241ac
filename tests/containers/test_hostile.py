"""The hostile cases on each production server, alone and behind its proxy: nothing that gunicorn would refuse."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import pytest

from generator.containers.docker import Docker
from tests.containers.hostile_cases import CASES
from tests.containers.hostile_client import Found, Verdict, fuzzed
from tests.containers.hostile_servers import (
    BESIDE,
    PROFILES,
    alone,
    proxied,
    smuggled,
    verdicts_alone,
    verdicts_proxied,
)
from tests.containers.support.images import ensure_nginx_image
from tests.containers.support.plugins import ensure_compose

#: Parsers that are in the images only: meinheld's in C, and gunicorn 25's as the kit tightens it. tests/runtime fuzzes
#: the others.
FUZZED = ("meinheld", "eventlet")
Through = Callable[[str], list[Found]]


@pytest.fixture(scope="module")
def through_nginx(docker: Docker, image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Through:
    """All cases through the proxy of a server, sent once."""
    ensure_nginx_image(docker)
    client = ensure_compose(docker.client)
    known: dict[str, list[Found]] = {}

    def found(server: str) -> list[Found]:
        if server not in known:
            profile = PROFILES[server]
            known[server] = proxied(docker, client, profile, image(profile), tmp_path_factory.mktemp("hostile"))
        return known[server]

    return found


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 300 and len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("server", PROFILES)
def test_no_server_is_more_lenient_than_gunicorn(docker: Docker, image: Callable[[str], str], server: str) -> None:
    cases = chain(CASES, fuzzed(server)) if server in FUZZED else CASES
    found = alone(docker, PROFILES[server], image(PROFILES[server]), cases)
    assert_no_more_lenient(found, verdicts_alone(found))


@pytest.mark.parametrize("server", PROFILES)
def test_no_server_behind_its_proxy_is(through_nginx: Through, server: str) -> None:
    found = through_nginx(server)
    assert_no_more_lenient(found, verdicts_proxied(found, through_nginx(BESIDE)))


def assert_no_more_lenient(found: list[Found], verdicts: list[tuple[Found, Verdict]]) -> None:
    """And what is well-formed is served: else all of it would prove nothing."""
    assert [(each.case.name, each.requests, each.statuses) for each in smuggled(found)] == []
    lenient = [each for each, verdict in verdicts if verdict == "more lenient"]
    assert [(each.case.name, each.requests, each.statuses) for each in lenient] == []
    assert sum(bool(each.core) for each in found) > 100
