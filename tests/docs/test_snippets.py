"""Every ```yaml profile block of the documentation, with the rest of a minimal profile, generates what is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from generator.pipeline import plan_profile
from generator.render.render import render
from generator.verify.files import verify
from tests.fast_support import MINIMAL, ROOT

BLOCKS = [
    pytest.param(block, id=f"{page.name}:{number}")
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
    for number, block in enumerate(re.findall(r"^```yaml profile\n(.*?)^```", page.read_text(), re.M | re.S), 1)
]


def whole(block: str) -> str:
    """The block with the lines of the minimal profile whose settings it does not give itself."""
    given = yaml.safe_load(block)
    lines = [line for line in MINIMAL.splitlines(keepends=True) if line.partition(":")[0] not in given]
    return "".join(lines) + block


def test_there_are_blocks() -> None:
    pages = {Path(str(param.id).partition(":")[0]).name for param in BLOCKS}
    assert "your-app.md" in pages


@pytest.mark.parametrize("block", BLOCKS)
def test_a_documented_profile_generates(block: str) -> None:
    plan = plan_profile(whole(block), "docs.yaml")
    verify(render(plan), plan.kubernetes.minors)
