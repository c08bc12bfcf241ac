"""client -> TLS proxy, which stands for the ingress controller -> app, alone and behind its sidecar, in one network.

The network's other addresses are what an ingress controller's neighbours are: they may connect and are not believed.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from generator.containers.container import Container
from generator.containers.docker import Docker
from tests.containers import kit, pod
from tests.containers.support.docker import host_port
from tests.containers.support.images import NGINX_TAG, ensure_nginx_image
from tests.containers.support.waiting import wait_until

PRODUCTION = [path for path in kit.PROFILES if kit.plan_of(path).server.production]
APP = Path(__file__).parent / "support" / "chained_app.py"
HOST = "shop.example.com"
#: As ingress controllers are by default: scheme and address set afresh, Host passed on. /appended trusts its client's.
TLS_PROXY = """\
pid /tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/response; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    # Docker's own, which knows containers by their names.
    resolver 127.0.0.11;
    server {
        listen 8443 ssl;
        ssl_certificate /tmp/cert.pem;
        ssl_certificate_key /tmp/key.pem;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For $remote_addr;
        location ~ ^/appended/([^/]+)(/.*) {
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_pass http://$1$2;
        }
        location ~ ^/([^/]+)(/.*) {
            proxy_pass http://$1$2;
        }
    }
}
"""
CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=kit -keyout /tmp/key.pem -out /tmp/cert.pem"
SPOOFED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
#: Names that gunicorn lets a believed proxy replace by default.
REPLACING = {"SCRIPT_NAME": "/admin", "PATH_INFO": "/admin"}


@dataclass
class Chain:
    """The network, and the TLS proxy in it with its published port."""

    network: str
    gateway: str
    ingress: str
    proxy: Container
    port: int

    def get(self, path: str, headers: Mapping[str, str] = {}) -> kit.Response:
        """Over TLS; the proxy sees this machine as the network's gateway."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trusting)
        try:
            return kit.request(connection, path, {"Host": HOST, **headers})
        finally:
            connection.close()

    def as_ingress(self, url: str, headers: Mapping[str, str]) -> Any:
        """From the address that is believed, whatever headers."""
        words = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
        return json.loads(self.proxy.exec("curl", "--silent", "--max-time", "20", *words, url).stdout)

    def statuses_at_once(self, url: str, clients: Iterable[str]) -> Counter[str]:
        """Of one request for each client's address, all at the same time, from the address that is believed."""
        options = [
            f'url = "{url}"\nheader = "X-Forwarded-For: {client}"\n'
            'output = /dev/null\nwrite-out = "%{http_code}\\n"\n'
            for client in clients
        ]
        words = ("--parallel", "--parallel-immediate", "--parallel-max", str(len(options)), "--config", "-")
        done = self.proxy.exec("curl", "--silent", *words, stdin="next\n".join(options), timeout=kit.PATIENCE)
        return Counter(done.stdout.split())

    def kubernetes(self, extra: str = "") -> str:
        """The section of a profile whose NetworkPolicy admits the TLS proxy by its address."""
        route = f"route: {{kind: ingress, host: {HOST}}}"
        return f"kubernetes={{allowed_cidrs: [{{cidr: {self.ingress}/32}}], {route}{extra}}}"


