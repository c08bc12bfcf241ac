"""Every fault has a code of the table, every code of the table is provoked here, and --json says the same."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.containers.command import EngineError
from generator.errors import FAULT_KINDS, KitError, OwnFault, ProfileError, TargetError
from generator.pipeline import plan_profile
from generator.proof.kubectl import NotOnCluster
from generator.render.render import render
from tests.fast_support import MINIMAL, ROOT

JOB = "command: ['true'], resources: {cpu: 1, memory: 64Mi}"
TWO_VOLUMES = "[{name: a, mount_path: /a, claim: x}, {name: a, mount_path: /b, claim: y}]"

#: What is added to MINIMAL, or --set, and the code of the one fault that it makes.
PROVOKED = [
    ("x: [", (), "K001"),
    ("env: &anchor {A: b}\n", (), "K002"),
    ("name: twice\n", (), "K003"),
    ("conections: 5\n", (), "K004"),
    ("", ("resources={cpu: 1}",), "K005"),
    ("kubernetes: {allowed_cidrs: [{cidr: 10.7.0.0/24}], route: {kind: ingress}}\n", (), "K005"),
    ("kubernetes: {metrics: prometheus}\n", (), "K005"),
    ("", ("port=1",), "K006"),
    ("jobs: [{name: a, command: [-x], resources: {cpu: 1, memory: 64Mi}}]\n", (), "K006"),
    ("kubernetes: {affinity: [a]}\n", (), "K006"),
    ("", ("port",), "K007"),
    ("", ("server=gevnet",), "K010"),
    ("threads: 4\n", (), "K011"),
    ("", ("server=flask", "app.before_start=[flask, db]"), "K011"),
    ("kubernetes: {metrics: prometheus, metrics_image: x/y}\n", ("server=pywsgi",), "K011"),
    ("max_requests_jitter: 5\n", (), "K012"),
    ("", ("resources.memory=70Mi",), "K013"),
    ("jobs: [{name: a, command: ['true'], resources: {cpu: 1, memory: 20Mi}}]\n", (), "K013"),
    ("env: {DB_PASSWORD: hunter2}\n", (), "K014"),
    ("env: {WEB_CONCURRENCY: 3}\n", (), "K015"),
    ("env_secrets: {PORT: {secret: shop, key: port}}\n", (), "K015"),
    (f"jobs: [{{name: app, {JOB}}}]\n", (), "K015"),
    (f"jobs: [{{name: a, {JOB}}}, {{name: a, {JOB}}}]\n", (), "K016"),
    ("env: {A: b}\nenv_secrets: {A: {secret: shop, key: a}}\n", (), "K016"),
    (f"volumes: {TWO_VOLUMES}\n", ("kubernetes.replicas=1",), "K016"),
    (f"jobs: [{{name: {'j' * 37}, {JOB}}}]\n", ("name=" + "n" * 40,), "K017"),
    ("kubernetes: {allowed_namespaces: [a], route: {kind: ingress, host: a.b}}\n", (), "K018"),
    ("kubernetes: {allowed_cidrs: [{cidr: 0.0.0.0/0, proxy: true}]}\n", (), "K018"),
    ("volumes: [{name: a, mount_path: /a, claim: x}]\n", ("kubernetes.replicas=2",), "K019"),
    ("", ("app.requirements=none.txt",), "K020"),
    ("kubernetes: {patches: [{op: replace, path: /Deployment/spec/nope, value: 1, why: x}]}\n", (), "K030"),
]
#: Of errors that are no fault of a profile: the class says which.
CLASSES = {"K090": KitError, "K091": TargetError, "K092": EngineError, "K093": NotOnCluster, "K099": OwnFault}


@pytest.mark.parametrize(
    ("added", "overrides", "code"), PROVOKED, ids=[f"{row[2]}-{number}" for number, row in enumerate(PROVOKED)]
)
def test_a_fault_has_the_code_of_its_kind(added: str, overrides: tuple[str, ...], code: str) -> None:
    with pytest.raises(ProfileError) as raised:
        render(plan_profile(MINIMAL + added, "web.yaml", overrides, ROOT))
    assert {fault.code for fault in raised.value.faults} == {code}, str(raised.value)
    assert f"[{code}]\n" in str(raised.value)


def test_every_code_is_provoked_by_a_case_or_a_class() -> None:
    assert {code for *_, code in PROVOKED} | CLASSES.keys() == FAULT_KINDS.keys()
    assert {code: kind.code for code, kind in CLASSES.items()} == {code: code for code in CLASSES}


def test_every_code_that_the_source_names_is_in_the_table() -> None:
    rooms = [path for path in (ROOT / "generator").rglob("*.py") if path.parts[-2] != "audit"]
    named = {
        node.value
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"K0\d\d", node.value)
    }
    assert named == FAULT_KINDS.keys()


def test_each_code_has_its_section() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (K\d+)$", page, re.MULTILINE) == list(FAULT_KINDS)


@pytest.mark.parametrize("command", ["generate", "check", "explain"])
def test_json_is_one_object_a_fault(command: str, tmp_path: Path) -> None:
    profile = tmp_path / "web.yaml"
    profile.write_text(MINIMAL.replace("name: web", "name: Web") + "conections: 5\n")
    found = CliRunner().invoke(commands, [command, "--json", str(profile)])
    faults = [json.loads(line) for line in found.stdout.splitlines()]
    assert (found.exit_code, found.stderr) == (2, "")
    assert [(fault["code"], fault["line"], fault["column"], fault["setting"]) for fault in faults] == [
        ("K006", 1, 7, "name"),
        ("K004", 6, 1, "conections"),
    ]
    assert {"file", "given", "allowed", "remedy", "docs"} <= faults[0].keys()
    assert faults[0]["docs"] == "docs/errors.md#k006"


def test_json_of_what_is_no_fault_of_a_profile() -> None:
    found = CliRunner().invoke(commands, ["explain", "--json", "none.yaml"])
    assert (found.exit_code, found.stderr) == (2, "")
    assert json.loads(found.stdout)["code"] == "K090"


def test_a_secret_is_in_no_json(tmp_path: Path) -> None:
    profile = tmp_path / "web.yaml"
    profile.write_text(MINIMAL + "env: {DB_PASSWORD: hunter2}\n")
    found = CliRunner().invoke(commands, ["check", "--json", str(profile)])
    assert json.loads(found.stdout)["code"] == "K014"
    assert "hunter2" not in found.output
