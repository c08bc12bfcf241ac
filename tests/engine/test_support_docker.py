"""The docker wrapper: flags, labels, removal, and errors, against a client that is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from generator.containers.client import Client
from generator.containers.command import CommandFailed
from generator.containers.container import Container, NotInTime
from generator.containers.docker import Docker, Option, flags
from tests.containers.support.docker import LABEL, build_text, health, run_once
from tests.containers.support.images import dockerfile, host_build_args, run_beside, sidecar
from tests.containers.support.waiting import ContainerDied, wait_until
from tests.engine.machine import FakeMachine

FLAGS: list[tuple[dict[str, Option], list[str]]] = [
    ({}, []),
    ({"read_only": True, "init": False, "user": None}, ["--read-only"]),
    ({"cpus": 0.5, "user": 12345}, ["--cpus=0.5", "--user=12345"]),
    ({"tmpfs": ["/tmp", "/run"]}, ["--tmpfs=/tmp", "--tmpfs=/run"]),
    ({"env": {"A": "b c", "D": ""}}, ["--env=A=b c", "--env=D="]),
    ({"user": 0}, ["--user=0"]),
]


@pytest.mark.parametrize(("options", "words"), FLAGS)
def test_keywords_become_long_flags(options: dict[str, Option], words: list[str]) -> None:
    assert flags(options) == words


def docker(**outputs: Any) -> tuple[Docker, FakeMachine]:
    machine = FakeMachine({key.replace("_", " "): value for key, value in outputs.items()})
    return Docker(Client("docker", run=machine), LABEL, run_id="r1"), machine


def test_every_container_carries_the_label_of_its_run() -> None:
    engine, machine = docker(run="c1\n")
    assert engine.run_detached("app:dev", "serve", read_only=True).id == "c1"
    run_once(engine, "app:dev", "true")
    assert machine.lines()[0] == "docker run --detach --label kit-test=r1 --read-only app:dev serve"
    assert "--rm" in machine.commands[1] and "kit-test=r1" in machine.commands[1]


def test_a_container_that_could_not_start_is_removed() -> None:
    engine, machine = docker(run=127)
    with pytest.raises(CommandFailed, match="exit code 127: docker run"):
        run_once(engine, "app:dev", "nonsense")
    assert machine.lines()[-1].startswith("docker rm --force --volumes kit-test-")


@pytest.mark.parametrize(("buildkit", "value"), [(False, "0"), (True, "1")])
def test_the_builder_is_chosen_by_the_environment(buildkit: bool, value: str) -> None:
    engine, machine = docker(inspect="sha256:1\n", build="log")
    built = build_text(engine, "FROM scratch\n", "x:1", buildkit=buildkit, build_arg={"A": "b"})
    assert (built.id, built.log) == ("sha256:1", "log")
    assert machine.lines()[0] == "docker build --build-arg=A=b --tag x:1 -"
    assert machine.environments[0] is not None and machine.environments[0]["DOCKER_BUILDKIT"] == value


def test_a_build_that_left_no_image_is_a_failure() -> None:
    engine, _ = docker(inspect=1)
    with pytest.raises(CommandFailed, match="left no image x:1"):
        build_text(engine, "FROM scratch\n", "x:1")


def test_cleanup_removes_what_this_run_has_left() -> None:
    engine, machine = docker(ps="a\nb\n")
    assert engine.cleanup() == ["a", "b"]
    assert machine.lines() == [
        "docker ps --all --quiet --no-trunc --filter label=kit-test=r1",
        "docker rm --force --volumes a b",
    ]


def test_side_cars_share_the_namespaces() -> None:
    engine, machine = docker(run="p1\n")
    target = Container(engine.client, "c1")
    sidecar(engine, target, cap_add="SYS_PTRACE")
    run_beside(engine, target, "h2load", "http://127.0.0.1/", cpus=0.5)
    assert "--network=container:c1 --pid=container:c1 --cap-add=SYS_PTRACE kit-probe:test" in machine.lines()[0]
    assert "--network=container:c1 --cpus=0.5 kit-load:test h2load http://127.0.0.1/" in machine.lines()[1]


def test_side_car_images_are_debian_packages_on_the_base() -> None:
    text = dockerfile("kit-probe:test", "base:1")
    assert text.startswith("FROM base:1\n") and "iproute2 procps" in text and "<<" not in text


def test_build_arguments_of_the_host() -> None:
    environ = {"PIP_INDEX_URL": "https://index.test/simple", "http_proxy": "", "PIP_FIND_LINKS": "/wheels"}
    assert host_build_args(environ) == {"PIP_INDEX_URL": "https://index.test/simple"}


def container(**state: Any) -> Container:
    full = {"Running": True, "Status": "running", "ExitCode": 0, **state}
    machine = FakeMachine({"inspect": json.dumps([{"State": full}]), "logs": "last words\n"})
    return Container(Client("docker", run=machine), "c" * 64)


def test_health_is_none_without_a_healthcheck() -> None:
    assert health(container()) is None
    assert health(container(Health={"Status": "healthy"})) == "healthy"


def test_waiting_returns_the_first_true_value_and_ignores_no_connection() -> None:
    tries: list[int] = []

    def third() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError
        return "yes"

    assert wait_until(third, 5, interval=0.01) == "yes"
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, 5)


def test_waiting_ends_at_the_deadline_with_the_last_error() -> None:
    def refuse() -> bool:
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(NotInTime, match=r"GET / did not come true within 0\.1 s.*nobody there"):
        wait_until(refuse, 0.1, what="GET /", interval=0.01)


def test_waiting_ends_early_with_the_logs_when_the_container_died() -> None:
    dead = container(Running=False, Status="exited", ExitCode=3, OOMKilled=True)
    with pytest.raises(ContainerDied, match=r"(?s)exited, exit code 3, out of memory.*last words"):
        wait_until(lambda: False, 60, dead, interval=0.05)
