"""What `prove` and `tune` build: the image that `docker build` makes of the same folder, by a builder that can."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.containers.client import Client, Verdict
from generator.containers.command import EngineError
from generator.errors import KitError
from generator.pipeline import plan_profile
from generator.proof import images
from generator.proof.images import build_secrets
from tests.fast_support import MINIMAL, ROOT, plan_of

SECRET = "app.build_secrets={pip_conf: /etc/pip.conf}"


def test_what_the_image_has_is_in_the_context(tmp_path: Path) -> None:
    """Files that the profile includes, and a folder of static files named build; not what ignore files leave out."""
    root = shutil.copytree(ROOT / "tests/apps/old-files", tmp_path / "root")
    (root / "build").mkdir()
    (root / "build/page.js").touch()
    (root / "node_modules/kept").mkdir()
    (root / "node_modules/kept/.env").touch()
    plan = plan_profile((root / "profile.yaml").read_text(), "profile.yaml", (), root)
    context = tmp_path / "context"
    images.copy_app(plan, root, context)
    found = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    assert {"build/page.js", "data/seed.sqlite3", "site_pages.py", ".dockerignore", "requirements.txt"} <= found
    assert not {"data/other.sqlite3", "id_rsa", "node_modules/x.js", "node_modules/kept/.env"} & found
    plan = plan_profile((root / "profile.yaml").read_text(), "profile.yaml", ("app.include=[node_modules]",), root)
    images.copy_app(plan, root, tmp_path / "included")
    assert (tmp_path / "included/node_modules/kept/.env").exists(), "an included folder is whole"


def test_build_secrets_are_the_files_that_variables_name(tmp_path: Path) -> None:
    plan = plan_of("", SECRET)
    file = tmp_path / "pip.conf"
    file.write_text("")
    assert build_secrets(plan, {"BUILD_SECRET_PIP_CONF": str(file)}) == [f"id=pip_conf,src={file}"]
    for environ in ({}, {"BUILD_SECRET_PIP_CONF": str(tmp_path)}):
        with pytest.raises(
            KitError, match="pip_conf is needed to build; set BUILD_SECRET_PIP_CONF to the path of its file"
        ):
            build_secrets(plan, environ)


def test_the_build_gets_them_from_a_dockerfile_that_mounts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").touch()
    monkeypatch.setenv("BUILD_SECRET_PIP_CONF", str(tmp_path / "pip.conf"))
    seen: list[tuple[str, dict[str, Any]]] = []
    docker = MagicMock()
    docker.build = lambda _context, file, _tag, **options: seen.append((file.read_text(), options))
    images.build_profile_image(docker, plan_of("", SECRET), ROOT, "base:1", buildkit=True)
    ((dockerfile, options),) = seen
    assert (options["secret"], options["buildkit"]) == ([f"id=pip_conf,src={tmp_path / 'pip.conf'}"], True)
    assert "RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=true " in dockerfile


def test_secrets_need_a_client_with_buildkit_and_all_others_take_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    classic, buildkit = (Client(name) for name in ("classic", "buildkit"))
    verdicts = {"classic": Verdict(classic, "28", True, False), "buildkit": Verdict(buildkit, "28", True, True)}
    monkeypatch.setattr(images, "installed_clients", lambda: [classic, buildkit])
    monkeypatch.setattr(images, "examine", lambda client: verdicts[client.path])
    assert images.find_client() == (classic, False)
    assert images.find_client(with_secrets=True) == (buildkit, True)
    monkeypatch.setattr(images, "installed_clients", lambda: [classic])
    with pytest.raises(EngineError, match=r"builds with BuildKit, which app\.build_secrets needs"):
        images.find_client(with_secrets=True)


@pytest.mark.parametrize("command", ["prove", "tune"])
@pytest.mark.parametrize(("override", "needed"), [(SECRET, True), ("port=5000", False)])
def test_both_ask_for_buildkit_where_the_profile_has_secrets(
    command: str, override: str, needed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, asked = tmp_path / "web.yaml", []
    profile.write_text(MINIMAL.replace(", path: docker/app", ", path: ."))

    def ask(with_secrets: bool) -> None:
        asked.append(with_secrets)
        raise EngineError("none here")

    monkeypatch.setattr(images, "find_client", ask)
    words = [command, "--output", str(tmp_path), "--set", override, str(profile)]
    found = CliRunner().invoke(commands, words, obj={})
    assert (asked, found.exit_code) == ([needed], 2), found.output
