"""The background process: started, written down, recognised by its start time, stopped by its number."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from generator.containers.command import EngineError
from tests.containers.support import daemon


def test_started_remembered_and_stopped(tmp_path: Path) -> None:
    process = daemon.start(["sleep", "60"], tmp_path / "log")
    record = tmp_path / "record.json"
    try:
        daemon.remember(process, record)
        assert process.alive() and daemon.remembered(record) == process
    finally:
        daemon.stop(process)
    assert not process.alive() and daemon.remembered(record) is None
    daemon.stop(process)  # gone already: nothing to do


def test_a_reused_process_number_is_not_mistaken_for_it(tmp_path: Path) -> None:
    process = daemon.start(["sleep", "60"], tmp_path / "log")
    stranger = daemon.Daemon(process.pid, process.start_ticks - 1)
    try:
        assert not stranger.alive()
        daemon.stop(stranger)
        assert process.alive()
    finally:
        daemon.stop(process)


def test_one_that_does_not_end_is_reported(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = daemon.start(["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"], tmp_path / "log")
    try:
        while not ready.exists():
            assert deaf.alive()
        with pytest.raises(EngineError, match="did not end within"):
            daemon.stop(deaf, timeout=0.3)
    finally:
        os.kill(deaf.pid, signal.SIGKILL)
        daemon.stop(deaf)


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', "{", '{"pid": 1, "start_ticks": -1}'])
def test_a_broken_record_is_no_daemon(tmp_path: Path, text: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(text)
    assert daemon.remembered(record) is None


def test_the_end_of_the_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert daemon.log_tail(log) == "(no log)"
    log.write_text("\n".join(map(str, range(50))))
    assert daemon.log_tail(log, lines=2) == "48\n49"
