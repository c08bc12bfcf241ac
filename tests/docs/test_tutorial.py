"""The tutorial's commands, but for those that need an engine (tests/containers/test_tutorial.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from tests.docs import tutorial


def test_every_command_does_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tutorial.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    outputs = {}
    for words in tutorial.commands("container-kit"):
        done = CliRunner().invoke(commands, words)
        assert done.exit_code == 0, (words, done.output)
        outputs[words[0]] = done.output
    assert list(outputs) == ["new", "generate", "explain", "check"]
    assert (tmp_path / "shop.yaml").read_text() == tutorial.profile()
    assert (tmp_path / "docker/shop/Dockerfile").is_file() and (tmp_path / "k8s/shop.yaml").is_file()
    assert "1 x 1 CPU = 1" in outputs["explain"]
    for program in ("build", "run"):
        (words,) = [one for one in tutorial.commands("docker") if one[0] == program]
        assert " ".join(["docker", *words]) in outputs["new"], "new prints the same command"
