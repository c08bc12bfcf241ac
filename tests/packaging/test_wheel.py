"""An installed kit, away from any checkout: it writes the same bytes, finds all its files, and leaves no trace."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from generator.proof.images import LOAD_CLIENT
from generator.version import __version__
from tests.fast_support import MINIMAL, ROOT, SHIPPED
from tests.packaging.conftest import clean_environment

#: Folders of the checkout, and where what lies in them lies in the package.
MAPPED = {"generator": "container_kit", "templates": "container_kit/templates", "docs": "container_kit/documentation"}


def run(command: list[str], folder: Path, **environment: str) -> str:
    ended = subprocess.run(
        command, cwd=folder, env=clean_environment(**environment), check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "docker/app/" not in path.as_posix()
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's repository, with the shipped profiles and one more in it."""
    (tmp_path / "docker/app").mkdir(parents=True)
    (tmp_path / "docker/app/requirements.txt").write_text("flask\n")
    (tmp_path / "web.yaml").write_text(MINIMAL)
    return tmp_path


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *MAPPED]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    expected = set()
    for name in listed.splitlines():
        folder, _, rest = name.partition("/")
        if rest.startswith("images/"):
            continue  # the README's, and no page's
        expected.add(f"{MAPPED[folder]}/{rest}")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert not [name for name in archive.namelist() if str(ROOT).encode() in archive.read(name)]
    assert names == expected
    assert wheel.name == f"flask_container_kit-{__version__}-py3-none-any.whl"


def test_an_installed_kit_writes_the_same_bytes(
    installed: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    profiles = [*map(str, SHIPPED), "web.yaml"]
    run([str(installed / "container-kit"), "generate", *profiles, "--output", "."], project, HOME=str(home))
    away = tree(project)
    for path in away:
        if path != "web.yaml":
            (project / path).unlink()
    run([sys.executable, "-m", "generator", *profiles], project, PYTHONPATH=str(ROOT))
    assert len(away) > 60
    assert away == tree(project)
    run([str(installed / "container-kit"), "check", *profiles], project, HOME=str(home))
    assert [path.name for path in home.iterdir()] == [".cache"]


def test_it_needs_no_writable_home(installed: Path, project: Path) -> None:
    output = run([str(installed / "container-kit"), "web.yaml"], project, HOME="/dev/null/nowhere")
    assert "created   docker/web/Dockerfile\n" in output


def test_it_explains_and_prints_the_schema(installed: Path, project: Path) -> None:
    command = str(installed / "container-kit")
    (plan,) = json.loads(run([command, "explain", "--json", "web.yaml"], project))
    assert plan["profile"] == "web"
    assert run([command, "docs", "--schema"], project) == (ROOT / "profiles/schema.json").read_text()
    assert run([command, "--version"], project) == f"container-kit {__version__}\n"
    for name in ("prove", "locks", "docs"):
        assert run([command, name, "--help"], project).startswith(f"Usage: container-kit {name} ")


def test_it_prints_its_documentation(installed: Path, project: Path) -> None:
    command = str(installed / "container-kit")
    assert run([command, "docs", "settings"], project) == (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert run([command, "docs", "k019"], project).startswith("### K019\n\n**volume")


def test_what_prove_copies_into_its_container_is_there(installed: Path, project: Path) -> None:
    code = (
        "import json; from container_kit.proof.images import LOAD_CLIENT; from container_kit.proof import page, report;"
        "print(json.dumps({p.name: p.read_text() for p in LOAD_CLIENT.glob('*.py')}))"
    )
    found = json.loads(run([str(installed / "python"), "-c", code], project))
    assert found == {path.name: path.read_text() for path in LOAD_CLIENT.glob("*.py")}


def test_nothing_is_called_generator_once_installed(installed: Path, project: Path) -> None:
    code = "import importlib.util as u; print(u.find_spec('generator'), u.find_spec('templates'))"
    assert run([str(installed / "python"), "-c", code], project) == "None None\n"
