"""Patches change what is generated, keep its comments, say why, and are verified; one that matches nothing is told."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from generator.errors import Mark, ProfileError
from generator.plan.probes import EXEC_TIMEOUT_SECONDS
from generator.profile.kubernetes import Patch
from generator.render.patches import apply_patches
from generator.render.render import render
from tests.fast_support import plan_of


def manifest(*patches: str) -> str:
    listed = "".join(f"    - {patch}\n" for patch in patches)
    plan = plan_of(f"kubernetes:\n  patches:\n{listed}" if patches else "")
    return render(plan)[plan.manifest]


def changes(*patches: str) -> list[str]:
    lines = difflib.ndiff(manifest().splitlines(), manifest(*patches).splitlines())
    return sorted(line for line in lines if line[0] in "+-")


def above(key: str) -> list[str]:
    """The lines of comment right above a key."""
    lines = manifest().splitlines()
    at = end = next(number for number, line in enumerate(lines) if line.strip() == f"{key}:")
    while lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return lines[at:end]


POD = "/Deployment/spec/template/spec"

#: (patch, the lines that differ)
CHANGES = [
    (
        f"{{op: add, path: {POD}/priorityClassName, value: web, why: web comes first}}",
        ["+       # web comes first", "+       priorityClassName: web"],
    ),
    (
        f"{{op: replace, path: {POD}/containers/0/readinessProbe/periodSeconds, value: 20, why: a slow page}}",
        ["-             periodSeconds: 5", "+             # a slow page", "+             periodSeconds: 20"],
    ),
    (
        "{op: add, path: /NetworkPolicy/spec/ingress/0/ports/-, value: {port: 9000}, why: debugging}",
        ["+         # debugging", "+         - port: 9000"],
    ),
    (
        '{op: add, path: /Service/metadata/labels/a.b~1c, value: "on", why: a label of theirs}',
        ["+     # a label of theirs", '+     a.b/c: "on"'],
    ),
    (
        f"{{op: remove, path: {POD}/enableServiceLinks, why: they are wanted}}",
        [
            "+ # Without /Deployment/spec/template/spec/enableServiceLinks, by the profile: they are wanted",
            next(f"- {line}" for line in manifest().splitlines() if "variables for other Services" in line),
            "-       enableServiceLinks: false",
        ],
    ),
    (  # the comment that follows belongs to the next field, and stays there
        f"{{op: add, path: {POD}/containers/0/securityContext/privileged, value: false, why: said twice}}",
        ["+             # said twice", "+             privileged: false"],
    ),
    (
        f"{{op: replace, path: {POD}/containers/0/securityContext, value: {{privileged: false}}, why: less}}",
        [
            "+           # less",
            "+             privileged: false",
            "-             allowPrivilegeEscalation: false",
            "-             capabilities:",
            "-             readOnlyRootFilesystem: true",
            "-               drop:",
            "-                 - ALL",
        ],
    ),
    (
        f"{{op: remove, path: {POD}/containers/0/livenessProbe, why: it only restarts}}",
        [
            "+ # Without /Deployment/spec/template/spec/containers/0/livenessProbe, by the profile: it only restarts",
            *(f"- {line}" for line in above("livenessProbe")),
            "-           livenessProbe:",
            "-             exec:",
            "-               command:",
            *(f"-                 - {word}" for word in ("/opt/venv/bin/python", '"-P"', '"-m"', "kit_runtime.health")),
            "-                 - master",
            '-                 - "10"',
            "-             periodSeconds: 20",
            f"-             timeoutSeconds: {EXEC_TIMEOUT_SECONDS}",
            "-             failureThreshold: 2",
        ],
    ),
]


@pytest.mark.parametrize(("patch", "lines"), CHANGES)
def test_only_the_patched_lines_differ(patch: str, lines: list[str]) -> None:
    assert changes(patch) == sorted(lines)


def test_an_untouched_manifest_survives_the_round_trip_of_every_document() -> None:
    kinds = [line.removeprefix("kind: ") for line in manifest().splitlines() if line.startswith("kind: ")]
    for kind in kinds:
        patch = f"{{op: add, path: /{kind}/metadata/labels/x, value: yes sir, why: z}}"
        assert changes(patch) == ["+     # z", '+     x: "yes sir"']


def test_a_new_entry_anywhere_takes_no_comment_from_its_field() -> None:
    """Each comment still stands above the line that it stood above, whichever mapping or list has grown."""
    text = manifest()
    pairs = _commented(text)
    document = next(d for d in yaml.safe_load_all(text) if d["kind"] == "Deployment")
    paths = list(_containers(document, "/Deployment"))
    assert len(paths) > 30
    for path, step in paths:
        patch = Patch(
            mark=Mark("x"), places={"value": Mark("x")}, op="add", path=f"{path}/{step}", why="why not", value="new"
        )
        assert [pair for pair in _commented(apply_patches(text, (patch,))) if pair[0] != "# why not"] == pairs, path


def _containers(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        yield path, "-" if isinstance(value, list) else "added"
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _containers(item, f"{path}/{str(key).replace('/', '~1')}")


def _commented(text: str) -> list[tuple[str, str]]:
    """(comment, the next line that is none) of every comment line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found, below = [], ""
    for line in reversed(lines):
        if line.startswith("#"):
            found.append((line, below))
        else:
            below = line
    return found


