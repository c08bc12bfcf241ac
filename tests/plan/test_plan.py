"""Named values of the plan that no other table covers."""

from __future__ import annotations

import pytest

from tests.fast_support import plan_of

DIGEST = "@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (None, "dev"),
        ("shop", ""),
        ("shop:1.4.2", "1.4.2"),
        ("registry.example.com:5000/team/shop", ""),
        ("registry.example.com:5000/team/shop:2026-11", "2026-11"),
        (f"registry.example.com/shop{DIGEST}", ""),
        (f"registry.example.com:5000/shop:1.4{DIGEST}", "1.4"),
    ],
)
def test_the_images_version_is_its_tag(image: str | None, version: str) -> None:
    assert plan_of("" if image is None else f"image: {image}\n").image_version == version
