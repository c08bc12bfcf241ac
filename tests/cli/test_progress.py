"""What takes longer than a second is told on a terminal, and nowhere else."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from generator.cli import locks, progress, prove, tune
from generator.cli.commands import COMMANDS, commands
from tests.fast_support import MINIMAL, ROOT


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    """To put in the place of standard error, in a folder that holds an app and the minimal profile."""
    shutil.copytree(ROOT / "docker/app", tmp_path / "docker/app")
    (tmp_path / "web.yaml").write_text(MINIMAL)
    (tmp_path / "gunicorn.conf.py").write_text("wsgi_app = 'shop:app'\nworkers = 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


class Reached(Exception):
    """The part of a command that needs an engine or a registry."""


def reached(*_: Any, **__: Any) -> Any:
    raise Reached


#: Each command with what its slow steps say; those that follow an experiment are page_beside's, as report's.
STEPS = {
    "new": (["docker/app", "--yes"], ["looking at docker/app", "reading profiles and the app"]),
    "import": (["gunicorn.conf.py"], ["reading profiles and the app"]),
    "generate": (
        ["web.yaml"],
        ["reading profiles and the app", "rendering and verifying web", "writing below"],
    ),
    "check": (["web.yaml"], ["reading profiles and the app", "rendering and verifying web", "comparing below"]),
    "report": (["web.yaml"], ["reading profiles and the app", "drawing", "web.html"]),
    "audit": (["--execute", "gunicorn.conf.py"], ["running the configurations"]),
    "prove": (["web.yaml"], ["reading profiles and the app"]),
    "tune": (["web.yaml"], ["reading profiles and the app"]),
    "locks": ([], ["asking the registry for the next lock"]),
}
#: They read small files only: explain does not look at the app.
QUICK = {"explain", "docs"}


def run(name: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)  # not in the fixture: pytest puts its own back before the test
    for module, what in ((prove, "run_proof"), (tune, "run_tune")):
        monkeypatch.setattr(module, what, reached)
    monkeypatch.setattr(locks, "renew", lambda: iter(()))
    with pytest.raises(SystemExit):
        commands.main([name, *STEPS[name][0]], prog_name="container-kit")


def test_each_command_is_one_or_the_other() -> None:
    assert {*STEPS} | QUICK == {*COMMANDS}


@pytest.mark.parametrize("name", STEPS)
def test_a_slow_step_is_told_on_a_terminal(name: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    run(name, terminal, monkeypatch)
    for step in STEPS[name][1]:
        assert step in terminal.getvalue()


@pytest.mark.parametrize("name", STEPS)
def test_a_quick_step_is_not(name: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 3600.0)
    run(name, terminal, monkeypatch)
    assert not any(step in terminal.getvalue() for step in STEPS[name][1])


def test_elsewhere_nothing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    with progress.waiting("drawing"):
        pass
    assert capsys.readouterr() == ("", "")


def test_it_leaves_what_is_printed_meanwhile_and_no_signal_reaches_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "AFTER", 0.01)
    threads = {*Path("/proc/self/task").iterdir()}
    with progress.waiting("drawing"):
        deadline = monotonic() + 40
        while "drawing" not in terminal.getvalue() and monotonic() < deadline:
            sleep(0.01)
        print(json.dumps({"a": 1}))
        new = {*Path("/proc/self/task").iterdir()} - threads
        masks = [re.findall(r"SigBlk:\s*(\w+)", (thread / "status").read_text())[0] for thread in new]
        assert masks
        for mask in masks:
            assert all(int(mask, 16) >> number - 1 & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert capsys.readouterr().out == '{"a": 1}\n'
    assert terminal.getvalue().endswith("\x1b[2K"), "the line is gone"
    assert "\x1b[?25l" not in terminal.getvalue(), "the cursor was there"
