"""The kernel's choice when memory ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.runtime import oom


@pytest.mark.parametrize(
    ("master", "worker"), [("0", "100"), ("-997", "-897"), ("950", "1000"), ("1000", "1000"), ("odd", "odd")]
)
def test_a_worker_is_chosen_before_the_master(tmp_path: Path, master: str, worker: str) -> None:
    file = tmp_path / "oom_score_adj"
    file.write_text(f"{master}\n")
    oom.prefer_this_process(file)
    assert file.read_text().strip() == worker


def test_a_sandbox_without_it(tmp_path: Path) -> None:
    oom.prefer_this_process(tmp_path / "none")
