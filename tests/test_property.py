"""Whatever string a profile holds, it is refused, or it is data in every file: read back with independent parsers."""

from __future__ import annotations

import ast
import json
import shlex
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.errors import KitError, ProfileError
from generator.plan.plan import Plan
from generator.render.render import render
from generator.verify.files import verify
from tests.fast_support import HOSTILE_STRINGS, UNWRITABLE_STRINGS, assignments, instructions, plan_of, yaml_quoted

#: Every field that takes free text: the lines of a profile with the text as its value.
FIELDS = {
    "name": "name",
    "app.module": "app.module",
    "app.path": "app.path",
    "app.requirements": "app.requirements",
    "app.python_path": "app.python_path",
    "app.include": "app.include=[{}]",
    "app.build_commands": "app.build_commands=[{}]",
    "app.extras": "app.extras=[{}]",
    "app.groups": "app.groups=[{}]",
    "app.hooks": "app.hooks",
    "app.build_packages": "app.build_packages=[{}]",
    "app.runtime_packages": "app.runtime_packages=[{}]",
    "server": "server",
    "health.readiness_path": "health.readiness_path",
    "health.liveness_path": "health.liveness_path",
    "loglevel": "loglevel",
    "forwarded_allow_ips": "forwarded_allow_ips",
    "python": "python",
    "image": "image",
    "group": "group",
    "access_log": "access_log",
    "kubernetes.namespace": "kubernetes.namespace",
    "kubernetes.cpu_limit": "kubernetes.cpu_limit",
    "port": "port",
    "resources.cpu": "resources.cpu",
    "resources.memory": "resources.memory",
    "env": "env",
    "gunicorn": "gunicorn",
    "gunicorn.dogstatsd_tags": "gunicorn.dogstatsd_tags",
    "gunicorn name": "gunicorn={{{}: x}}",
    "gunicorn.dirty_apps": "gunicorn.dirty_apps=[{}]",
    "gunicorn.secure_scheme_headers": "gunicorn.secure_scheme_headers={{{}: {}}}",
}
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(HOSTILE_STRINGS + UNWRITABLE_STRINGS)
NEARLY = st.from_regex(r"[a-z0-9/._:$\\ '\"{}*-]{1,30}", fullmatch=True)
#: libyaml's parser where there is one: kubectl's is its translation to Go.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
QUICK = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def kubelet(value: str) -> str:
    """A container's environment value as the kubelet hands it over: $$ is a dollar, $(NAME) would be expanded."""
    found = ""
    while value:
        assert not value.startswith("$("), "an expansion"
        found += value[0]
        value = value[2:] if value.startswith("$$") else value[1:]
    return found


