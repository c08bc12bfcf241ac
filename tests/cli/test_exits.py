"""How a process ends: streams that are full or closed, folders that cannot be read, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from tests.cli.test_cli import root as root
from tests.cli.test_cli import run
from tests.fast_support import ROOT

COMMAND = [sys.executable, "-m", "generator"]
PROFILE = str(ROOT / "profiles/small.yaml")


@pytest.mark.parametrize("words", [["explain", PROFILE], ["explain", "--json", PROFILE], ["--help"], ["--version"]])
def test_a_full_stdout_ends_with_2_and_a_message(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, *words], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (2, "error: standard output: No space left on device\n")


def test_a_full_stderr_still_leaves_the_code(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*COMMAND, str(tmp_path / "none.yaml")], cwd=ROOT, stderr=full, check=False)
    assert ended.returncode == 2


@pytest.mark.parametrize("words", [["explain", "--json", PROFILE], ["check", "--output", "{root}", PROFILE]])
def test_a_reader_that_goes_away_is_no_error(root: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, *(word.replace("{root}", str(root)) for word in words)]
    ended = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("path", ["docker", "docker/web", "k8s"])
def test_an_output_folder_that_is_a_file_or_fails_ends_with_2(
    root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def failing(name: str | Path, *rest: int, **named: int) -> int:
        if Path(name).is_relative_to(root / path):  # root may read every folder: the error is the kernel's, made here
            raise PermissionError(13, "Permission denied", str(name))
        return real(name, *rest, **named)

    monkeypatch.setattr(os, "open", failing)
    result = run(root, str(root / "web.yaml"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Permission denied" in result.stderr
    assert "internal error" not in result.stderr


#: root may read everything, unless it gives that up.
ORDINARY_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("closed", ["apps", "apps/shop"])
@pytest.mark.parametrize(
    ("setting", "place"),
    [("app.path", "path: apps/shop/code"), ("app.requirements", "requirements: apps/shop/requirements.txt")],
)
def test_a_folder_above_the_app_that_cannot_be_entered_is_named(
    root: Path, closed: str, setting: str, place: str
) -> None:
    (root / "apps/shop/code").mkdir(parents=True)
    (root / "apps/shop/requirements.txt").touch()
    profile = root / "shop.yaml"
    app = ["module: shop:app", *(["path: ."] if setting != "app.path" else []), place]
    profile.write_text(
        "name: shop\nserver: gevent\nconnections: 100\nresources: {cpu: 1, memory: 256Mi}\napp:\n  " + "\n  ".join(app)
    )
    (root / closed).chmod(0)
    try:
        command = [*ORDINARY_USER, *COMMAND, str(profile), "--output", str(root)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    finally:
        (root / closed).chmod(0o755)
    assert (ended.returncode, ended.stdout) == (2, "")
    line = len(profile.read_text().splitlines())
    assert ended.stderr.startswith(f"{profile}:{line}:")
    assert f" {setting}: " in ended.stderr
    assert f"; {root / closed}: permission denied\n" in ended.stderr


def test_any_other_error_of_the_machine_ends_with_2_and_one_of_the_kits_own_files_with_3(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        def read(*_: object) -> None:
            raise OSError(5, "Input/output error", str(path))

        monkeypatch.setattr("generator.cli.generate.write_bundles", lambda *_, **__: read())

    broken(root / "docker")
    mine = run(root, str(root / "web.yaml"))
    assert (mine.exit_code, mine.stderr) == (2, f"error: {root}/docker: Input/output error\n")
    broken(ROOT / "generator/servers/locks/gevent.txt")
    ours = run(root, str(root / "web.yaml"))
    assert ours.exit_code == 3
    assert "internal error: OSError" in ours.stderr


def test_interrupted_is_130_whatever_it_was_doing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("generator.cli.generate.read_plans", interrupted)
    result = CliRunner().invoke(commands, [str(root / "web.yaml")])
    assert (result.exit_code, result.stderr.strip()) == (130, "interrupted")


@pytest.mark.parametrize("module", ["click", "generator.cli.commands", "jinja2", "generator.plan.plan"])
def test_ctrl_c_during_the_start_shows_no_traceback(root: Path, module: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-v", "-m", "generator", str(root / "web.yaml"), "--output", str(root)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    began = False
    for line in process.stderr:  # -v writes a line for each import, and waits while nobody reads
        began = began or line.startswith(b"import 'generator.cli'") or b"generator/cli/__init__" in line
        if began and line.startswith(f"import '{module}'".encode()):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=60) in (-signal.SIGINT, 130)
    assert b"Traceback" not in rest


#: Runs a command and counts its calls; at some a copy of the process is interrupted: at each of the modules that begin
#: and end a command, else (imports, mostly) at every so many. Prints the code and how each copy ended.
FORKING = """
import json, os, runpy, signal, sys, tempfile
every, *sys.argv[1:] = int(sys.argv[1]), *sys.argv[2:]
calls, ends, parent = 0, [], os.getpid()
edges = "generator/__main__", "cli/__init__", "cli/commands", "cli/interrupts", "cli/exits"

def on_call(frame, event, _):
    global calls
    begun = sys.excepthook is not sys.__excepthook__
    if event != "call" or frame.f_code.co_filename == __file__ or not begun:
        return
    calls += 1
    edge = frame.f_code.co_filename.endswith(tuple(f"/{name}.py" for name in edges))
    if not edge and calls % every:
        return
    errors = tempfile.TemporaryFile()
    child = os.fork()
    if not child:
        sys.setprofile(None)
        os.dup2(errors.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        signal.raise_signal(signal.SIGINT)
        return
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    errors.seek(0)
    ends.append((f"{frame.f_code.co_filename}:{frame.f_lineno}", code, errors.read().decode()))

sys.setprofile(on_call)
try:
    runpy.run_module("generator", run_name="__main__", alter_sys=True)
except SystemExit as end:
    sys.setprofile(None)
    if os.getpid() != parent:
        raise
    print(json.dumps([end.code, ends]))
"""


def test_ctrl_c_at_any_moment_shows_no_traceback(tmp_path: Path) -> None:
    script = tmp_path / "forking.py"
    script.write_text(FORKING)
    ended = subprocess.run(
        [sys.executable, str(script), "8000", "explain", "--json", PROFILE],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    code, ends = json.loads(ended.stdout.splitlines()[-1])
    assert code == 0
    assert len(ends) > 20
    assert [end for end in ends if end[1] not in (130, -signal.SIGINT) or "Traceback" in end[2]] == []
