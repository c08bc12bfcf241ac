"""The tutorial's app, built and booted by the tutorial's own commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.containers.docker import Docker
from generator.pipeline import read_plans
from tests.containers import kit
from tests.docs import tutorial


def test_its_app_boots_and_serves(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tutorial.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in tutorial.commands("container-kit"):
        assert CliRunner().invoke(commands, words).exit_code == 0
    (plan,) = read_plans(("shop.yaml",), (), tmp_path)
    by_name = {words[0]: words for words in tutorial.commands("docker")}
    assert by_name["build"] == ["build", "-f", f"{plan.folder}/Dockerfile", "-t", "shop:dev", "."]
    limits = ["--cpus", plan.texts.cpu_text, "--memory", "512m", "--read-only", "--tmpfs", "/tmp"]
    assert by_name["run"] == ["run", "--rm", *limits, "-p", "8000:8000", "shop:dev"]
    image = kit.build(docker, plan, tag=f"kit-test-{kit.CHECKOUT}-tutorial:dev", context=tmp_path)
    with kit.booted(docker, image, plan) as shop:
        assert json.loads(shop.get("/items").body) == [{"id": 1, "name": "tea"}]
        assert shop.get("/static/hello.txt").body == b"hello\n"
