"""Room for uploads: disk in a pod, memory in Compose; whose requests are uploads; all memory together."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from generator.plan.explain import explanation
from generator.plan.proxy_numbers import SMALL_BODY, UPLOAD_BYTES
from generator.render.render import render
from generator.runtime.sizing import MIB
from tests.fast_support import plan_of

LARGE_BODIES = ("proxy_max_body=300Mi",)
#: (settings, app's /tmp in a pod and in Compose, its limit in Compose, all memory in Compose; MiB)
ROOM = [
    ((), 256, 256, 512, 512 + 530),
    (("connections=100", "resources.memory=128Mi"), 256, 64, 128, 128 + 64 + 385),
    (("proxy_max_body=100Mi",), 1000, 400, 512 + 144, 656 + 32 + 113 + 1000 + 8 * 64 + 1),
    (LARGE_BODIES, 1200, 1200, 512 + 944, 1456 + 32 + 113 + 1200 + 8 * 64 + 1),
]


def files_of(*overrides: str) -> tuple[Any, dict[str, Any]]:
    """Services of Compose, and the pod's spec."""
    plan = plan_of("", *overrides)
    files = render(plan)
    manifests = yaml.safe_load_all(files[plan.manifest])
    pod = next(one for one in manifests if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    return yaml.safe_load(files[f"{plan.folder}/compose.yaml"])["services"], pod


@pytest.mark.parametrize(("overrides", "pod_tmp", "compose_tmp", "app", "together"), ROOM)
def test_room(overrides: tuple[str, ...], pod_tmp: int, compose_tmp: int, app: int, together: int) -> None:
    memory = explanation(plan_of("", *overrides))["memory"]
    found = [memory[f"{name}_bytes"]["value"] for name in ("app_pod_tmp", "app_compose_tmp", "compose_memory")]
    assert found == [pod_tmp * MIB, compose_tmp * MIB, together * MIB]
    services, pod = files_of(*overrides)
    assert services["app"]["tmpfs"] == [f"/tmp:size={compose_tmp}m"]
    assert services["app"]["mem_limit"] == services["app"]["memswap_limit"] == f"{app}m"
    tmp = next(volume for volume in pod["volumes"] if volume["name"] == "tmp")
    assert tmp["emptyDir"] == {"sizeLimit": f"{pod_tmp}Mi"}


def test_a_larger_tmp_is_not_for_workers() -> None:
    """The container's limit grows by it, and the server goes by what the profile says, as in a pod."""
    services, pod = files_of(*LARGE_BODIES)
    assert services["app"]["environment"]["KIT_MEMORY_BYTES"] == str(512 * MIB)
    (app,) = pod["containers"]
    assert app["resources"]["limits"]["memory"] == "512Mi"
    assert "KIT_MEMORY_BYTES" not in files_of()[0]["app"]["environment"]


def test_each_container_of_a_pod_has_its_own_tmp() -> None:
    _, pod = files_of("kubernetes.proxy=true", *LARGE_BODIES)
    (proxy,), (app,) = pod["initContainers"], pod["containers"]
    mounted = [next(mount for mount in one["volumeMounts"] if mount["mountPath"] == "/tmp") for one in (proxy, app)]
    assert mounted == [{"name": "proxy-tmp", "mountPath": "/tmp"}, {"name": "tmp", "mountPath": "/tmp"}]
    assert proxy["resources"]["requests"]["memory"] == proxy["resources"]["limits"]["memory"] == "145Mi", "no disk"
    memory = explanation(plan_of("", "kubernetes.proxy=true", *LARGE_BODIES))["memory"]["pod_memory_bytes"]
    assert (memory["value"], memory["reason"]) == ((512 + 145) * MIB, "app 512 MiB + proxy 145 MiB, at most")


def test_the_sidecar_of_a_small_service_is_smaller_than_it() -> None:
    """Its buffers follow connections and the body's limit; /tmp is disk in a pod."""
    _, pod = files_of("kubernetes.proxy=true", "connections=100", "resources.memory=128Mi")
    (proxy,), (app,) = pod["initContainers"], pod["containers"]
    found = [one["resources"]["requests"]["memory"] for one in (proxy, app)]
    assert found == ["64Mi", "128Mi"]


def test_in_compose_neither_takes_the_others_room() -> None:
    services, _ = files_of()
    assert services["proxy"]["tmpfs"] == ["/tmp:size=1m", "/tmp/body:size=256m", "/tmp/response:size=128m"]
    nginx = render(plan_of())["docker/web/nginx.conf"]
    assert "client_body_temp_path /tmp/body;" in nginx and "proxy_temp_path /tmp/response;" in nginx
    assert "limit_conn kit_uploads 8;" in nginx


@pytest.mark.parametrize(
    "overrides", [(), LARGE_BODIES, ("proxy_max_body=1Mi",), ("connections=10000", "resources.memory=1Gi")]
)
def test_no_address_fills_the_room_alone(overrides: tuple[str, ...]) -> None:
    proxy = plan_of("", *overrides).proxy
    uploads = proxy.uploads_per_address.value * proxy.body_bytes.value
    assert uploads + proxy.per_address.value * UPLOAD_BYTES <= 0.75 * proxy.body_room_bytes.value


#: (Transfer-Encoding, Content-Length, whether it counts as an upload)
REQUESTS = [
    ("", "", False),
    ("", "0", False),
    ("", "49999", False),
    ("", "050000", True),
    ("", "00049999", False),
    ("", "50000", True),
    ("", "99999", True),
    ("", "100000", True),
    ("chunked", "", True),
    ("chunked", "5", True),
    ("", "5 ", True),
    ("", "5, 5", True),
]


@pytest.mark.parametrize(("encoding", "length", "counts"), REQUESTS)
def test_what_is_an_upload(encoding: str, length: str, counts: bool) -> None:
    assert (re.search(SMALL_BODY, f"{encoding}:{length}") is None) == counts


@pytest.mark.parametrize(("given", "size"), [("", None), ("proxy_max_body: 300Mi\n", "300m")])
def test_an_ingress_takes_what_the_proxy_does(given: str, size: str | None) -> None:
    """Without the annotation ingress-nginx responds with 413 from 1 MiB on."""
    route = "kubernetes: {allowed_cidrs: [{cidr: 10.7.0.0/24}], route: {kind: ingress, host: a.b}}\n"
    plan = plan_of(given + route)
    manifests = yaml.safe_load_all(render(plan)[plan.manifest])
    found = next(one for one in manifests if one["kind"] == "Ingress")["metadata"].get("annotations", {})
    assert found.get("nginx.ingress.kubernetes.io/proxy-body-size") == size