def test_patches_apply_in_their_order() -> None:
    text = manifest(
        f"{{op: add, path: {POD}/tolerations, value: [{{key: a, operator: Exists}}], why: nodes of ours}}",
        f"{{op: add, path: {POD}/tolerations/0, value: {{key: b, operator: Exists}}, why: and of theirs}}",
        f"{{op: replace, path: {POD}/tolerations/1/operator, value: Equal, why: only this one}}",
    )
    deployment = next(d for d in yaml.safe_load_all(text) if d["kind"] == "Deployment")
    keys = [(t["key"], t["operator"]) for t in deployment["spec"]["template"]["spec"]["tolerations"]]
    assert keys == [("b", "Exists"), ("a", "Equal")]


#: (patch, what is said to be there)
NOWHERE = [
    ("{op: replace, path: /Service/spec/portz, value: 1, why: x}", "one of selector, ports, where 'portz' stands"),
    ("{op: remove, path: /Service/spec/ports/3, why: x}", "a number from 0 to 0 where '3' stands"),
    ("{op: add, path: /Service/spec/ports/3, value: 1, why: x}", "a number from 0 to 1, or - for the end"),
    ("{op: add, path: /Service/spec/port/0, value: 1, why: x}", "one of selector, ports, where 'port' stands"),
    ("{op: add, path: /Servic/spec/x, value: 1, why: x}", "one of ServiceAccount, ConfigMap, Service"),
    ("{op: add, path: /Service/kind/x, value: 1, why: x}", "a field of a mapping or list"),
]


@pytest.mark.parametrize(("patch", "allowed"), NOWHERE)
def test_a_patch_that_matches_nothing_is_reported(patch: str, allowed: str) -> None:
    with pytest.raises(ProfileError) as caught:
        manifest(patch)
    (fault,) = caught.value.faults
    assert fault.path == "kubernetes.patches.0.path" and str(fault.mark) == "web.yaml:8:7"
    assert "matches nothing" in fault.given and allowed in fault.allowed


def test_all_that_match_nothing_are_reported_at_once() -> None:
    patches = plan_of(
        "kubernetes:\n  patches:\n"
        "    - {op: remove, path: /Service/spec/a, why: x}\n"
        "    - {op: remove, path: /Service/spec/b, why: x}\n",
    ).profile.kubernetes.patches
    with pytest.raises(ProfileError) as caught:
        apply_patches(manifest(), patches)
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("value", ["on", "1", "a: b", "# no comment", "é", "null", "line\\nbreak"])
def test_text_stays_text(value: str) -> None:
    text = manifest(f'{{op: add, path: /Service/metadata/annotations, value: {{k: "{value}"}}, why: x}}')
    service = next(d for d in yaml.safe_load_all(text) if d["kind"] == "Service")
    assert service["metadata"]["annotations"] == {"k": value.replace("\\n", "\n")}


#: Plain scalars as YAML 1.2 reads them.
@pytest.mark.parametrize(("given", "value"), [("true", True), ("7", 7), ("0.5", 0.5), ("off", "off"), ("'7'", "7")])
def test_plain_values_have_their_type(given: str, value: object) -> None:
    text = manifest(f"{{op: add, path: /Service/spec/x, value: {given}, why: x}}")
    assert next(d for d in yaml.safe_load_all(text) if d["kind"] == "Service")["spec"]["x"] == value


JOBS = "app.before_start=[flask, db, upgrade]"


@pytest.mark.parametrize(("given", "changed"), [("", "web"), ("name: web-before-start, ", "web-before-start")])
def test_a_name_says_which_of_several_objects_is_meant(given: str, changed: str) -> None:
    patch = f"{{op: add, path: /NetworkPolicy/metadata/labels/x, {given}value: y, why: z}}"
    plan = plan_of(f"kubernetes:\n  patches:\n    - {patch}\n", JOBS)
    documents = yaml.safe_load_all(render(plan)[plan.manifest])
    policies = [one["metadata"] for one in documents if one["kind"] == "NetworkPolicy"]
    assert len(policies) == 2
    assert [one["name"] for one in policies if one["labels"].get("x")] == [changed]


def test_a_name_that_no_object_has_is_reported_with_those_that_there_are() -> None:
    with pytest.raises(ProfileError) as caught:
        plan = plan_of(
            "kubernetes:\n  patches: [{op: add, path: /ConfigMap/data/x, name: wob, value: y, why: z}]\n", JOBS
        )
        render(plan)
    assert "with name one of web, web-before-start, where 'wob' stands" in str(caught.value)
