"""The runtime's version is its source: whatever changes there changes it, and nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.render.render import render, runtime_files
from generator.runtime.version import runtime_version
from tests.fast_support import ROOT, SHIPPED, plan_of

CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("a comment", lambda root: (root / "sizing.py").write_text((root / "sizing.py").read_text() + "# x\n")),
    ("a worker class", lambda root: (root / "workers/gevent.py").write_text("")),
    ("a new module", lambda root: (root / "pywsgi/more.py").write_text("")),
    ("one less", lambda root: (root / "health.py").unlink()),
    ("another name", lambda root: (root / "health.py").rename(root / "alive.py")),
    ("text moved to the next module", lambda root: (root / "boot.py").rename(root / "configuration.py")),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The runtime as an image has it: copied from what the generator writes."""
    for path, text in runtime_files().items():
        target = tmp_path / path.removeprefix("docker/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    return tmp_path / "runtime"


def test_the_image_has_the_version_that_the_generator_states(copy: Path) -> None:
    plan = plan_of()
    assert runtime_version(copy) == runtime_version() == plan.runtime_version
    assert len(plan.runtime_version) == 12
    files = render(plan)
    assert f'dev.container-kit.runtime="{plan.runtime_version}"' in files["docker/web/Dockerfile"]
    assert f"_kit.begin(runtime='{plan.runtime_version}')" in files["docker/web/gunicorn.conf.py"]
    assert f"kit={plan.kit_version!r}," in files["docker/web/gunicorn.conf.py"]


def test_the_committed_runtime_is_the_one_that_the_committed_configurations_name() -> None:
    version = runtime_version(ROOT / "docker/runtime")
    found = [path for path in ROOT.glob("docker/**/*.conf.py") if f"runtime='{version}'" in path.read_text()]
    assert len(found) == len(SHIPPED)


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[what for what, _ in CHANGES])
def test_every_change_of_the_source_is_another_version(what: str, change: Callable[[Path], object], copy: Path) -> None:
    change(copy)
    runtime_version.cache_clear()
    assert runtime_version(copy) != runtime_version()


def test_what_python_and_the_generator_leave_behind_changes_nothing(copy: Path, tmp_path: Path) -> None:
    before = runtime_version(copy)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__/boot.cpython-313.pyc").write_bytes(b"x")
    (copy / ".generated.json").write_text("{}")
    moved = shutil.copytree(copy, tmp_path / "kit_runtime")
    runtime_version.cache_clear()
    assert {runtime_version(copy), runtime_version(moved)} == {before}
