"""Every rule of the manifests' checks has a manifest that it refuses: one mutation of a really generated file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from generator.errors import KitError, OwnFault
from generator.profile.kubernetes import MINORS
from generator.render.render import render
from generator.verify.files import verify
from generator.verify.manifest import manifest_problems
from tests.fast_support import SHIPPED, plan_of
from tests.verify.broken import BESIDE, BROKEN, COMMAND, FIXED, HTTPROUTE, INGRESS, bundled_minors

BOTH = ("1.30", "1.37")


@cache
def manifest(extra: str) -> str:
    plan = plan_of(extra, *([COMMAND] if extra == BESIDE else []))
    return render(plan)[plan.manifest]


def problems(extra: str, old: str, new: str, minors: tuple[str, ...] = BOTH) -> list[str]:
    text = manifest(extra)
    assert old in text, "the mutation must meet something"
    return list(manifest_problems(text.replace(old, new, 1), minors))


@pytest.mark.parametrize("extra", [INGRESS, HTTPROUTE, FIXED, BESIDE])
def test_generated_manifests_are_accepted(extra: str) -> None:
    assert list(manifest_problems(manifest(extra), BOTH)) == []


def test_minors_are_those_whose_schemas_are_installed() -> None:
    assert MINORS[-1] == bundled_minors()[-1]
    assert set(MINORS) <= set(bundled_minors())


@pytest.mark.parametrize(
    ("extra", "old", "new", "message"), BROKEN, ids=[f"{row[3]}-{n}" for n, row in enumerate(BROKEN)]
)
def test_one_mutation_is_refused(extra: str, old: str, new: str, message: str) -> None:
    found = problems(extra, old, new)
    assert any(message in problem for problem in found), found


def test_a_missing_object_is_named() -> None:
    documents = [text for text in manifest(FIXED).split("\n---\n") if "kind: ServiceAccount\n" not in text]
    assert list(manifest_problems("\n---\n".join(documents), BOTH)) == ["ServiceAccount: is missing"]


def test_every_error_is_listed_with_its_place() -> None:
    text = manifest(FIXED).replace("replicas: 2", 'replicas: "two"').replace("readinessProbe:", "readynessProbe:")
    plan = plan_of(FIXED)
    with pytest.raises(OwnFault) as caught:
        verify({plan.manifest: text}, BOTH)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("k8s/web.yaml: document 4 (Deployment web): spec.") for line in lines)


def test_a_field_is_judged_by_the_oldest_minor_too() -> None:
    text = ("  unhealthyPodEvictionPolicy: AlwaysAllow\n", "  unhealthyPodEvictionPolicy: AlwaysAllow\n  later: 1\n")
    assert "schema of Kubernetes 1.30" in problems(INGRESS, *text, minors=("1.30",))[0]
    assert "schema of Kubernetes 1.37" in problems(INGRESS, *text, minors=("1.37",))[0]


def test_without_the_schema_stage_the_other_rules_stay() -> None:
    assert problems(INGRESS, "readinessProbe:", "readynessProbe:", minors=()) == []
    found = problems(INGRESS, "targetPort: http", "targetPort: web", minors=())
    assert found and "no port is named 'web'" in found[0]
    assert (
        "not as the schema has it"
        in problems(INGRESS, "    spec:\n      service", "    sp:\n      service", minors=())[0]
    )


def test_a_kit_without_a_mistake_of_its_own_blames_the_patch() -> None:
    plan = plan_of(FIXED)
    broken = {plan.manifest: manifest(FIXED).replace("replicas: 2", "replicas: two")}
    with pytest.raises(KitError) as caught:
        verify(broken, BOTH, patched=True)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_profiles_fit_every_minor(path: Path) -> None:
    plan = plan_of(base=path.read_text())
    files = render(plan)
    if plan.server.production:
        assert list(manifest_problems(files[plan.manifest], tuple(MINORS[3:]))) == []
