"""Plan equals reality: what --explain says at given limits is what a container with these limits reports at boot."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from generator.containers.docker import Docker
from generator.plan.explain import explanation
from tests.containers import kit
from tests.containers.conftest import Boot
from tests.containers.support.docker import health
from tests.containers.support.waiting import wait_until

PRODUCTION = [profile for profile in kit.PROFILES if kit.plan_of(profile).server.production]
AFFINITY = len(os.sched_getaffinity(0))


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    return dict(found["numbers"])


#: The limit is read and rounded by the same code in all gunicorn servers, and by the same in pywsgi: one of each boots
#: at several limits, all of them at a fraction. At its own limits test_running boots each.
LIMITS = [(profile, cpu) for profile in ("profiles/small.yaml", "profiles/servers/pywsgi.yaml") for cpu in ("0.5", "2")]
LIMITS += [(profile, "1.5") for profile in PRODUCTION]


@pytest.mark.parametrize(("profile", "cpu"), LIMITS)
def test_plan_equals_boot(boot: Boot, profile: str, cpu: str) -> None:
    expected = explanation(kit.plan_of(profile, f"resources.cpu={cpu}"))
    with boot(profile, cpus=cpu) as container:
        report = container.report()
        assert numbers(report) == numbers(expected)
        container.wait_workers(expected["numbers"]["workers"]["value"])
        for name, value in expected["settings"].items():
            if name in report["settings"] and name != "forwarded_allow_ips" and container.plan.server.honours(name):
                assert report["settings"][name] == {"value": value, "decided_by": "configuration"}


#: As above, one of each: the same code finds the CPUs. test_kubernetes boots every server without a quota too.
@pytest.mark.parametrize("profile", ["profiles/small.yaml", "profiles/servers/pywsgi.yaml"])
def test_without_a_quota_the_affinity_decides(boot: Boot, profile: str) -> None:
    expected = explanation(kit.plan_of(profile, f"resources.cpu={AFFINITY}"))
    with boot(profile, cpus=None) as container:
        found = numbers(container.report())
        assert found["cpus"]["decided_by"] == "affinity"
        assert {n: v["value"] for n, v in found.items()} == {n: v["value"] for n, v in numbers(expected).items()}


def test_without_a_quota_a_pods_request_decides(boot: Boot) -> None:
    with boot("profiles/large.yaml", cpus=None, env={"KIT_CPU_MILLICORES": "500"}) as container:
        found = numbers(container.report())
        assert (found["cpus"]["value"], found["cpus"]["decided_by"]) == (1, "request")
        assert found["workers"]["value"] == 1


@pytest.mark.parametrize("profile", ["profiles/small.yaml", "profiles/servers/gthread.yaml"])
def test_memory_caps_the_workers(boot: Boot, profile: str) -> None:
    rule = ("workers={per_cpu: 8}",)
    expected = explanation(kit.plan_of(profile, *rule, "resources.cpu=2"))
    assert expected["numbers"]["workers"]["decided_by"] == "memory"
    with boot(profile, overrides=rule, cpus=2) as container:
        assert numbers(container.report()) == numbers(expected)


@pytest.mark.parametrize("profile", PRODUCTION)
def test_web_concurrency_decides(boot: Boot, profile: str) -> None:
    with boot(profile, env={"WEB_CONCURRENCY": "3"}) as container:
        found = numbers(container.report())
        assert (found["workers"]["value"], found["workers"]["decided_by"]) == (3, "WEB_CONCURRENCY")
        if "worker_connections" in found:
            assert found["worker_connections"]["value"] == -(-container.plan.profile.connections * 13 // 30)
        container.wait_workers(3)


@pytest.mark.parametrize(
    ("args", "env", "name"),
    [(("--workers", "3"), {}, "command line"), ((), {"GUNICORN_CMD_ARGS": "--workers 3"}, "GUNICORN_CMD_ARGS")],
)
def test_arguments_decide_and_the_rest_follows(boot: Boot, args: Any, env: Any, name: str) -> None:
    with boot("profiles/small.yaml", *args, env=env) as container:
        found = numbers(container.report())
        assert (found["workers"]["value"], found["workers"]["decided_by"]) == (3, name)
        assert found["worker_connections"]["value"] == 520, "1.3 x 1200 / 3"
        container.wait_workers(3)


def test_more_workers_than_memory_holds_earn_one_warning(boot: Boot) -> None:
    with boot("profiles/small.yaml", env={"WEB_CONCURRENCY": "9"}) as container:
        warnings = kit.complaints(container.container.logs().stderr)
        assert len(warnings) == 1 and "9 workers (WEB_CONCURRENCY) are more than the memory limit holds" in warnings[0]


def test_too_low_a_descriptor_limit_earns_one_warning(boot: Boot) -> None:
    with boot("profiles/large.yaml", ulimit={"nofile": "1024:4096"}) as container:
        warnings = kit.complaints(container.container.logs().stderr)
        assert len(warnings) == 1 and "13128" in warnings[0] and "4096" in warnings[0]
        assert container.report()["descriptor_limit"] == 4096


@pytest.mark.parametrize("value", ["", "abc", "0", "-1"])
def test_bad_web_concurrency_ends_with_one_line(docker: Docker, image: Callable[[str], str], value: str) -> None:
    options = kit.run_options(kit.plan_of("profiles/small.yaml"), env={"WEB_CONCURRENCY": value})
    with docker.run_detached(image("profiles/small.yaml"), **options) as container:
        assert container.wait(kit.PATIENCE) == 2
        logs = container.logs()
        lines = (logs.stdout + logs.stderr).splitlines()
        assert len(lines) == 1 and "WEB_CONCURRENCY" in lines[0] and repr(value) in lines[0]


@pytest.mark.parametrize("profile", ["profiles/large.yaml", "profiles/servers/pywsgi.yaml"])
def test_the_environments_port_holds_for_server_report_and_health_check(
    docker: Docker, image: Callable[[str], str], profile: str
) -> None:
    there = kit.plan_of(profile, "port=9123")  # where the test connects; the image was built for another
    with kit.booted(docker, image(profile), there, env={"PORT": "9123"}, health_interval="1s") as container:
        found = container.report()["settings"]["bind"]
        assert found["decided_by"] == "PORT" and "0.0.0.0:9123" in found["value"]
        wait_until(lambda: health(container.container) == "healthy", kit.PATIENCE, container.container, what="healthy")


@pytest.mark.parametrize("profile", ["profiles/large.yaml", "profiles/servers/pywsgi.yaml"])
def test_a_command_runs_instead_of_the_server(docker: Docker, image: Callable[[str], str], profile: str) -> None:
    report = 'echo "$$ $(id -u) $PWD $GREETING $(flask --version | head -1)"'
    script = f'trap "exit 3" TERM; {report}; while :; do sleep 0.1; done'
    options = kit.run_options(kit.plan_of(profile), env={"GREETING": "hello", "WEB_CONCURRENCY": "none"})
    with docker.run_detached(image(profile), "sh", "-c", script, **options) as container:
        wait_until(lambda: "Python" in container.logs().text, kit.PATIENCE, container, what="flask's version")
        container.kill("TERM")
        assert container.wait(kit.PATIENCE) == 3
        assert container.logs().stdout.startswith("1 12345 /app hello Python 3.13.")
        assert "event" not in container.logs().text


def test_configuration_of_another_runtime_is_refused(
    docker: Docker, image: Callable[[str], str], tmp_path: Path
) -> None:
    plan = kit.plan_of("profiles/small.yaml")
    mounts = kit.mounted_configuration(plan, tmp_path)
    file = tmp_path / "gunicorn.conf.py"
    file.write_text(file.read_text().replace("begin(runtime='", "begin(runtime='0."))
    with docker.run_detached(image("profiles/small.yaml"), **kit.run_options(plan, **mounts)) as container:
        assert container.wait(kit.PATIENCE) == 2
        assert "this configuration is for runtime 0" in container.logs().text


def test_boot_report_is_independent_of_loglevel(boot: Boot) -> None:
    with boot("profiles/small.yaml", overrides=("loglevel=critical",)) as container:
        assert container.report()["settings"]["loglevel"]["value"] == "critical"
        assert container.container.logs().stderr == ""


def test_gunicorn_mapping_reaches_the_server(boot: Boot) -> None:
    overrides = ("gunicorn={limit_request_line: 100, limit_request_fields: 5}",)
    with boot("profiles/small.yaml", overrides=overrides) as container:
        assert container.get("/?" + "a" * 50).status == 200
        assert container.get("/?" + "a" * 200).status == 414
        assert container.get("/", headers={f"X-{n}": "1" for n in range(8)}).status == 431


def test_forwarded_proto_from_a_trusted_peer(boot: Boot) -> None:
    proto = {"X-Forwarded-Proto": "https"}
    with boot("profiles/small.yaml", overrides=('forwarded_allow_ips="*"',)) as container:
        assert container.get("/info", headers=proto).json["scheme"] == "https"
    with boot("profiles/small.yaml") as container:
        assert container.get("/info", headers=proto).json["scheme"] == "http"


@pytest.mark.parametrize("profile", kit.honouring("access_log"))
def test_access_log(boot: Boot, profile: str) -> None:
    """Of an app below a path: its own paths, without the probes', of which booting has sent some.

    gunicorn's servers send their counters beside it, to statsd_host: here a socket of this process.
    """
    counts = kit.plan_of(profile).server.honours("statsd_host")
    overrides = ["access_log=json", "app.mount=/tool"]
    overrides += ["gunicorn.statsd_host=unix:///run/statsd/socket"] if counts else []
    with ExitStack() as stack:
        statsd = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        folder = Path(stack.enter_context(TemporaryDirectory()))  # the path of a socket has at most 107 characters
        statsd.bind(str(folder / "socket"))
        statsd.setblocking(False)
        for path, mode in ((folder, 0o755), (folder / "socket", 0o666)):
            path.chmod(mode)
        container = stack.enter_context(boot(profile, overrides=overrides, volumes=[f"{folder}:/run/statsd"]))
        assert container.get("/tool/bytes?n=3&token=sesame%0aforged").body == b"xxx"
        assert container.get("/bytes?n=3").status == container.get("/toolbox").status == 404

        def lines() -> list[str]:
            return [line for line in container.container.logs().stdout.splitlines() if '"event"' not in line]

        wait_until(lambda: len(lines()) == 3, kit.PATIENCE, container.container, what="three access log lines")
        entries = [json.loads(line) for line in lines()]
        assert {(entry["path"], entry["method"], entry["status"]) for entry in entries} == {
            ("/bytes", "GET", 200),
            ("/bytes", "GET", 404),
            ("/toolbox", "GET", 404),
        }
        assert {entry["bytes"] for entry in entries if entry["status"] == 200} == {3}
        assert "sesame" not in "".join(lines())
        received: list[bytes] = []

        def counted() -> bool:
            with suppress(BlockingIOError):
                while True:
                    received.append(statsd.recv(1000))
            return received.count(b"gunicorn.request.status.404:1|c|@1.0") == 2

        if counts:
            wait_until(counted, kit.PATIENCE, container.container, what="two 404 counted")
