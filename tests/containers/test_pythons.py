"""`python:` picks the base image, and the server's lock has its packages: built, booted read-only, stopped."""

from __future__ import annotations

import os

import pytest

from generator.containers.docker import Docker
from generator.plan.explain import explanation
from generator.servers.server import UNBOOTED
from tests.containers import kit
from tests.containers.support import host
from tests.containers.support.base_image import ensure_base_image
from tests.containers.support.docker import health
from tests.containers.support.waiting import wait_until
from tests.containers.test_faults import in_background, in_flight

#: What `make test` boots; `make test-apps` boots every server on every Python but the default, which all others test.
REPRESENTATIVE = ("gevent", "gthread", "pywsgi")
OF_SERVER = {"gevent": "profiles/small.yaml"} | {
    plan.server.name: profile for profile in kit.PROFILES if (plan := kit.plan_of(profile)).profile.group == "servers"
}
EVERY = [
    (server, python)
    for server, profile in OF_SERVER.items()
    for python in kit.plan_of(profile).server.pythons
    if python != kit.DEFAULT_PYTHON and python not in UNBOOTED
]
CHOSEN = EVERY if os.environ.get("KIT_ALL_APPS") else [pair for pair in EVERY if pair[0] in REPRESENTATIVE]


@pytest.mark.parametrize(("server", "python"), CHOSEN)
def test_a_server_serves_and_stops_on_another_python(docker: Docker, server: str, python: str) -> None:
    plan = kit.plan_of(OF_SERVER[server], f"python={python}")
    with host.one_at_a_time(host.lock_of(plan.base_image)):
        ensure_base_image(docker, plan.base_image)
    tag = kit.build(docker, plan)
    expected = explanation(plan)["numbers"]
    with kit.booted(docker, tag, plan, health_interval="1s") as container:
        assert container.container.exec("python", "--version").stdout.startswith(f"Python {python}.")
        wait_until(lambda: health(container.container) == "healthy", kit.PATIENCE, container.container, what="healthy")
        if not plan.server.production:
            return  # Flask's own warns of itself, has no boot report, and ends at once
        assert container.report()["numbers"] == expected
        container.wait_workers(expected["workers"]["value"])
        response = in_background(lambda: container.get("/sleep?ms=3000"))
        wait_until(in_flight(container, 1), kit.PATIENCE, container.container, what="the request in flight")
        assert container.container.stop(grace=40) == 0
        assert response().status == 200
        assert kit.complaints(container.container.logs().text) == []
