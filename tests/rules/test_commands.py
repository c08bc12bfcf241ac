"""What commands beside the server must not be: each row overrides, the setting that is named, part of the message."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import KitError
from generator.pipeline import read_plans
from tests.fast_support import MINIMAL, faults_of, plan_of

REFUSED = [
    (("app.before_start=flask db upgrade",), "app.before_start", "a list, each item a word of a command"),
    (("app.before_start=[[flask]]",), "app.before_start.0", "a word of a command"),
    (('app.before_start=["a\\nb"]',), "app.before_start.0", "a word of a command"),
    (('app.before_start=[""]',), "app.before_start.0", "a word of a command"),
    (("app.before_start=[--timeout, 1]",), "app.before_start.0", "a command: the image takes what begins with -"),
    (("app.before_start=[load, 'postgres://u:p@db/x']",), "app.before_start.1", "no secrets"),
    (("app.before_start=[a]", "proxy_subnet=10.9.0.0/29"), "proxy_subnet", "at least /28: 1 containers beside"),
    (("app.before_start=[a]", "server=flask"), "app.before_start", "none with flask"),
]


@pytest.mark.parametrize(("overrides", "path", "message"), REFUSED)
def test_refused(overrides: tuple[str, ...], path: str, message: str) -> None:
    faults = faults_of("", *overrides)
    assert any(fault.path == path and message in fault.allowed for fault in faults), [str(fault) for fault in faults]
    assert all(fault.remedy for fault in faults)


def test_a_jobs_name_is_no_longer_than_a_label() -> None:
    longest = plan_of("", "app.before_start=[a]", base=MINIMAL.replace("name: web", f"name: {'n' * 40}"))
    assert len(longest.before_start.name) + 1 + 8 <= 63
    (fault,) = faults_of("group: team\n", "app.before_start=[a]", base=MINIMAL.replace("web", "n" * 40))
    assert fault.path == "group" and "its Job is named" in fault.allowed


def test_two_profiles_must_not_have_the_same_objects(tmp_path: Path) -> None:
    """`web` in the group `before-start` is called as the Job's objects of `web` are."""
    files = []
    for number, extra in enumerate(("", "group: before-start\n")):
        file = tmp_path / f"{number}.yaml"
        command = "before_start: [a], " if not extra else ""
        file.write_text(MINIMAL.replace("app: {", "app: {" + command) + extra)
        files.append(str(file))
    with pytest.raises(KitError, match="objects named web-before-start"):
        read_plans(files)
