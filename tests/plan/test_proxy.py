"""The proxy in front: its numbers with their reasons, whom it believes, and the files as their readers see them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
import yaml

from generator.pipeline import plan_profile
from generator.plan.explain import explanation
from generator.plan.plan import Plan
from generator.plan.texts import docker_size
from generator.render.filters import compose_scalar, compose_variable
from generator.render.render import render
from generator.verify.proxy import compose_problems, nginx_problems
from tests.fast_support import HOSTILE_STRINGS, MINIMAL, SHIPPED, faults_of, plan_of

SYNC = MINIMAL.replace("server: gevent", "server: sync")
GTHREAD = MINIMAL.replace("server: gevent", "server: gthread")
POD = ("kubernetes.proxy=true",)
LARGE = ("connections=10000", "resources.cpu=2", "resources.memory=1Gi")

NUMBERS = [
    ("workers", (), 1, "one for each CPU of the app (1)"),
    ("workers", LARGE, 2, "one for each CPU of the app (2)"),
    (
        "connections",
        (),
        2464,
        "2 x 1200 connections + 64: each has one connection on its own side and one on the app's",
    ),
    ("connections", ("connections=10",), 2112, "2 x 10 connections, raised to 1024 for slow clients + 64: each"),
    ("connections", LARGE, 13064, "2 x 6500 clients (1.3 x 10000 connections / 2 processes) + 64: each"),
    ("descriptors", (), 3664, "worker_connections (2464) + 1200 files of what is buffered in /tmp"),
    ("descriptors", LARGE, 19564, "worker_connections (13064) + 6500 files"),
    ("per_address", (), 120, "a tenth of 1200 connections: ten addresses are needed to fill it"),
    (
        "per_address",
        ("connections=100",),
        64,
        "a tenth of 100 connections: ten addresses are needed to fill it; raised to 64",
    ),
    ("address_zone", ("connections=10001", "resources.memory=1Gi"), 2, "one for 10,000 connections"),
    ("header_timeout", (), 10, "the server's own limit"),
    ("header_timeout", ("header_timeout=3",), 3, "the server's own limit"),
    ("read_timeout", (), 35, "the longer of timeout (30) and graceful_timeout (30) + 5 s"),
    ("read_timeout", ("timeout=120",), 125, "the longer of timeout (120) and graceful_timeout (30) + 5 s"),
    ("stop_seconds", ("graceful_timeout=9",), 14, "graceful_timeout (9) + 5 to exit"),
    ("idle_connections", (), 256, "the smaller of 256 and 1200 connections"),
    ("idle_connections", LARGE, 128, "the smaller of 256 and 10000 connections, shared by 2 processes"),
    ("idle_seconds", (), 60, "four fifths of the app's keepalive of 75 s"),
    ("idle_seconds", ("keepalive=5",), 4, "four fifths of the app's keepalive of 5 s"),
    ("body_bytes", ("proxy_max_body=2Mi",), 2 * 2**20, "a larger body gets a 413"),
    ("bodies", (), 16, "of 16 MiB (proxy_max_body), as 1024 MiB hold, from 4 to 16"),
    ("bodies", ("proxy_max_body=100Mi",), 10, "of 100 MiB"),
    ("bodies", ("proxy_max_body=300Mi",), 4, "of 300 MiB"),
    ("uploads_per_address", (), 8, "half of the 16 bodies"),
    ("uploads_per_address", ("proxy_max_body=300Mi",), 2, "half of the 4 bodies"),
    ("body_room_bytes", (), 256 * 2**20, "16 bodies of 16 MiB (proxy_max_body)"),
    ("body_room_bytes", ("proxy_max_body=1Mi",), 23 * 2**20, "4 x 120 bodies of 50 kB, more than 16 bodies of 1 MiB"),
    ("response_bytes", (), 16 * 2**20, "as much as a body may have"),
    ("response_bytes", ("proxy_max_body=300Mi",), 64 * 2**20, "300 MiB (proxy_max_body), 64 at most"),
    ("response_room_bytes", (), 128 * 2**20, "8 responses of 16 MiB"),
    ("memory_bytes", (), 530 * 2**20, "32 MiB + 1200 connections x 96 KiB + 385 MiB of /tmp, which is memory"),
    ("pod_memory_bytes", POD, 145 * 2**20, "32 MiB + 1200 connections x 96 KiB; /tmp is on the node's disk"),
    ("pod_memory_bytes", (*POD, "proxy_max_body=300Mi"), 145 * 2**20, "/tmp is on the node's disk"),
    (
        "pod_memory_bytes",
        (*POD, "connections=100", "resources.memory=128Mi"),
        64 * 2**20,
        "100 connections, raised to 341 for slow clients, as many as half of the app's memory holds x 96 KiB",
    ),
    ("pod_memory_bytes", (*POD, "connections=100", "resources.memory=256Mi"), 128 * 2**20, "raised to 1024 for slow"),
    ("pod_tmp_bytes", POD, 2 * (120 + 8) * 16 * 2**20, "twice what one address may fill, 120 responses of 16 MiB and"),
    ("cpus", LARGE, 1000, "half of the app's 2"),
    ("cpus", (), 500, "half of the app's 1"),
]


def served(plan: Plan) -> tuple[dict[str, Any], str]:
    files = render(plan)
    return yaml.safe_load(files[f"{plan.folder}/compose.yaml"]), files[f"{plan.folder}/nginx.conf"]


@pytest.mark.parametrize(("name", "overrides", "value", "reason"), NUMBERS)
def test_numbers(name: str, overrides: tuple[str, ...], value: int, reason: str) -> None:
    number = getattr(plan_of("", *overrides).proxy, name)
    assert number.value == value
    assert reason in number.reason


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_profiles_fit_each_other_and_their_servers(path: Any) -> None:
    plan = plan_profile(path.read_text(), str(path))
    if not plan.server.production:
        assert not [name for name in render(plan) if name.endswith(("compose.yaml", "nginx.conf"))]
        return
    compose, nginx = served(plan)
    proxy = plan.proxy
    assert f"worker_connections {proxy.connections.value};" in nginx
    assert f"worker_rlimit_nofile {proxy.descriptors.value};" in nginx
    assert compose["services"]["proxy"]["ulimits"]["nofile"] == proxy.descriptors.value
    assert compose["services"]["app"]["ulimits"]["nofile"] == plan.numbers.descriptors.value
    assert proxy.connections.value * proxy.workers.value >= 2 * plan.profile.connections
    networks = [service["networks"]["inside"]["ipv4_address"] for service in compose["services"].values()]
    subnet = ipaddress.ip_network(compose["networks"]["inside"]["ipam"]["config"][0]["subnet"])
    assert all(ipaddress.ip_address(address) in subnet for address in networks)
    believed = compose["services"]["app"].get("command")
    assert believed == (
        ["--forwarded-allow-ips", proxy.address] if plan.server.honours("forwarded_allow_ips") else None
    )
    if plan.server.honours("keepalive"):
        assert proxy.idle_seconds is not None and proxy.idle_seconds.value < plan.profile.keepalive
        assert 'proxy_set_header Connection "";' in nginx
    else:
        assert "keepalive " not in nginx
        assert "proxy_set_header Connection close;" in nginx


def test_a_websocket_has_its_own_place_and_time() -> None:
    plan = plan_of("", "websocket=true", "connections=500")
    _, nginx = served(plan)
    ordinary, _, own = nginx.partition("location @websocket {")
    assert "proxy_read_timeout 35s;" in ordinary and "error_page 418 = @websocket;" in ordinary
    assert "proxy_read_timeout 3600s;" in own and "proxy_set_header Upgrade $kit_upgrade;" in own
    for line in ("limit_conn kit_addresses", "proxy_set_header X-Forwarded-For $remote_addr;", 'Forwarded "";'):
        assert line in ordinary and line in own
    assert list(nginx_problems(nginx)) == []
    assert explanation(plan)["proxy"]["proxy_websocket_timeout"]["value"] == 3600
    assert plan.numbers.demand.connection_memory_bytes == plan.server.websocket_memory_bytes == 176 * 1024
    plain = plan_of("")
    assert "pgrade" not in served(plain)[1] and "proxy_websocket_timeout" not in explanation(plain)["proxy"]


def test_networks_of_shipped_profiles_are_apart() -> None:
    plans = [plan_profile(path.read_text(), str(path)) for path in SHIPPED]
    assert len({plan.proxy.subnet for plan in plans}) == len(plans)


def test_the_network_is_the_profiles_choice() -> None:
    proxy = plan_of("", "proxy_subnet=10.9.8.0/24").proxy
    assert (proxy.gateway, proxy.address, proxy.app_address) == ("10.9.8.1", "10.9.8.2", "10.9.8.3")
    for bad in ("10.9.8.1/24", "8.8.8.0/24", "10.9.8.0/30", "fd00::/64", "any"):
        assert [fault.path for fault in faults_of("", f"proxy_subnet={bad}")] == ["proxy_subnet"]


@pytest.mark.parametrize("number", [1, 0])
def test_without_keepalive_nothing_is_kept(number: int) -> None:
    plan = plan_of("", f"keepalive={number}")
    assert plan.proxy.idle_connections is None
    assert "proxy_set_header Connection close;" in served(plan)[1]


def test_gthread_keeps_as_many_as_it_serves_at_once() -> None:
    number = plan_of("", base=GTHREAD).proxy.idle_connections
    assert number is not None
    assert (number.value, number.reason) == (32, "2 workers x 16 threads respond at once")


def test_whom_it_believes_follows_the_profile() -> None:
    masked = plan_of("", "forwarded_allow_ips='10.0.0.0/255.0.0.0, 127.0.0.1, 2001:DB8:0::/32'")
    assert masked.profile.forwarded_allow_ips == "10.0.0.0/8,127.0.0.1,2001:db8::/32", "as nginx reads it too"
    _, nginx = served(plan_of("", "forwarded_allow_ips=10.0.0.0/8,2001:db8::/32"))
    assert "set_real_ip_from 10.0.0.0/8;" in nginx and "        2001:db8::/32 1;" in nginx
    assert "127.0.0.1 1;" in nginx, "the loopback stands for many clients, though it is not believed"
    _, everyone = served(plan_of("", "forwarded_allow_ips='*'"))
    assert "set_real_ip_from 0.0.0.0/0;" in everyone and "set_real_ip_from ::/0;" in everyone
    assert "        0.0.0.0/0 1;" not in everyone, "or nobody would be limited"


def test_beside_the_app_in_a_pod() -> None:
    proxy = plan_of().proxy.in_a_pod(8000)
    assert (proxy.upstream, proxy.gateway, proxy.shared_addresses) == ("127.0.0.1:8000", None, ("127.0.0.1", "::1"))


SYNC_CONNECTIONS = [
    ((), "at most 3 with sync: a connection occupies a whole worker"),
    (("connections=3",), None),
    (("proxy=true",), None),
    (("proxy=true", "connections=4099"), None),
    (("proxy=true", "connections=4100"), "at most 4099 with sync: 3 workers and, behind proxy, backlog (4096)"),
    (("proxy=true", "connections=1000", "backlog=512"), "at most 515 with sync"),
]


@pytest.mark.parametrize(("overrides", "allowed"), SYNC_CONNECTIONS)
def test_a_proxy_holds_what_sync_cannot(overrides: tuple[str, ...], allowed: str | None) -> None:
    if allowed is None:
        plan_of("", *overrides, base=SYNC)
        return
    (fault,) = faults_of("", *overrides, base=SYNC)
    assert fault.path == "connections"
    assert allowed in fault.allowed


def test_explain_says_who_holds_the_connections() -> None:
    plan = plan_of("", "proxy=true", base=SYNC)
    assert "the proxy in front holds the 1200 connections; a worker has one" in plan.texts.proxy_note
    assert "slow clients pin its workers" in plan_of("", "connections=3", base=SYNC).texts.proxy_note
    assert explanation(plan)["proxy"]["proxy_connections"]["value"] == 2464
    assert plan_of().texts.proxy_note == ""


def test_no_string_of_a_profile_becomes_a_variable_or_leaves_its_quotes() -> None:
    for text in HOSTILE_STRINGS:
        read = yaml.safe_load(f"value: {compose_scalar(text)}\n")["value"]
        assert read.replace("$$", "$") == text
        assert not list(compose_problems(f"services: {{app: {compose_scalar(text)}}}"))
    assert compose_variable("a:$1", "IMAGE") == '"${IMAGE:-a:$$1}"'
    with pytest.raises(ValueError, match="hold }"):
        compose_variable("a}b", "IMAGE")


def test_sizes_as_docker_and_nginx_read_them() -> None:
    assert (docker_size(16 * 2**20), docker_size(1_500_000)) == ("16m", "1500000")


NGINX_FAULTS = [
    ("a 1;\nb { c '; }' \"}\"; # }\n}\n", []),
    ("a { b 1 }", ["line 1: a directive without its semicolon"]),
    ("a 1;;\n", ["line 1: ; without a directive"]),
    ("a { b 1;", ["the last block or directive does not end"]),
    ("a 1;\n}", ["line 2: } without its block"]),
    ("a 1", ["the last block or directive does not end"]),
]


@pytest.mark.parametrize(("text", "problems"), NGINX_FAULTS)
def test_nginx_problems(text: str, problems: list[str]) -> None:
    assert list(nginx_problems(text)) == problems


@pytest.mark.parametrize("text", ["services: [", "a: 1", "services: {app: $HOME}", "services: {app: '${NAME}'}"])
def test_compose_problems(text: str) -> None:
    assert list(compose_problems(text))
