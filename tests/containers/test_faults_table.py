"""The faults of docs/faults.md that take little time, done to every production server; `make faults` does them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.containers.docker import Docker
from tests.containers import faults
from tests.containers.faults_table import PROFILES

QUICK = (
    faults.app_raises_oserror,
    faults.slow_bodies,
    faults.slow_readers,
    faults.twice_the_connections,
    faults.tmp_full,
    faults.descriptors_used_up,
    faults.sighup_with_a_changed_file,
)


@pytest.mark.parametrize("server", PROFILES)
def test_no_request_fails_where_a_server_can_help_it(
    docker: Docker, image: Callable[[str], str], server: str, tmp_path: Path
) -> None:
    with faults.staged(docker, image(PROFILES[server]), PROFILES[server], tmp_path) as stage:
        found = faults.outcomes(stage, QUICK)
    assert faults.broken_promises(found) == {}
