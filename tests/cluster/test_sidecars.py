"""Pods with nginx in front of the server and the statsd exporter beside it."""

from __future__ import annotations

import json
import re

import pytest

from generator.containers.docker import Docker
from generator.plan.kubernetes import METRICS_PORT
from tests.cluster import scenarios
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy
from tests.cluster.fronted import with_sidecars
from tests.cluster.scenarios import Deployed, none_failed, under_load


@pytest.fixture(scope="module")
def deployed(cluster: Cluster, docker: Docker, deploy: Deploy) -> Deployed:
    return with_sidecars(cluster, docker, deploy)


def get(deployed: Deployed, url: str) -> str:
    """A response's body; the request comes from one of the pods."""
    code = f"import urllib.request as r; print(r.urlopen('{url}', timeout=30).read().decode())"
    return deployed.cluster.python(deployed.ready_pod(), code)


def test_the_app_sees_its_client_behind_the_proxy(deployed: Deployed) -> None:
    """A pod sends a request to the other one: through the Service it may reach itself, from the node's address."""
    origin = deployed.ready_pod()
    (client,) = (pod["status"]["podIP"] for pod in deployed.pods() if pod["metadata"]["name"] == origin)
    other = next(pod["status"]["podIP"] for pod in deployed.pods() if pod["metadata"]["name"] != origin)
    seen = json.loads(get(deployed, f"http://{other}:{deployed.plan.proxy.port}/seen"))
    assert (seen["peer"], seen["client"], seen["scheme"]) == ("127.0.0.1", client, "http")


def test_prometheus_finds_what_gunicorn_counts(deployed: Deployed) -> None:
    """By the annotations of the pods, as it does without an operator, and by the Service's port."""
    service = f"http://{deployed.cluster.get('service', deployed.app)['spec']['clusterIP']}"
    for _ in range(20):
        get(deployed, f"{service}/seen")
    scraped = 0.0
    for pod in deployed.pods():
        annotations = pod["metadata"]["annotations"]
        url = f"http://{pod['status']['podIP']}:{annotations['prometheus.io/port']}{annotations['prometheus.io/path']}"
        text = get(deployed, url)
        found = re.search(rf"^{deployed.app}_gunicorn_requests (\S+)$", text, re.MULTILINE)
        scraped += float(found[1]) if found else 0
    assert scraped >= 20, text
    gauge = f"{deployed.app}_gunicorn_workers"
    wait(lambda: gauge in get(deployed, f"{service}:{METRICS_PORT}/metrics"), 60, "the workers' gauge")


def test_rolling_restart_with_the_sidecars(deployed: Deployed) -> None:
    """nginx passes on no request that the server does not take any more: until it went first, 11 of 6,062 got a 502.

    It tells its clients to close their connections before it stops. While it closed 24 to 28 idle ones in each rollout
    instead, a request met one of them in one of nine rollouts.
    """
    none_failed(under_load(deployed, "restart with both sidecars", scenarios.restart, path="/seen"))
