"""One engine, one base image and one image a profile for the whole session; every container is removed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import testinfra

from generator.containers.command import EngineError
from generator.containers.docker import Docker
from tests.containers import kit
from tests.containers.support.base_image import ensure_base_image
from tests.containers.support.docker import LABEL
from tests.containers.support.engine import Engine, ensure_engine
from tests.containers.support.images import ensure_load_image, ensure_probe_image, sidecar
from tests.containers.support.sharing import Sharing, in_order

Boot = Callable[..., AbstractContextManager[kit.Booted]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Before several processes share the tests (`-n 3 --dist loadscope`): what is there once for all of them.

    Each finds the engine running, so none stops it while another still needs it.
    """
    try:
        engine = ensure_engine()
        config.add_cleanup(engine.stop)
        ensure_images(engine)
    except EngineError as error:
        pytest.exit(str(error), pytest.ExitCode.USAGE_ERROR)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In place of xdist's own for ``--dist loadscope``."""
    return Sharing(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which units are shared out; within one it stays as it was."""
    items[:] = in_order(items)


def ensure_images(engine: Engine) -> Docker:
    """The base image and those that look from beside, built if they are missing."""
    docker = Docker(engine.client, LABEL)
    ensure_base_image(docker)
    if kit.PYTHON:
        ensure_base_image(docker, f"python:{kit.PYTHON}-slim-trixie")
    ensure_probe_image(docker)
    ensure_load_image(docker)
    return docker


@pytest.fixture(scope="session")
def docker(request: pytest.FixtureRequest) -> Iterator[Docker]:
    """The engine that is found, or Debian's, installed and started; stopped again only if it was started here."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        engine = ensure_engine()
    with engine:
        with capture.global_and_fixture_disabled():
            docker = ensure_images(engine)
        try:
            yield docker
        finally:
            docker.cleanup()


@pytest.fixture(scope="session")
def image(docker: Docker) -> Callable[[str], str]:
    """The image of a shipped profile, built when it is first asked for."""
    built: dict[str, str] = {}

    def find(profile: str) -> str:
        if profile not in built:
            built[profile] = kit.build(docker, kit.plan_of(profile))
        return built[profile]

    return find


@pytest.fixture
def boot(docker: Docker, image: Callable[[str], str], tmp_path: Path) -> Boot:
    """Boot a shipped profile's image; overrides change its configuration as a ConfigMap does."""

    def start(profile: str, *args: str, overrides: Sequence[str] = (), volumes: Sequence[str] = (), **more: Any) -> Any:
        plan = kit.plan_of(profile, *overrides)
        mounts = [*volumes, *([kit.mounted_configuration(plan, tmp_path)["volume"]] if overrides else [])]
        return kit.booted(docker, image(profile), plan, *args, volume=mounts, **more)

    return start


@pytest.fixture(scope="session", params=kit.PROFILES)
def running(request: pytest.FixtureRequest, docker: Docker, image: Callable[[str], str]) -> Iterator[kit.Booted]:
    """Each shipped profile, booted once under its own limits, for tests that only look."""
    plan = kit.plan_of(request.param)
    with kit.booted(docker, image(request.param), plan, health_interval="1s") as container:
        yield container


@pytest.fixture(scope="session")
def inside(running: kit.Booted) -> Any:
    """testinfra in the container itself: files, user, environment."""
    return testinfra.get_host(f"docker://{running.container.id}")


@pytest.fixture(scope="session")
def beside(docker: Docker, running: kit.Booted) -> Iterator[Any]:
    """testinfra in a side-car that shares the container's namespaces, since slim images lack ps and ss."""
    with sidecar(docker, running.container) as probe:
        yield testinfra.get_host(f"docker://{probe.id}")