@pytest.fixture(scope="module")
def chain(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    ensure_nginx_image(docker)
    number = secrets.randbelow(2**8)
    block = f"10.215.{number}"
    name = f"{docker.label}-{secrets.token_hex(6)}"
    docker.call("network", "create", "--subnet", f"{block}.0/24", "--ip-range", f"{block}.0/25", name)
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(TLS_PROXY)
    options: dict[str, Any] = {
        "network": name,
        "ip": f"{block}.200",
        "publish": "127.0.0.1::8443",
        "user": "101",
        "tmpfs": "/tmp",
    }
    start = f"{CERTIFICATE} && exec nginx -e stderr -c /conf/nginx.conf -g 'daemon off;'"
    try:
        with docker.run_detached(NGINX_TAG, "sh", "-c", start, volume=f"{folder}:/conf:ro", **options) as proxy:
            found = Chain(name, f"{block}.1", f"{block}.200", proxy, host_port(proxy, 8443))
            errors = (OSError, http.client.HTTPException)
            wait_until(lambda: found.get("/").status, kit.PATIENCE, proxy, what="TLS", ignoring=errors)
            yield found
    finally:
        docker.call("network", "rm", name, check=False)


@contextmanager
def serving(
    docker: Docker, chain: Chain, image: str, profile: str, folder: Path, extra: str = "", **changes: Any
) -> Iterator[tuple[kit.Booted, str, pod.Manifest]]:
    """The app of a pod in the network: (booted, its name there, the manifest)."""
    folder.chmod(0o755)
    plan = kit.plan_of(profile, chain.kubernetes(extra), "app.module=chained_app:app")
    manifest = pod.Manifest.of(plan)
    mounts = manifest.options("app", folder)["volume"]
    name = f"app-{secrets.token_hex(4)}"
    options = {"network": chain.network, "network_alias": name, **changes}
    with pod.started(docker, image, manifest, folder, volume=[*mounts, f"{APP}:/app/{APP.name}:ro"], **options) as one:
        yield kit.Booted(plan, *one), name, manifest


@pytest.mark.parametrize("profile", PRODUCTION)
def test_https_in_front_reaches_the_app(
    docker: Docker, chain: Chain, image: Callable[[str], str], tmp_path: Path, profile: str
) -> None:
    with serving(docker, chain, image(profile), profile, tmp_path) as (booted, name, _):
        address = f"{name}:{booted.plan.profile.port}"
        for headers in ({}, {**SPOOFED, "X-Forwarded-Proto": "http"}):
            seen = chain.get(f"/{address}/seen", headers).json
            assert (seen["url"], seen["scheme"]) == (f"https://{HOST}/seen", "https")
            assert (seen["peer"], seen["client"]) == (chain.ingress, chain.gateway)
        assert chain.get(f"/appended/{address}/seen", SPOOFED).json["client"] == chain.gateway, (
            "the last, not the first"
        )
        redirect = chain.get(f"/{address}/folder")
        assert (redirect.status, redirect.headers["location"]) == (308, f"https://{HOST}/folder/")

        direct = booted.get("/seen", headers={**SPOOFED, "Host": HOST}).json
        assert (direct["url"], direct["peer"]) == (f"http://{HOST}/seen", chain.gateway), "a neighbour is not believed"
        replaced = chain.as_ingress(f"http://{address}/seen", {**SPOOFED, **REPLACING})
        assert (replaced["scheme"], replaced["path"]) == ("https", "/seen"), "who says the scheme does not say the path"
        assert kit.complaints(booted.container.logs().text) == []


def test_https_in_front_of_the_sidecar_reaches_the_app(
    docker: Docker, chain: Chain, image: Callable[[str], str], tmp_path: Path
) -> None:
    """And it counts clients, not the ingress: together they may hold more than one of them."""
    profile = "profiles/servers/gthread.yaml"
    extra = ", proxy: true"
    with ExitStack() as stack:
        published = {"publish": ["127.0.0.1::8000", "127.0.0.1::8080"]}
        booted, name, manifest = stack.enter_context(
            serving(docker, chain, image(profile), profile, tmp_path, extra, **published)
        )
        sidecar = manifest.container("proxy")
        options = {**manifest.options("proxy", tmp_path), "network": f"container:{booted.container.id}"}
        entrypoint, *words = sidecar["command"]
        nginx = stack.enter_context(docker.run_detached(NGINX_TAG, *words, entrypoint=entrypoint, **options))
        address = f"{name}:{booted.plan.proxy.port}"
        errors = (OSError, ValueError, http.client.HTTPException)
        wait_until(lambda: chain.get(f"/{address}/seen").status == 200, kit.PATIENCE, nginx, ignoring=errors)

        for headers in ({}, {**SPOOFED, "X-Forwarded-Proto": "http"}):
            seen = chain.get(f"/{address}/seen", headers).json
            assert (seen["url"], seen["peer"]) == (f"https://{HOST}/seen", "127.0.0.1")
            assert seen["client"] == chain.gateway
        assert chain.get(f"/appended/{address}/seen", SPOOFED).json["client"] == chain.gateway
        assert chain.get(f"/{address}/folder").headers["location"] == f"https://{HOST}/folder/"

        door = kit.Booted(booted.plan, nginx, host_port(booted.container, 8080))
        direct = door.get("/seen", headers={**SPOOFED, "Host": HOST}).json
        assert (direct["url"], direct["client"]) == (f"http://{HOST}/seen", chain.gateway), "a neighbour's lies"
        many = booted.plan.proxy.per_address.value + 30
        each = [f"198.51.{number // 250}.{number % 250}" for number in range(many)]
        assert chain.statuses_at_once(f"http://{address}/sleep", each) == {"200": many}
        assert chain.statuses_at_once(f"http://{address}/sleep", each[:1] * many)["429"] > 0, "the limit is there"
        assert kit.complaints(nginx.logs().text) == []
