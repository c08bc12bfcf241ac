"""What people bring, a small case each (tests/apps/): generated, built, booted read-only, probed, and the page read.

A case is a project folder with its profile.yaml; `GET /` must give the JSON object of expected.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.containers.docker import Docker
from generator.pipeline import read_plans
from generator.plan.plan import Plan
from tests.containers import kit
from tests.containers.support.docker import health
from tests.containers.support.waiting import wait_until
from tests.importing import cases

APPS = kit.ROOT / "tests/apps"
#: What `make test` builds; `make test-apps` builds them all.
REPRESENTATIVE = ("requirement-files", "uv-lock", "pyproject", "old-files")
EVERY = sorted(path.parent.name for path in APPS.glob("*/profile.yaml"))
CHOSEN = EVERY if os.environ.get("KIT_ALL_APPS") else [name for name in EVERY if name in REPRESENTATIVE]
#: What `import` reads: the page's two configurations, a Procfile, variables of images, a Deployment of Helm's, hooks.
IMPORTED = [name for name in cases.CASES if name == "copied gevent" or os.environ.get("KIT_ALL_APPS")]


def project(name: str, folder: Path) -> Path:
    """A copy of the case; a folder named x.whl becomes the wheel of its files."""
    target = folder / name
    shutil.copytree(APPS / name, target, ignore=shutil.ignore_patterns("__pycache__"))
    for unpacked in [path for path in target.rglob("*.whl") if path.is_dir()]:
        files = sorted(path for path in unpacked.rglob("*") if path.is_file())
        record = f"{next(path.parent.name for path in files if path.name == 'METADATA')}/RECORD"
        wheel = unpacked.with_suffix(".zip")
        with zipfile.ZipFile(wheel, "w") as archive:
            names = [path.relative_to(unpacked).as_posix() for path in files]
            for path, inner in zip(files, names, strict=True):
                archive.write(path, inner)
            archive.writestr(record, "".join(f"{inner},,\n" for inner in [*names, record]))
        shutil.rmtree(unpacked)
        wheel.rename(unpacked)
    return target


def built(docker: Docker, folder: Path, *overrides: str) -> tuple[Plan, str]:
    """The project's image as its users make it, by `generate` and `docker build`, under its tag."""
    profile = str(folder / "profile.yaml")
    words = [word for one in overrides for word in ("--set", one)]
    made = CliRunner().invoke(commands, ["generate", *words, "--output", str(folder), profile], obj={})
    assert made.exit_code == 0, made.output
    plan = read_plans((profile,), overrides, folder)[0]
    return plan, kit.build(docker, plan, f"kit-test-{kit.CHECKOUT}-app-{folder.name}:dev", folder)


@contextmanager
def served(docker: Docker, folder: Path, *args: str, **changes: Any) -> Iterator[kit.Booted]:
    """The project's image, run under the profile's limits."""
    plan, tag = built(docker, folder)
    with kit.booted(docker, tag, plan, *args, health_interval="1s", **changes) as container:
        yield container


@pytest.mark.parametrize("name", CHOSEN)
def test_what_people_bring_is_built_and_serves(docker: Docker, tmp_path: Path, name: str) -> None:
    folder = project(name, tmp_path)
    expected = json.loads((folder / "expected.json").read_text())
    with served(docker, folder) as container:
        assert container.get("/").json == expected
        wait_until(lambda: health(container.container) == "healthy", kit.PATIENCE, container.container, what="healthy")
        assert kit.complaints(container.container.logs().text) == []


@pytest.mark.parametrize("name", [one for one in ("hooks-prometheus",) if one in CHOSEN])
def test_prometheus_sees_the_requests_of_all_workers_and_the_workers_that_live(
    docker: Docker, tmp_path: Path, name: str
) -> None:
    with served(docker, project(name, tmp_path)) as container:
        requests, workers = 0, container.wait_workers(2)

        def seen() -> set[int]:
            """The workers in the metrics, after one more request: it is served by whichever is there first."""
            nonlocal requests
            requests += 1
            assert container.get("/").json == {"counted": True}
            lines = container.get("/metrics").body.decode().splitlines()
            assert f"shop_requests_total {requests}.0" in lines
            return {int(found[1]) for found in map(re.compile(r'shop_worker\{pid="(\d+)"\} 1.0').match, lines) if found}

        wait_until(lambda: seen() == set(workers), kit.PATIENCE, container.container, what="both workers")
        container.container.exec("python", "-c", f"import os; os.kill({workers[0]}, 9)")
        workers = container.wait_workers(2, gone=workers[:1])
        wait_until(lambda: seen() == set(workers), kit.PATIENCE, container.container, what="the one in the place of it")


@pytest.mark.parametrize("name", [one for one in ("hashed", "requirement-files") if one in CHOSEN])
def test_the_profile_that_new_writes_serves(docker: Docker, tmp_path: Path, name: str) -> None:
    folder = project(name, tmp_path)
    (folder / "profile.yaml").unlink()
    written = CliRunner().invoke(commands, ["new", str(folder), "--file", "profile.yaml"], obj={})
    assert written.exit_code == 0, written.output
    expected = json.loads((folder / "expected.json").read_text())
    with served(docker, folder) as container:
        assert container.get("/").json == expected


@pytest.mark.parametrize("name", IMPORTED)
def test_what_import_makes_is_built_and_serves(docker: Docker, tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"import-{name.replace(' ', '-').lower()}"
    words = cases.project(name, folder)
    shutil.copy(kit.ROOT / "docker/app/requirements.txt", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        written = CliRunner().invoke(commands, ["import", "--file", "profile.yaml", *words], obj={})
    assert written.exit_code == 0, written.output
    with served(docker, folder, env={"PREFIX": "read by the imported hooks"}) as container:
        assert (container.get("/").status, container.get("/").body) == (200, b"imported")
        assert container.get("/healthz").body == b"imported"
        wait_until(lambda: health(container.container) == "healthy", kit.PATIENCE, container.container, what="healthy")
        assert kit.complaints(container.container.logs().text) == []
