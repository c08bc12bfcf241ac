"""What stays out of images: one list, and the ignore file at the root, which nobody generates, says the same."""

from __future__ import annotations

import pytest

from generator.plan.left_out import ignore_lines, is_left_out
from tests.fast_support import ROOT


def test_the_ignore_file_at_the_root_has_the_whole_list() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1:] == ["**", "!docker", *ignore_lines()]


@pytest.mark.parametrize(
    "name", [".git", ".env", ".env.prod", ".ENVRC", ".aws", "id_rsa", "a.KEY", "a.p12", ".a.kit-new"]
)
def test_left_out(name: str) -> None:
    assert is_left_out(name)


@pytest.mark.parametrize("name", ["ca.pem", "id_generator.py", "app.py", ".well-known", "key", "keys.py"])
def test_not_left_out(name: str) -> None:
    assert not is_left_out(name)
