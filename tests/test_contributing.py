"""CONTRIBUTING.md walked, in a copy of the checkout: a server, a setting and a template are added as it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from generator.cli.commands import COMMANDS
from tests.fast_support import ROOT

STEP = re.compile(r"<!-- walk: (.+?) -->\n(?:```\w+\n(.*?)```)?", re.DOTALL)
#: The fast tests that look at servers, settings, templates and what is committed; no wheel, no machine, no chance.
TESTS = ("docs", "plan", "profile", "render", "rules", "test_imports.py", "test_shipped.py")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git has, or would add, with every step of the walks done and everything regenerated."""
    copy = tmp_path_factory.mktemp("checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # a file may be removed and not committed yet
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    steps = STEP.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert len(steps) >= 8
    for step, text in steps:
        take(copy, step, text)
    profiles = [str(path.relative_to(copy)) for path in sorted(copy.glob("profiles/**/*.yaml"))]
    for words in (["generate", *profiles], ["docs"]):
        subprocess.run([sys.executable, "-m", "generator", *words], cwd=copy, check=True, capture_output=True)
    return copy


def take(copy: Path, step: str, text: str) -> None:
    """One step, in the words of its comment."""
    if match := re.fullmatch(r"write (\S+)", step):
        assert not (copy / match[1]).exists()
        (copy / match[1]).write_text(text)
    elif match := re.fullmatch(r"copy (\S+) to (\S+)", step):
        shutil.copy(copy / match[1], copy / match[2])
    elif match := re.fullmatch(r'(insert|replace) in (\S+) (?:before )?"(.+)"', step):
        old, anchor = (copy / match[2]).read_text(), match[3]
        assert old.count(anchor) == 1, anchor
        (copy / match[2]).write_text(old.replace(anchor, text + anchor if match[1] == "insert" else text.rstrip("\n")))
    else:
        raise AssertionError(f"no such step: {step}")


def test_what_was_added_is_generated(walked: Path) -> None:
    configuration = (walked / "docker/servers/tornado/gunicorn.conf.py").read_text()
    assert "\nworker_class = 'gthread'\n" in configuration
    assert "\nenable_backlog_metric = False\n" in configuration
    assert "\n| `tornado` | gunicorn with threads, under another name |" in (walked / "docs/servers.md").read_text()
    assert "\n| `enable_backlog_metric` |" in (walked / "docs/settings.md").read_text()
    assert (walked / "docker/large/about.json").read_text() == '{"profile": "large", "server": "gevent"}\n'
    assert "tornado" in (walked / "profiles/schema.json").read_text()


def test_the_fast_tests_pass_with_it(walked: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", *(f"tests/{name}" for name in TESTS)]
    ended = subprocess.run(command, cwd=walked, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-5000:]


def test_lint_passes_with_it(walked: Path) -> None:
    for words in (["ruff", "check", "generator"], ["ruff", "format", "--check", "generator"]):
        ended = subprocess.run([sys.executable, "-m", *words], cwd=walked, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout


def test_every_file_that_it_names_is_there() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    named = re.findall(r"`((?:generator|templates|tests|docs|profiles|docker)/[^`<>*]+)`", text)
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path.strip()).exists()] == []


def test_pre_commit_accepts_both_files() -> None:
    for words in (["validate-config", ".pre-commit-config.yaml"], ["validate-manifest", ".pre-commit-hooks.yaml"]):
        subprocess.run([sys.executable, "-m", "pre_commit", *words], cwd=ROOT, check=True, capture_output=True)
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    command, subcommand = hook["entry"].split()
    assert command == "container-kit" and subcommand in COMMANDS
    assert f"- id: {hook['id']}" in (ROOT / "CONTRIBUTING.md").read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for hook in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]:
        assert hook["entry"].split()[0] == "make" and hook["entry"].split()[-1] in targets
