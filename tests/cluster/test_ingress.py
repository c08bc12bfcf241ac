"""A TLS proxy in front, as a cluster's ingress: what the app sees, and thousands of requests across a rollout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from generator.containers.docker import Docker
from generator.proof.kubectl import ready
from tests.cluster import ingress, scenarios
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import Deploy
from tests.cluster.fronted import INGRESS_NAMESPACE, host_of, plain, with_sidecars
from tests.cluster.scenarios import Deployed, none_failed, under_load
from tests.containers.support.images import NGINX_TAG, ensure_nginx_image

SPOOFED = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"}


@dataclass(frozen=True)
class Routed:
    """A profile's Service behind the ingress."""

    app: Deployed
    #: IP:PORT of the ingress.
    address: str

    def get_inside(self, path: str) -> tuple[Any, str]:
        """What the app sees of a pod that sends a request over TLS with forged headers, and that pod's own address."""
        client = next(pod for pod in self.app.pods() if ready(pod))
        code = f"""
import http.client, json, ssl
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
connection = http.client.HTTPSConnection("{self.address}", timeout=30, context=tls)
connection.request("GET", "{path}", headers={{**{SPOOFED}, "Host": "{host_of(self.app)}"}})
response = connection.getresponse()
print(json.dumps([response.status, dict(response.getheaders()), response.read().decode()]))
"""
        output = self.app.cluster.python(client["metadata"]["name"], code)
        return json.loads(output), client["status"]["podIP"]


@pytest.fixture(scope="module")
def routed(cluster: Cluster, docker: Docker, deploy: Deploy) -> Iterator[dict[str, Routed]]:
    """Both apps, by what is in their pods: the ingress knows them by their hosts."""
    ensure_nginx_image(docker)
    cluster.load_image(docker, NGINX_TAG, NGINX_TAG)
    apps = {"server": plain(cluster, deploy), "sidecars": with_sidecars(cluster, docker, deploy)}
    with cluster.namespace(INGRESS_NAMESPACE) as there:
        hosts = {host_of(app): app.app for app in apps.values()}
        address = ingress.start(there, cluster, NGINX_TAG, hosts)
        yield {name: Routed(app, address) for name, app in apps.items()}


PODS = pytest.mark.parametrize("inside", ["server", "sidecars"])


@PODS
def test_the_app_sees_https_and_its_client(routed: dict[str, Routed], inside: str) -> None:
    """Whatever the client says of itself."""
    found = routed[inside]
    host = host_of(found.app)
    (status, _, body), client = found.get_inside("/seen")
    seen = json.loads(body)
    assert (status, seen["scheme"], seen["url"]) == (200, "https", f"https://{host}/seen")
    assert seen["client"] == client, "not the ingress, nor what the client says"
    (status, headers, _), _ = found.get_inside("/folder")
    assert (status, headers["Location"]) == (308, f"https://{host}/folder/")


@PODS
def test_rolling_restart_behind_the_ingress(routed: dict[str, Routed], inside: str) -> None:
    found = routed[inside]
    through = {"address": found.address, "tls": True, "host": host_of(found.app), "path": "/seen"}
    none_failed(under_load(found.app, "restart behind an ingress, TLS", scenarios.restart, **through))
