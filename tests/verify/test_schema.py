"""The compiled schemas: the same answers as jsonschema's, kept by content, made again when what is kept is spoilt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.render.render import render
from generator.verify import schema as verify_schema
from generator.verify.schema import is_valid, schema_problems
from tests.fast_support import plan_of

DEPLOYMENT = ("apps/v1", "Deployment")


@pytest.fixture
def deployment() -> Any:
    plan = plan_of()
    documents = yaml.safe_load_all(render(plan)[plan.manifest])
    return next(document for document in documents if document["kind"] == "Deployment")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(verify_schema, "CACHE", tmp_path / "schemas")
    is_valid.cache_clear()
    yield tmp_path / "schemas"
    is_valid.cache_clear()


def test_compiled_once_and_kept(cache: Path, deployment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_valid("1.30")(DEPLOYMENT, deployment)
    (kept,) = cache.iterdir()
    assert kept.name.startswith("1.30-")
    is_valid.cache_clear()
    monkeypatch.setattr(verify_schema, "_compile", None)
    assert is_valid("1.30")(DEPLOYMENT, deployment), "from what is kept, without compiling again"


@pytest.mark.parametrize("spoilt", [b"", b"no bytecode", b"\0" * 64])
def test_what_is_spoilt_is_made_again(cache: Path, deployment: Any, spoilt: bytes) -> None:
    is_valid("1.30")
    (kept,) = cache.iterdir()
    whole = kept.stat().st_size
    kept.write_bytes(spoilt)
    is_valid.cache_clear()
    assert is_valid("1.30")(DEPLOYMENT, deployment)
    assert kept.stat().st_size == whole


def test_a_checkout_that_cannot_be_written_only_costs_time(cache: Path, deployment: Any) -> None:
    cache.write_text("a file where the folder would be")
    assert is_valid("1.30")(DEPLOYMENT, deployment)


#: (where, value): each must be refused by the quick answer, and told by the thorough one.
WRONG = [
    (("spec", "replicas"), True),
    (("spec", "replicas"), 1.5),
    (("spec", "unknown"), 1),
    (("spec", "template", "spec", "containers"), {}),
    (("spec", "selector"), "app=web"),
    (("metadata", "labels"), {"a": 1}),
    (("spec", "strategy", "rollingUpdate", "maxSurge"), []),
]


@pytest.mark.parametrize(("where", "value"), WRONG, ids=[".".join(where) for where, _ in WRONG])
def test_quick_and_thorough_answer_agree(deployment: Any, where: tuple[str, ...], value: object) -> None:
    section = deployment
    for name in where[:-1]:
        section = section[name]
    section[where[-1]] = value
    assert not is_valid("1.30")(DEPLOYMENT, deployment)
    assert list(schema_problems(deployment, ("1.30",)))


def test_the_quick_answer_never_hides_an_error(deployment: Any) -> None:
    assert is_valid("1.30")(DEPLOYMENT, deployment) and list(schema_problems(deployment, ("1.30", "1.37"))) == []
