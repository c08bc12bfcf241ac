"""Every command of the kit that a page names is one that it takes; those of operating.md that need no engine run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from tests.fast_support import MINIMAL, ROOT

#: Without the changelog, which names what older ones took.
PAGES = [*ROOT.glob("README*.md"), ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = r"(?:container-kit|python -m generator)"


def named(page: Path) -> list[list[str]]:
    """The words behind the program's name, of shell blocks and of code within a sentence."""
    text = page.read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    found = re.findall(rf"^{PROGRAM} (.*)$", blocks, re.MULTILINE)
    found += re.findall(rf"(?<!`)`{PROGRAM}\s([^`]*)`", text)
    return [shlex.split(line, comments=True) for line in found]


def parsed(words: list[str]) -> None:
    """Raises click's UsageError where it does not take them."""
    group = click.Context(commands, obj={})
    command = commands.get_command(group, words[0])
    assert command is not None, words
    command.make_context(words[0], words[1:], parent=group)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_kit_takes_every_command_that_a_page_names(page: Path) -> None:
    for words in named(page):
        parsed(words)


def test_they_are_found_and_a_wrong_one_is_not_taken() -> None:
    assert len(named(ROOT / "docs/operating.md")) >= 4
    with pytest.raises(click.UsageError):
        parsed(["check", "prod.yaml", "--basis"])


def test_a_release_of_another_image_as_operating_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker/app").mkdir(parents=True)
    (tmp_path / "docker/app/requirements.txt").write_text("flask\n")
    (tmp_path / "prod.yaml").write_text(MINIMAL)
    found = named(ROOT / "docs/operating.md")
    (generate,) = [words for words in found if words[0] == "generate"]
    (check,) = [words for words in found if words[0] == "check"]
    run = CliRunner().invoke
    assert run(commands, generate).exit_code == 0
    assert "image: registry.example/team/web:1.5\n" in (tmp_path / "k8s/web.yaml").read_text()
    assert run(commands, [*check, *generate[2:]]).exit_code == 0
    assert run(commands, check).exit_code == 1, "without the same --set"
