"""Named values of the plan that no other table covers."""

from __future__ import annotations

import pytest

from generator.plan.explain import explanation
from tests.fast_support import MINIMAL, plan_of

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


@pytest.mark.parametrize(
    ("server", "path", "warned"),
    [
        ("meinheld", "/healthz", True),
        ("sync", "/healthz", True),
        ("gevent", "/healthz", False),
        ("meinheld", None, False),
    ],
)
def test_a_page_for_liveness_that_a_busy_worker_cannot_answer_is_warned_of(
    server: str, path: str | None, warned: bool
) -> None:
    more = "workers: 8\nproxy: true\n" if server == "sync" else ""
    health = f"health: {{liveness_path: {path}}}\n" if path else "health: {readiness_path: /readyz}\n"
    base = MINIMAL.replace("server: gevent", f"server: {server}").replace("512Mi", "2Gi")
    warnings = explanation(plan_of(more + health, base=base))["warnings"]
    assert any("health.liveness_path" in text and server in text for text in warnings) == warned
