"""app.before_start: a Job of each release's own, for which its pods wait; an init container where it cannot be one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from generator.render.render import render
from tests.fast_support import plan_of
from tests.render.test_manifest import RESTRICTED

COMMAND = "app.before_start=[flask, db, upgrade]"


def objects(extra: str = "", *overrides: str) -> dict[tuple[str, str], Any]:
    plan = plan_of(extra, COMMAND, *overrides)
    found = yaml.safe_load_all(render(plan)[plan.manifest])
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def job(extra: str = "", *overrides: str) -> Any:
    return next(one for (kind, _), one in objects(extra, *overrides).items() if kind == "Job")


def name(extra: str = "", *overrides: str) -> str:
    return str(job(extra, *overrides)["metadata"]["name"])


def compose(extra: str = "", *overrides: str) -> Any:
    plan = plan_of(extra, COMMAND, *overrides)
    return yaml.safe_load(render(plan)[f"{plan.folder}/compose.yaml"])


def test_what_it_needs_comes_before_the_pods_that_wait_for_it() -> None:
    kinds = [kind for kind, _ in objects()]
    before = ["ConfigMap", "Role", "RoleBinding", "NetworkPolicy", "Job", "Deployment"]
    assert kinds == [
        *("ServiceAccount", "ConfigMap", "Service", *before),
        *("HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"),
    ]
    plain = plan_of()
    assert "before-start" not in render(plain)[plain.manifest]


#: Another release, or the same one: what is not the Job's is no reason to run it again.
RELEASES = [
    ((), True),
    (("app.before_start=[flask, db, upgrade, head]",), False),
    (("image=registry.example/web:2",), False),
    (("env={A: b}",), False),
    (("connections=1000",), True),
    (("kubernetes.replicas=3",), True),
    (("kubernetes.patches=[{op: add, path: /Service/spec/x, value: 1, why: y}]",), True),
    (("kubernetes.patches=[{op: add, path: /Job/spec/suspend, value: false, why: y}]",), False),
]


@pytest.mark.parametrize(("overrides", "same"), RELEASES)
def test_a_release_is_what_its_job_says(overrides: tuple[str, ...], same: bool) -> None:
    assert (name("", *overrides) == name()) is same


@pytest.mark.parametrize("section", ["", "kubernetes: {proxy: true}\n", "group: team\nimage: r.example/a:1\n"])
def test_pods_wait_for_the_key_that_the_job_marks(section: str) -> None:
    found = objects(section)
    app = next(key for key in found if key[0] == "Deployment")[1]
    job_name = next(key for key in found if key[0] == "Job")[1]
    release = job_name.rpartition("-")[2]
    pod = found["Deployment", app]["spec"]["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if one["name"] == "release")
    assert volume["configMap"] == {
        "name": f"{app}-before-start",
        "items": [{"key": release, "path": release}],
        "optional": False,
    }
    assert "release" in [one["name"] for one in pod["containers"][0]["volumeMounts"]], "else the kubelet ignores it"
    (mark,) = found["Job", job_name]["spec"]["template"]["spec"]["containers"]
    assert mark["args"][:2] == [f"{app}-before-start", release]
    assert "data" not in found["ConfigMap", f"{app}-before-start"], "applying it again must not remove a key"


def test_the_token_is_beside_the_command_and_may_do_one_thing() -> None:
    found, pod = objects(), job()["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    (command,), (mark,) = pod["initContainers"], pod["containers"]
    assert "token" not in [one["name"] for one in command["volumeMounts"]]
    assert [one["name"] for one in mark["volumeMounts"]] == ["token"]
    (rule,) = found["Role", "web-before-start"]["rules"]
    assert rule == {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["web-before-start"],
        "verbs": ["patch"],
    }
    binding = found["RoleBinding", "web-before-start"]
    assert binding["roleRef"]["name"] == "web-before-start"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "web"}]


def test_the_job_is_hardened_as_the_app_and_never_repeats_itself() -> None:
    found = job("volumes: [{name: data, mount_path: /data, claim: c, access_mode: ReadWriteMany}]\n")
    assert found["spec"]["backoffLimit"] == 0 and found["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    pod = found["spec"]["template"]["spec"]
    for each in (*pod["initContainers"], *pod["containers"]):
        assert each["securityContext"] == RESTRICTED
        assert each["resources"]["requests"]["memory"] == each["resources"]["limits"]["memory"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["fsGroup"]
    mounts = {one["name"]: one["mountPath"] for one in pod["initContainers"][0]["volumeMounts"]}
    assert mounts["data"] == "/data" and mounts["tmp"] == "/tmp"


def test_the_command_has_the_apps_variables_and_no_dollar_is_the_kubelets() -> None:
    command = job(
        "env: {GREETING: hello}\nenv_secrets: {URL: {secret: pg, key: uri}}\nkubernetes: {env_from: [more]}\n",
        'app.before_start=[sh, -c, "echo $(HOME) $$"]',
    )["spec"]["template"]["spec"]["initContainers"][0]
    assert [one["name"] for one in command["env"]] == ["GREETING", "URL"]
    assert command["envFrom"] == [{"secretRef": {"name": "more", "optional": False}}]
    assert command["args"] == ["sh", "-c", "echo $$(HOME) $$$$"]
    assert command["command"][-3:-1] == ["run", "/etc/kit/release"]


def test_no_selector_of_the_app_takes_the_jobs_pods() -> None:
    found = objects()
    labels = job()["spec"]["template"]["metadata"]["labels"]
    for kind, path in (("Service", ()), ("PodDisruptionBudget", ("matchLabels",)), ("Deployment", ("matchLabels",))):
        selector = found[kind, "web"]["spec"]["selector"]
        for step in path:
            selector = selector[step]
        assert not selector.items() <= labels.items(), kind


def test_nothing_connects_to_it_and_it_reaches_the_api() -> None:
    policy = objects("kubernetes: {egress: [{cidr: 10.0.0.0/8, port: 5432}]}\n")["NetworkPolicy", "web-before-start"]
    assert policy["spec"]["ingress"] == []
    ports = [one["port"] for rule in policy["spec"]["egress"] for one in rule["ports"]]
    assert {443, 6443, 53, 5432} == set(ports)
    open_policy = objects()["NetworkPolicy", "web-before-start"]["spec"]
    assert open_policy["policyTypes"] == ["Ingress"] and "egress" not in open_policy


SINGLE = "volumes: [{name: data, mount_path: /data, claim: c}]\nkubernetes: {replicas: 1}\n"


def test_the_only_pod_of_a_claim_runs_it_itself() -> None:
    """A Job beside it could not mount the claim, or would find it in use."""
    found = objects(SINGLE)
    assert not {kind for kind, _ in found} & {"Job", "Role", "RoleBinding"}
    deployment = found["Deployment", "web"]["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}
    (init,) = deployment["template"]["spec"]["initContainers"]
    assert init["args"] == ["flask", "db", "upgrade"] and "command" not in init
    assert "/data" in [one["mountPath"] for one in init["volumeMounts"]]
    assert init["securityContext"] == RESTRICTED
    first, *_ = objects(SINGLE, "kubernetes.proxy=true")["Deployment", "web"]["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert first["name"] == "before-start", "before the sidecars, too"


def test_compose_starts_the_app_when_it_has_succeeded() -> None:
    services = compose("env_secrets: {A_FILE: {secret: s, key: k, file: true}}\n", 'app.before_start=[echo, "$X"]')[
        "services"
    ]
    assert services["app"]["depends_on"] == {"before-start": {"condition": "service_completed_successfully"}}
    step = services["before-start"]
    assert step["command"] == ["echo", "$$X"]
    assert step["restart"] == "no" and step["healthcheck"] == {"disable": True}
    for setting in ("image", "build", "pull_policy", "env_file", "environment", "secrets", "user", "read_only"):
        assert step[setting] == services["app"][setting], setting
    for setting in ("cap_drop", "security_opt", "mem_limit", "cpus"):
        assert step[setting] == services["app"][setting], setting
    plain = plan_of()
    assert "before-start" not in render(plain)[f"{plain.folder}/compose.yaml"]


def test_no_container_takes_the_addresses_that_the_app_and_its_proxy_have() -> None:
    found = compose()
    (network,) = found["networks"]["inside"]["ipam"]["config"]
    assert network["subnet"].endswith("/28") and network["ip_range"].endswith("/29")
    assert network["ip_range"].rpartition(".")[0] == network["subnet"].rpartition(".")[0]
    low = int(network["ip_range"].rpartition("/")[0].rpartition(".")[2])
    for service in ("app", "proxy"):
        address = found["services"][service]["networks"]["inside"]["ipv4_address"]
        assert int(address.rpartition(".")[2]) < low
    assert (
        compose("proxy_subnet: 10.9.0.0/16\n")["networks"]["inside"]["ipam"]["config"][0]["ip_range"] == "10.9.128.0/17"
    )
