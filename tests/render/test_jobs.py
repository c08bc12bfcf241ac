"""jobs: commands beside the server, each with a hardened Deployment and a Compose service, and no way in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from generator.render.render import render
from tests.fast_support import plan_of
from tests.render.test_manifest import RESTRICTED

JOBS = """\
jobs:
  - name: worker
    command: [celery, -A, tasks, worker]
    replicas: 2
    resources: {cpu: 500m, memory: 256Mi}
    graceful_timeout: 120
  - {name: scheduler, command: [sh, -c, "beat $(X) ${Y}"], resources: {cpu: 200m, cpu_request: 100m, memory: 128Mi}}
"""
GIVEN = """\
env: {GREETING: hello}
env_secrets: {URL: {secret: pg, key: uri}, KEY_FILE: {secret: pg, key: k, file: true}}
volumes: [{name: data, mount_path: /data, claim: c, access_mode: ReadWriteMany}]
"""


def objects(extra: str = "", *overrides: str) -> dict[tuple[str, str], Any]:
    plan = plan_of(JOBS + extra, *overrides)
    found = yaml.safe_load_all(render(plan)[plan.manifest])
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def pod(name: str, extra: str = "", *overrides: str) -> Any:
    return objects(extra, *overrides)["Deployment", name]["spec"]["template"]["spec"]


def services(extra: str = "", *overrides: str) -> Any:
    plan = plan_of(JOBS + extra, *overrides)
    return yaml.safe_load(render(plan)[f"{plan.folder}/compose.yaml"])["services"]


def test_each_has_a_deployment_and_a_policy_and_no_more() -> None:
    plain = plan_of()
    without = {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(render(plain)[plain.manifest])}
    assert objects().keys() - without == {
        ("Deployment", "web-worker"),
        ("Deployment", "web-scheduler"),
        ("NetworkPolicy", "web-worker"),
        ("NetworkPolicy", "web-scheduler"),
    }
    assert ("Deployment", "web-team-worker") in objects("group: team\n")


@pytest.mark.parametrize("name", ["web-worker", "web-scheduler"])
def test_it_is_hardened_as_the_app_and_has_no_probe(name: str) -> None:
    found = pod(name, GIVEN)
    (container,) = found["containers"]
    assert container["securityContext"] == RESTRICTED
    assert found["securityContext"] == pod("web", GIVEN)["securityContext"]
    assert found["automountServiceAccountToken"] is False and found["serviceAccountName"] == "web"
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
    assert not {"livenessProbe", "readinessProbe", "startupProbe", "ports", "lifecycle"} & container.keys()
    assert found["shareProcessNamespace"] is True, "else a command without a handler of its own ignores SIGTERM"


def test_it_has_the_apps_variables_and_volumes() -> None:
    section = "kubernetes: {env_from: [more], node_selector: {a: b}, priority_class: high}\n"
    app, found = pod("web", GIVEN + section), pod("web-worker", GIVEN + section)
    (container,) = found["containers"]
    names = [one["name"] for one in container["env"]]
    assert names == ["GREETING", "URL", "KEY_FILE"]
    assert container["envFrom"] == app["containers"][0]["envFrom"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "shm": "/dev/shm", "secret-files": "/run/secrets/app", "data": "/data"}
    for name in ("nodeSelector", "priorityClassName"):
        assert found[name] == app[name]


def test_its_numbers_are_its_own() -> None:
    worker, scheduler = objects()["Deployment", "web-worker"]["spec"], objects()["Deployment", "web-scheduler"]["spec"]
    assert worker["replicas"] == 2 and scheduler["replicas"] == 1
    assert worker["template"]["spec"]["terminationGracePeriodSeconds"] == 120
    assert scheduler["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert worker["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert worker["minReadySeconds"] > 0, "no probe tells that a new one lives"
    assert scheduler["strategy"] == {"type": "Recreate"}, "never two of it"
    (container,) = scheduler["template"]["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "200m", "memory": "128Mi"},
    }
    (unlimited,) = pod("web-worker", "kubernetes: {cpu_limit: none}\n")["containers"]
    assert unlimited["resources"]["limits"] == {"memory": "256Mi"}


def test_no_dollar_is_the_kubelets_or_composes() -> None:
    assert pod("web-scheduler")["containers"][0]["args"] == ["sh", "-c", "beat $$(X) $${Y}"]
    assert services()["scheduler"]["command"] == ["sh", "-c", "beat $$(X) $${Y}"]


def test_nothing_selects_its_pods_but_its_own_policy() -> None:
    found = objects("kubernetes: {egress: [{cidr: 10.0.0.0/8, port: 5432}]}\n")
    labels = found["Deployment", "web-worker"]["spec"]["template"]["metadata"]["labels"]
    policies = {key[1]: one["spec"] for key, one in found.items() if key[0] == "NetworkPolicy"}
    matching = [name for name, one in policies.items() if one["podSelector"]["matchLabels"].items() <= labels.items()]
    assert matching == ["web-worker"]
    assert policies["web-worker"]["ingress"] == [] and "Ingress" in policies["web-worker"]["policyTypes"]
    assert policies["web-worker"]["egress"] == policies["web"]["egress"], "no way to the API server"
    assert not found["Service", "web"]["spec"]["selector"].items() <= labels.items()


def test_it_waits_for_what_comes_before_the_release() -> None:
    command = "app.before_start=[flask, db, upgrade]"
    (app,) = (one for one in pod("web", "", command)["volumes"] if one["name"] == "release")
    assert app in pod("web-worker", "", command)["volumes"]
    waits = {"before-start": {"condition": "service_completed_successfully"}}
    assert services("", command)["worker"]["depends_on"] == waits
    assert "depends_on" not in services()["worker"]


def test_compose_has_it_beside_the_app() -> None:
    found = services(GIVEN)
    for name in ("worker", "scheduler"):
        for setting in ("image", "build", "env_file", "environment", "secrets", "volumes", "user", "cap_drop"):
            assert found[name][setting] == found["app"][setting], setting
        assert found[name]["healthcheck"]["test"] == ["CMD", "true"] and found[name]["restart"] == "unless-stopped"
        assert found[name]["read_only"] and "ports" not in found[name] and "sysctls" not in found[name]
    assert (found["worker"]["scale"], found["worker"]["stop_grace_period"]) == (2, "120s")
    assert (found["worker"]["cpus"], found["worker"]["mem_limit"]) == (0.5, "256m")


@pytest.mark.parametrize(("replicas", "prefix"), [(1, 28), (6, 28), (7, 27), (14, 27), (15, 26), (1000, 21)])
def test_composes_network_has_an_address_for_each(replicas: int, prefix: int) -> None:
    job = f"jobs: [{{name: w, command: [x], replicas: {replicas}, resources: {{cpu: 1, memory: 64Mi}}}}]\n"
    plan = plan_of(job, "app.before_start=[x]")
    found = yaml.safe_load(render(plan)[f"{plan.folder}/compose.yaml"])
    (network,) = found["networks"]["inside"]["ipam"]["config"]
    assert network["subnet"].endswith(f"/{prefix}") and network["ip_range"].endswith(f"/{prefix + 1}")
    assert 2 ** (31 - prefix) - 1 >= replicas + 1
