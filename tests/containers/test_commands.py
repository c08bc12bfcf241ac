"""What runs beside the server, in Compose: before it, so that the server waits for it, and next to it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from generator.containers.container import Container
from generator.containers.docker import Docker
from generator.plan.plan import Plan
from tests.containers import kit
from tests.containers.behind import write
from tests.containers.support.compose import Project, project
from tests.containers.support.images import NGINX_TAG, ensure_nginx_image
from tests.containers.support.plugins import ensure_compose
from tests.containers.support.waiting import wait_until

PROFILE = "profiles/small.yaml"


#: A command that knows nothing of signals, as scripts do.
JOB = "{name: ticker, command: [python, -c, %s], replicas: 2, resources: {cpu: 200m, memory: 64Mi}}"
TICKER = "\"import time; print('ticks', flush=True); time.sleep(3600)\""


#: What each of the containers gets, and that it sees it: a variable, a file, settings, a folder that all share.
KEY, PIN = "k$y of the api", "p1n"
GIVEN = (
    "env_secrets={API_KEY: {secret: bank, key: api}, PIN_FILE: {secret: bank, key: pin, file: true}}",
    "volumes=[{name: data, mount_path: /data, claim: d, access_mode: ReadWriteMany},"
    " {name: texts, mount_path: /texts, config_map: texts}]",
)
LOOK = """
import json, os, pathlib, sys
pathlib.Path("/data", sys.argv[1]).touch()
texts = [pathlib.Path(path).read_text() for path in (os.environ["PIN_FILE"], "/texts/hello")]
print(json.dumps([os.environ["API_KEY"], *texts, os.access("/texts", os.W_OK), sorted(os.listdir("/data"))]))
"""


def planned(subnet: str, code: str) -> Plan:
    command = f'app.before_start=[python, -c, "{code}"]'
    return kit.plan_of(PROFILE, f"proxy_subnet={subnet}", command, f"jobs=[{JOB % TICKER}]", *GIVEN)


@pytest.fixture(scope="module")
def subnet() -> str:
    """One of its own, so that two sessions of tests do not meet."""
    number = secrets.randbelow(2**12) * 16
    return f"10.215.{number >> 8}.{number & 255}/28"


@pytest.fixture(scope="module")
def up(
    docker: Docker, image: Callable[[str], str], subnet: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    ensure_nginx_image(docker)
    image(PROFILE)  # all but the last of its layers
    root = tmp_path_factory.mktemp("compose")
    plan = planned(subnet, "print(5 * 5)")
    write(root, plan)
    for name in ("docker/app", "docker/runtime"):
        shutil.copytree(kit.ROOT / name, root / name)
    (root / ".env.small").write_text(f"API_KEY='{KEY}'\n")
    for name, text in {"bank/pin": PIN, "texts/hello": "hello"}.items():
        (root / ".env.small.d" / name).parent.mkdir(parents=True)
        (root / ".env.small.d" / name).write_text(text)
    tag = kit.build(docker, plan, f"kit-test-{kit.CHECKOUT}-commands:dev", root)
    environment = {"NGINX_IMAGE": NGINX_TAG, "PROXY_PORT": "0", "APP_IMAGE": tag}
    with project(ensure_compose(docker.client), f"{plan.folder}/compose.yaml", root, environment) as found:
        yield found


def door(up: Project) -> kit.Booted:
    plan = kit.plan_of(PROFILE)
    return kit.Booted(plan, up.container("proxy"), up.port("proxy", plan.proxy.port))


def test_the_app_starts_when_the_command_has_succeeded(up: Project) -> None:
    before, app = (up.container(name).inspect() for name in ("before-start", "app"))
    assert before["State"]["ExitCode"] == 0 and before["RestartCount"] == 0
    assert before["State"]["FinishedAt"] <= app["State"]["StartedAt"]
    assert "25" in up.call("logs", "before-start").stdout
    host: dict[str, Any] = before["HostConfig"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not before["Config"]["User"].startswith("0")
    assert door(up).get("/").status == 200


def test_secrets_and_volumes_are_in_the_app_and_in_its_jobs(up: Project) -> None:
    for seen in (["app"], ["app", "ticker"]):
        found = up.container(seen[-1]).exec("python", "-c", LOOK, seen[-1]).stdout
        assert json.loads(found) == [KEY, PIN, "hello", False, seen]


def test_a_job_runs_beside_it_as_little_privileged_and_ends_at_sigterm(up: Project) -> None:
    ids = up.call("ps", "--quiet", "--no-trunc", "ticker").stdout.split()
    assert len(ids) == 2
    tickers = [Container(up.client, one) for one in ids]
    wait_until(lambda: up.call("logs", "ticker").stdout.count("ticks") == 2, kit.PATIENCE, tickers[0], what="two ticks")
    addresses = set()
    for found in (one.inspect() for one in tickers):
        host: dict[str, Any] = found["HostConfig"]
        assert found["State"]["Health"]["Status"] == "healthy"
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] == 64 * 1024**2
        assert not found["Config"]["User"].startswith("0") and not host["PortBindings"]
        addresses |= {network["IPAddress"] for network in found["NetworkSettings"]["Networks"].values()}
    assert len(addresses) == 2 and not addresses & {""}
    up.call("stop", "--timeout", "60", "ticker", timeout=120)
    assert [one.inspect()["State"]["ExitCode"] for one in tickers] == [143, 143], "SIGTERM, not SIGKILL after a minute"


def test_a_command_that_fails_is_reported_and_the_app_does_not_start(up: Project, subnet: str) -> None:
    """Compose makes the app's container anew, too: nothing of the new release serves on the old state."""
    write(up.folder, planned(subnet, "raise SystemExit(3)"))
    failed = up.call("up", "--wait", check=False, timeout=120)
    assert failed.returncode != 0 and "before-start" in failed.stderr and "exit 3" in failed.stderr
    assert up.container("app").inspect()["State"]["Status"] == "created"
