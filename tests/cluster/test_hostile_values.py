"""Names and values that break something elsewhere: what the kit lets pass, an API server takes, and keeps as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from generator.errors import ProfileError
from generator.render.render import render
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy
from tests.cluster.node.build import HTTPROUTE
from tests.fast_support import HOSTILE_STRINGS, plan_of, yaml_quoted

#: What is special to a cluster: lengths beside their limits, shapes of names, words that YAML reads otherwise.
NAMES = (
    *(letter * length for letter in "a7A" for length in (1, 40, 41, 63, 64, 253, 254, 256, 257, 317, 318)),
    *(".".join([part] * number) for part in ("a" * 63, "a" * 64, "a") for number in (2, 3, 4, 100, 127)),
    *("a.b", "a..b", ".a", "a.", "-a", "a-", "a_b", "_a", "_", "A", "aB", "1a", "1", "0", "a--b", "a/b", "a/", "/a"),
    *("on", "y", "1.0", "1e3", "0x1", "0o7", "+1", "-1", "Null", "NaN", "..data", "..", ".", "...", "a/b/c", "//"),
    *("*.a.example", "*", "a.*", "a.example.", "A.example", "kubernetes.io/a", "k8s.io/a", "x.k8s.io/gpu"),
    *(f"a.example/{'a' * length}" for length in (63, 64, 200, 253)),
    *(f"{'a' * length}.example/gpu" for length in (55, 56, 63, 64, 236, 237, 245, 246)),
    *("requests.a.example/gpu", "hugepages-2Mi", "nvidia.com/gpu", "a.kubernetes.io/gpu", "cpu", "memory"),
    *("/data", "/data/", "/data//a", "/data/../etc", "/data/./a", "/..a", "/a:b", "/a b", "/-", f"/{'a' * 500}"),
    *("/tmp", "/app/data", "/etc/kit", "/proc", "/dev/shm", "/etc/passwd", "/opt/venv", "/app", "/var/run/secrets"),
    *("PATH", "HOME", "LD_PRELOAD", "KUBERNETES_SERVICE_HOST", "GUNICORN_CMD_ARGS", "PYTHONPATH", "KIT_CPU_MILLICORES"),
    *("tmp", "shm", "configuration", "proxy-tmp", "release", "secrets", "statsd", "app", "proxy", "http"),
)
_INGRESS = "kubernetes: {allowed_namespaces: [a], route: {kind: ingress"
_HTTPROUTE = "kubernetes: {allowed_namespaces: [a], route: {kind: httproute"
#: What a profile says with the text in its place, and the kind of the object that it gets into.
FIELDS = {
    "volume name": ("volumes: [{name: TEXT, mount_path: /data, secret: s}]", "Deployment"),
    "volume folder": ("volumes: [{name: a, mount_path: TEXT, secret: s}]", "Deployment"),
    "volume secret": ("kubernetes: {volumes: [{name: a, mount_path: /data, secret: TEXT}]}", "Deployment"),
    "volume ConfigMap": ("kubernetes: {volumes: [{name: a, mount_path: /data, config_map: TEXT}]}", "Deployment"),
    "volume claim": ("kubernetes: {volumes: [{name: a, mount_path: /data, claim: TEXT}]}", "Deployment"),
    "volume beside another": (
        "kubernetes: {volumes: [{name: TEXT, mount_path: /a, secret: s}, {name: b, mount_path: /b, size: 1Mi}]}",
        "Deployment",
    ),
    "variable": ("env: {TEXT: a}", "Deployment"),
    "value": ("env: {A: TEXT}", "Deployment"),
    "secret variable": ("env_secrets: {TEXT: {secret: s, key: k}}", "Deployment"),
    "secret": ("env_secrets: {A: {secret: TEXT, key: k}}", "Deployment"),
    "secret key": ("env_secrets: {A: {secret: s, key: TEXT}}", "Deployment"),
    "secret file": ("env_secrets: {A: {secret: s, key: TEXT, file: true}}", "Deployment"),
    "env_from secret": ("kubernetes: {env_from: [TEXT]}", "Deployment"),
    "env_from ConfigMap": ("kubernetes: {env_from: [{config_map: TEXT}]}", "Deployment"),
    "env_from prefix": ("kubernetes: {env_from: [{secret: s, prefix: TEXT}]}", "Deployment"),
    "pod annotation": ("kubernetes: {pod_annotations: {TEXT: a}}", "Deployment"),
    "pod annotation value": ("kubernetes: {pod_annotations: {a: TEXT}}", "Deployment"),
    "node label": ("kubernetes: {node_selector: {TEXT: a}}", "Deployment"),
    "node label value": ("kubernetes: {node_selector: {a: TEXT}}", "Deployment"),
    "taint": ("kubernetes: {tolerations: [{key: TEXT, operator: Exists}]}", "Deployment"),
    "taint value": ("kubernetes: {tolerations: [{key: a, value: TEXT}]}", "Deployment"),
    "pull secret": ("kubernetes: {image_pull_secrets: [TEXT]}", "Deployment"),
    "device": ("resources: {cpu: 1, memory: 512Mi, extended: {TEXT: 1}}", "Deployment"),
    "command": ("jobs: [{name: a, command: [a, TEXT], resources: {cpu: 1, memory: 64Mi}}]", "Deployment"),
    "job": ("jobs: [{name: TEXT, command: [a], resources: {cpu: 1, memory: 64Mi}}]", "Deployment"),
    "Service annotation": ("kubernetes: {service_annotations: {TEXT: a}}", "Service"),
    "account annotation": ("kubernetes: {service_account_annotations: {TEXT: a}}", "ServiceAccount"),
    "namespace": ("kubernetes: {allowed_namespaces: [TEXT]}", "NetworkPolicy"),
    "host": (f"{_INGRESS}, host: TEXT, tls_secret: s}}}}", "Ingress"),
    "route path": (f"{_INGRESS}, host: a.example, path: TEXT}}}}", "Ingress"),
    "route class": (f"{_INGRESS}, host: a.example, class_name: TEXT}}}}", "Ingress"),
    "route annotation": (f"{_INGRESS}, host: a.example, annotations: {{TEXT: a}}}}}}", "Ingress"),
    "HTTPRoute host": (f"{_HTTPROUTE}, gateway: g, host: TEXT}}}}", "HTTPRoute"),
    "HTTPRoute path": (f"{_HTTPROUTE}, gateway: g, host: a.example, path: TEXT}}}}", "HTTPRoute"),
    "HTTPRoute gateway": (f"{_HTTPROUTE}, gateway: TEXT, host: a.example}}}}", "HTTPRoute"),
    "HTTPRoute namespace": (f"{_HTTPROUTE}, gateway: g, gateway_namespace: TEXT, host: a.example}}}}", "HTTPRoute"),
    "HTTPRoute timeout": (f"request_timeout: 3600\n{_HTTPROUTE}, gateway: TEXT, host: a.example}}}}", "HTTPRoute"),
}
_BASE = """\
name: web
app: {module: "flask_server:app", path: docker/app}
server: gevent
connections: 1200
forwarded_allow_ips: 10.0.0.0/8
"""


def written(text: str, kind: str) -> list[Any]:
    """The objects of a kind that a profile with this text makes; none where the kit refuses it."""
    resources = "" if text.startswith("resources:") else "resources: {cpu: 1, memory: 512Mi}\n"
    try:
        plan = plan_of(text, base=f"{_BASE}{resources}")
    except ProfileError:
        return []
    return [each for each in yaml.safe_load_all(render(plan)[plan.manifest]) if each["kind"] == kind]


def differences(sent: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Where what was sent is not in what the API server made of it, which adds to it and leaves out what is empty."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for key, value in sent.items():
            if key not in ("resources", "sizeLimit", "divisor"):  # quantities, which it writes in its own way
                yield from differences(value, kept.get(key), f"{path}/{key}")
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for index, pair in enumerate(zip(sent, kept, strict=True)):
            yield from differences(*pair, f"{path}/{index}")
    elif sent != kept and (sent, kept) != ("", None):
        yield f"{path}: {sent!r} became {kept!r}"


@pytest.fixture
def gateway_api(cluster: Cluster, field: str) -> None:
    """The cluster knows HTTPRoute, with the rules of its definition."""
    definition = "httproutes.gateway.networking.k8s.io"
    if FIELDS[field][1] != "HTTPRoute":
        return
    if cluster.own:
        cluster.run("apply", "--server-side", "-f", str(HTTPROUTE))
        cluster.run("wait", "--for=condition=Established", "--timeout=60s", f"crd/{definition}")
    elif cluster.run("get", f"crd/{definition}", check=False).returncode:
        pytest.skip("whether this cluster has the Gateway API is its owner's choice")


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("field", FIELDS)
def test_what_the_kit_lets_pass_the_api_server_takes_and_keeps(cluster: Cluster, field: str) -> None:
    text, kind = FIELDS[field]
    tried = [*NAMES, *HOSTILE_STRINGS, *(f"a{one}b" for one in HOSTILE_STRINGS if len(one) < 100)]
    sent = [one for value in tried for one in written(text.replace("TEXT", yaml_quoted(value)), kind)]
    assert sent, "some of it is a good name"
    words = ("create", "--dry-run=server", "-o", "json", "-f", "-")
    items = {"apiVersion": "v1", "kind": "List", "items": sent}
    done = cluster.run(*words, text=json.dumps(items), check=False, seconds=600)
    assert done.stderr == "" and done.returncode == 0
    kept = [json.loads(each) for each in re.split(r"^(?=\{)", done.stdout, flags=re.MULTILINE) if each]
    assert [found for pair in zip(sent, kept, strict=True) for found in differences(*pair)] == []


#: Legal in a variable, which ends at a NUL.
VALUES = {f"HOSTILE_{number}": value for number, value in enumerate(HOSTILE_STRINGS)}
#: The kubelet expands $(NAME) of what it has defined before, in values and in words of commands.
EXPANDED = {"KNOWN": "value", "REFERS": "$(KNOWN) $$(KNOWN) $$$(KNOWN) $(KUBERNETES_SERVICE_HOST)"}


def test_variables_and_words_of_commands_reach_the_process_as_they_are(cluster: Cluster, deploy: Deploy) -> None:
    env = VALUES | EXPANDED
    # A word of a command has no control characters.
    words = [one for one in env.values() if 0 < len(one) <= 4096 and not re.search(r"[\x00-\x1f\x7f]", one)]
    code = "import json, sys, time; print(json.dumps(sys.argv[1:]), flush=True); time.sleep(3600)"
    variables = ", ".join(f"{name}: {yaml_quoted(value)}" for name, value in env.items())
    command = ", ".join(map(yaml_quoted, ("python", "-c", code, *words)))
    job = f"{{name: words, command: [{command}], resources: {{cpu: 100m, memory: 64Mi}}}}"
    settings = (f"env={{{variables}}}", f"jobs=[{job}]")
    deployed = deploy("profiles/small.yaml", "name=hostile", "kubernetes.replicas=1", *settings)
    seen = json.loads(cluster.python(deployed.ready_pod(), "import json, os; print(json.dumps(dict(os.environ)))"))
    assert {name: seen.get(name) for name in env} == env
    logs = ("logs", "deployment/hostile-words")
    wait(lambda: cluster.run(*logs, check=False).stdout, 120, "the job's container prints its words")
    assert json.loads(cluster.run(*logs).stdout.splitlines()[-1]) == words
    cluster.run("delete", "deployment", "hostile", "hostile-words", "--wait=false")