def literals(text: str) -> dict[str, Any]:
    """The settings of a configuration that are literals."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
            try:
                found[target.id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


@cache
def plain_instructions() -> int:
    """How many instructions the Dockerfile of the minimal profile has."""
    return len(instructions(render(plan_of())["docker/web/Dockerfile"]))


def read_back(plan: Plan) -> None:
    """Every string of the plan's profile, found again in what was rendered; nothing else came into being."""
    profile, files = plan.profile, render(plan)
    verify(files)
    settings_read = literals(files[f"{plan.folder}/gunicorn.conf.py"])
    assert settings_read["wsgi_app"] == profile.app.module
    assert settings_read["forwarded_allow_ips"] == profile.forwarded_allow_ips
    assert {name: settings_read[name] for name, _ in profile.gunicorn} == dict(profile.gunicorn)

    lines = instructions(files[f"{plan.folder}/Dockerfile"])
    final = lines[max(number for number, (word, _) in enumerate(lines) if word == "FROM") :]
    env = [assignments(rest) for word, rest in final if word == "ENV"]
    assert [one for one in env[1:]] == [{name: value} for name, value in profile.env]
    label, built = (assignments(rest) for word, rest in lines if word == "LABEL")
    assert label["org.opencontainers.image.title"] == profile.name
    assert built == {f"org.opencontainers.image.{name}": f"${{{name.upper()}}}" for name in ("version", "revision")}
    assert ("ARG", f'VERSION="{plan.image_version}"') in lines
    (check,) = (rest.partition(" CMD ")[2] for word, rest in lines if word == "HEALTHCHECK")
    assert tuple(json.loads(check)) == plan.probes.ready_command
    ((copied, *_),) = ([json.loads(rest)] for word, rest in lines if word == "COPY" and rest.endswith('"/app/"]'))
    assert copied == [f"{profile.app.path}/" if profile.app.path != "." else "./", "/app/"]
    extra = len(profile.env) + 3 * (plan.install.kind == "requirements")
    commands = [json.loads(rest) for word, rest in lines if word == "RUN" and rest.startswith("[")]
    assert commands == [["/bin/sh", "-ec", command] for command in profile.app.build_commands]
    extra += (1 + len(profile.env) + len(commands)) if commands else 0
    echoed = [shlex.split(rest)[1] for word, rest in lines if word == "RUN" and rest.startswith("echo ")]
    assert echoed.pop() == f"app:x:{plan.user_id}:{plan.user_id}::/tmp:/usr/sbin/nologin"
    assert echoed == [f"/app/{profile.app.python_path}".removesuffix("/.")] * bool(profile.app.python_path)
    extra += len(echoed)
    extra += bool(profile.app.build_packages) + bool(profile.app.runtime_packages)
    assert len(lines) == plain_instructions() + extra

    objects = {one["kind"]: one for one in yaml.load_all(files[plan.manifest], Loader=LOADER)}
    assert objects["ConfigMap"]["data"] == {"gunicorn.conf.py": files[f"{plan.folder}/gunicorn.conf.py"]}
    (name,) = {objects[kind]["metadata"]["name"] for kind in ("ConfigMap", "Service", "Deployment")}
    assert name in (profile.name, f"{profile.name}-{profile.group}")
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    pod_env = [(item["name"], kubelet(item["value"])) for item in container.get("env", []) if "value" in item]
    assert pod_env == list(profile.env)
    assert container["image"] == (profile.image or f"{profile.name}:dev")
    assert container["readinessProbe"]["exec"]["command"] == list(plan.probes.ready_command)
    startup, liveness = container["startupProbe"], container["livenessProbe"]
    assert startup.get("httpGet", {}).get("path") == profile.health.readiness_path
    assert liveness.get("httpGet", {}).get("path") == profile.health.liveness_path


def refused_or_data(override: str) -> None:
    try:
        plan = plan_of("", override)
    except ProfileError as error:
        assert all(fault.mark.file.startswith("--set ") or fault.mark.file == "web.yaml" for fault in error.faults)
        assert "\x1b" not in str(error)
        return
    read_back(plan)


@pytest.mark.parametrize("text", HOSTILE_STRINGS, ids=lambda text: ascii(text)[:30])
def test_a_hostile_string_is_data_everywhere_it_may_stand(text: str) -> None:
    quoted, key = yaml_quoted(text), text[:80]  # YAML allows a key of 1,024 characters
    extra = f"env: {{A: {quoted}, Z: {quoted}}}\ngunicorn: {{dogstatsd_tags: {quoted}, dirty_apps: [{quoted}], "
    plan = plan_of(f"{extra}logconfig_dict: {{{yaml_quoted(key)}: {quoted}}}}}\n")
    assert plan.profile.env == (("A", text), ("Z", text))
    assert dict(plan.profile.gunicorn) == {"dogstatsd_tags": text, "dirty_apps": [text], "logconfig_dict": {key: text}}
    read_back(plan)


@pytest.mark.parametrize("text", UNWRITABLE_STRINGS, ids=ascii)
def test_what_a_dockerfile_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="text of one line"):
        plan_of(f"env: {{A: {yaml_quoted(text)}}}\n")


@pytest.mark.parametrize("field", FIELDS)
@QUICK
@given(text=ANY_TEXT | NEARLY)
def test_any_string_in_any_field_is_refused_or_data(field: str, text: str) -> None:
    form = FIELDS[field] if "=" in FIELDS[field] else FIELDS[field] + "={}"
    quoted = yaml_quoted(text)
    refused_or_data(form.format(quoted, quoted))


@QUICK
@given(env=st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), ANY_TEXT, max_size=4))
def test_any_environment(env: dict[str, str]) -> None:
    refused_or_data("env={" + ", ".join(f"{name}: {yaml_quoted(value)}" for name, value in env.items()) + "}")


@settings(QUICK, max_examples=150)
@given(text=st.text(max_size=200) | st.text(alphabet="abc:-{}[]#&*!|>'\"\\%@` \n\t0", max_size=60))
def test_any_file_is_refused_or_read(text: str) -> None:
    for base in (text, "name: web\n" + text):
        try:
            plan_of(base=base)
        except KitError as error:
            assert str(error)
