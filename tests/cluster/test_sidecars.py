"""Pods with nginx in front of the server and the statsd exporter beside it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from generator.containers.docker import Docker
from generator.proof.kubectl import ready
from tests.cluster import scenarios
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy
from tests.cluster.fronted import with_sidecars
from tests.cluster.scenarios import Deployed, none_failed, under_load


@pytest.fixture(scope="module")
def deployed(cluster: Cluster, docker: Docker, deploy: Deploy) -> Deployed:
    return with_sidecars(cluster, docker, deploy)


def get(deployed: Deployed, port: str, path: str) -> Any:
    """From a pod, by the Service's port of that name: the body, and the pod's own address."""
    service = deployed.cluster.get("service", deployed.app)["spec"]
    number = next(each["port"] for each in service["ports"] if each["name"] == port)
    url = f"http://{service['clusterIP']}:{number}{path}"
    asking = next(pod for pod in deployed.pods() if ready(pod))
    code = f"import urllib.request as r; print(r.urlopen('{url}', timeout=30).read().decode())"
    return deployed.cluster.python(asking["metadata"]["name"], code), asking["status"]["podIP"]


def test_the_app_sees_its_client_behind_the_proxy(deployed: Deployed) -> None:
    body, client = get(deployed, "http", "/seen")
    seen = json.loads(body)
    assert (seen["peer"], seen["client"], seen["scheme"]) == ("127.0.0.1", client, "http")


def test_prometheus_finds_what_gunicorn_counts(deployed: Deployed) -> None:
    """By the annotations of the pods, as it does without an operator, and by the Service's port."""
    for _ in range(20):
        get(deployed, "http", "/seen")
    scraped = 0.0
    for pod in deployed.pods():
        annotations = pod["metadata"]["annotations"]
        url = f"http://{pod['status']['podIP']}:{annotations['prometheus.io/port']}{annotations['prometheus.io/path']}"
        code = f"import urllib.request as r; print(r.urlopen('{url}', timeout=30).read().decode())"
        text = deployed.cluster.python(deployed.ready_pod(), code)
        found = re.search(rf"^{deployed.app}_gunicorn_requests (\S+)$", text, re.MULTILINE)
        scraped += float(found[1]) if found else 0
    assert scraped >= 20, text
    wait(
        lambda: f"{deployed.app}_gunicorn_workers" in get(deployed, "metrics", "/metrics")[0], 60, "the workers' gauge"
    )


def test_rolling_restart_with_the_sidecars(deployed: Deployed) -> None:
    none_failed(under_load(deployed, "restart with both sidecars", scenarios.restart, path="/seen"))
