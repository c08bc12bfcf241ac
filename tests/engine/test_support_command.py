"""Commands: their streams, their time limit, and errors that show the last lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from generator.containers.command import CommandFailed, CommandTimedOut, EngineError, run


def test_streams_are_apart_and_stdin_is_given() -> None:
    done = run(["sh", "-c", "cat; echo err >&2"], stdin="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "err\n")


def test_environment_and_folder_are_the_ones_given(tmp_path: Path) -> None:
    done = run(["/bin/sh", "-c", "echo $A; pwd"], env={"A": "b"}, cwd=tmp_path)
    assert done.stdout == f"b\n{tmp_path}\n"


def test_failure_carries_the_command_and_the_last_lines() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "seq 100; exit 7"])
    message = str(caught.value)
    assert message.startswith("exit code 7: sh -c 'seq 100; exit 7'")
    assert message.endswith("\n99\n100") and "\n75\n" not in message
    assert run(["false"], check=False).returncode == 1


def test_time_limit_ends_what_the_command_has_started(tmp_path: Path) -> None:
    with pytest.raises(CommandTimedOut, match=r"not finished after 0\.3 s"):
        run(["sh", "-c", f"echo said; (sleep 60; touch {tmp_path}/late) & wait"], timeout=0.3)
    assert not (tmp_path / "late").exists()
    deadline = time.monotonic() + 20
    while any(str(tmp_path).encode() in line for line in command_lines()):
        assert time.monotonic() < deadline, "what the command has started is still there"


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended meanwhile
            yield path.read_bytes()


def test_bytes_that_are_not_text_do_not_hurt() -> None:
    code = "import sys; sys.stdout.buffer.write(b'a\\xffb')"
    assert run([sys.executable, "-c", code]).stdout == "a\ufffdb"


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineError, match="no-such-command: no such command"):
        run(["no-such-command"])
