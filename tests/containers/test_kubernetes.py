"""Each image, booted as its Deployment says: arguments, variables, user, limits, mounts, probes; and how it stops."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.containers.docker import Docker
from generator.plan.explain import explanation
from tests.containers import kit, pod
from tests.containers.support.base_image import TAG as BASE
from tests.containers.support.docker import build_text, host_port
from tests.containers.support.waiting import wait_until

PRODUCTION = [path for path in kit.PROFILES if kit.plan_of(path).server.production]
NGINX = f"kit-test-{kit.CHECKOUT}-nginx-pod:dev"


def report(container: Any) -> dict[str, Any]:
    lines = [line for line in container.logs().stdout.splitlines() if '"event": "boot"' in line]
    assert len(lines) == 1, container.describe()
    found: dict[str, Any] = json.loads(lines[0])
    return found


def folder_for_mounts(path: Path) -> Path:
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("cpu_limit", ["resources", "none"])
@pytest.mark.parametrize("profile", PRODUCTION)
def test_becomes_ready_as_its_deployment_says(
    docker: Docker, image: Callable[[str], str], tmp_path: Path, profile: str, cpu_limit: str
) -> None:
    plan = kit.plan_of(profile, f"kubernetes.cpu_limit={cpu_limit}")
    manifest = pod.Manifest.of(plan)
    container = manifest.container("app")
    assert container["image"] == plan.image, "the tests' own tag stands for it"
    with pod.started(docker, image(profile), manifest, folder_for_mounts(tmp_path)) as (running, port):
        for probe in ("readinessProbe", "livenessProbe"):
            assert pod.passes(container[probe], manifest, container, running, port), running.describe()
        found = report(running)["numbers"]
        expected = explanation(plan)["numbers"]
        assert found["cpus"]["decided_by"] in (
            ("request", "affinity") if cpu_limit == "none" else ("quota", "affinity")
        )
        assert found["workers"]["value"] == expected["workers"]["value"]
        assert kit.complaints(running.logs().text) == []
        grace = manifest.spec["terminationGracePeriodSeconds"] - plan.profile.kubernetes.pre_stop_seconds
        assert running.stop(grace) == 0, "it ends by itself before the kubelet would kill it"


@pytest.mark.parametrize(("cpu", "millicores", "cpus"), [("500m", "500", 1), ("1.5", "1500", 2), ("1", "1000", 1)])
def test_without_a_cpu_limit_the_request_decides(
    docker: Docker, image: Callable[[str], str], tmp_path: Path, cpu: str, millicores: str, cpus: int
) -> None:
    """The variable as a kubelet computes it from the downward API's reference."""
    plan = kit.plan_of("profiles/large.yaml", "kubernetes.cpu_limit=none", f"resources.cpu={cpu}")
    manifest = pod.Manifest.of(plan)
    options = manifest.options("app", folder_for_mounts(tmp_path))
    assert options["env"]["KIT_CPU_MILLICORES"] == millicores and options["cpus"] is None
    with pod.started(docker, image("profiles/large.yaml"), manifest, tmp_path) as (running, _):
        found = report(running)["numbers"]["cpus"]
        assert (found["value"], found["decided_by"]) == (cpus, "request")


def test_a_probe_that_must_fail_does(docker: Docker, image: Callable[[str], str], tmp_path: Path) -> None:
    plan = kit.plan_of("profiles/small.yaml")
    manifest = pod.Manifest.of(plan)
    container = manifest.container("app")
    with pod.started(docker, image("profiles/small.yaml"), manifest, folder_for_mounts(tmp_path)) as (running, port):
        for probe, word, instead in (
            ("startupProbe", "/readyz", "/no-such-page"),
            ("readinessProbe", "/readyz", "/no-such-page"),
            ("livenessProbe", "10", "-1"),
        ):
            assert pod.passes(container[probe], manifest, container, running, port), running.describe()
            broken = json.loads(json.dumps(container[probe]).replace(f'"{word}"', f'"{instead}"'))
            assert broken != container[probe]
            assert not pod.passes(broken, manifest, container, running, port)


def echoed(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, str | None]:
    """The status of a response to the body, and its Connection header; over the connection that is open, if one is."""
    before = connection.sock
    connection.request("POST", "/echo", body)
    assert before in (None, connection.sock), "no new connection"
    answer = connection.getresponse()
    assert json.loads(answer.read())["length"] == len(body)
    return answer.status, answer.getheader("Connection")


def test_proxy_sidecar_serves_in_front(docker: Docker, image: Callable[[str], str], tmp_path: Path) -> None:
    """nginx with the ConfigMap's text, as restricted as the manifest says, in the server's network namespace."""
    build_text(
        docker, f"FROM {BASE}\nRUN apt-get update && apt-get install -y --no-install-recommends nginx-light\n", NGINX
    )
    overrides = ("kubernetes.proxy=true", f"proxy_image={NGINX}")
    manifest = pod.Manifest.of(kit.plan_of("profiles/servers/gthread.yaml", *overrides))
    proxy = manifest.container("proxy")
    port = proxy["ports"][0]["containerPort"]
    folder = folder_for_mounts(tmp_path)
    published = {"publish": [f"127.0.0.1::{port}", "127.0.0.1::8000"]}
    server_image = image("profiles/servers/gthread.yaml")
    with pod.started(docker, server_image, manifest, folder, **published) as (running, _):
        options = {**manifest.options("proxy", folder), "network": f"container:{running.id}"}
        entrypoint, *words = proxy["command"]
        with docker.run_detached(NGINX, *words, entrypoint=entrypoint, **options) as beside:
            host_side = host_port(running, port)
            wait_until(
                lambda: pod.passes(proxy["readinessProbe"], manifest, proxy, beside, host_side), kit.PATIENCE, beside
            )

            def headers() -> Any:
                connection = http.client.HTTPConnection("127.0.0.1", host_side, timeout=5)
                connection.request("GET", "/headers", headers={"X-Forwarded-Proto": "https"})
                response = connection.getresponse()
                return json.loads(response.read()) if response.status == 200 else None

            seen = wait_until(headers, kit.PATIENCE, beside, ignoring=(OSError, http.client.HTTPException))
            assert seen["X-Forwarded-Proto"] == "http", "a client's own word on the scheme is not passed on"
            # While the pod ends, a client on a kept connection has its response, and is told to let the connection go.
            connection = http.client.HTTPConnection("127.0.0.1", host_side, timeout=kit.PATIENCE)
            body = b"x" * 100_000
            assert echoed(connection, body) == (200, "keep-alive")
            stop = proxy["lifecycle"]["preStop"]["exec"]["command"][-1]
            beside.exec("sh", "-c", stop.partition(";")[0])
            assert echoed(connection, body) == (200, "close")
            assert kit.complaints(beside.logs().text) == []
