"""What the manifests say, read back from the YAML that is written, for each choice that a profile has."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.render.render import render
from tests.fast_support import SHIPPED, plan_of

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
SIDECARS = "metrics: prometheus, metrics_image: r/statsd:1, proxy: true"
DIGEST = "image: registry.example/team/app@sha256:" + "0" * 64 + "\n"


@cache
def objects(extra: str = "", *overrides: str) -> dict[str, Any]:
    plan = plan_of(extra, *overrides)
    return {document["kind"]: document for document in yaml.safe_load_all(render(plan)[plan.manifest])}


def pod(extra: str = "", *overrides: str) -> Any:
    return objects(extra, *overrides)["Deployment"]["spec"]["template"]["spec"]


def container(extra: str = "", *overrides: str) -> Any:
    return pod(extra, *overrides)["containers"][0]


KINDS = [
    ("", "ServiceAccount ConfigMap Service Deployment HorizontalPodAutoscaler PodDisruptionBudget NetworkPolicy"),
    ("replicas: 2", "ServiceAccount ConfigMap Service Deployment PodDisruptionBudget NetworkPolicy"),
    (
        "replicas: 1, namespace: web, create_namespace: true",
        "Namespace ServiceAccount ConfigMap Service Deployment PodDisruptionBudget NetworkPolicy",
    ),
    (
        "replicas: 1, allowed_namespaces: [a], route: {kind: ingress, host: a.b}",
        "ServiceAccount ConfigMap Service Deployment PodDisruptionBudget NetworkPolicy Ingress",
    ),
    (
        "replicas: 1, allowed_namespaces: [a], route: {kind: httproute, host: a.b, gateway: g}",
        "ServiceAccount ConfigMap Service Deployment PodDisruptionBudget NetworkPolicy HTTPRoute",
    ),
]


@pytest.mark.parametrize(("section", "kinds"), KINDS)
def test_objects_in_apply_order(section: str, kinds: str) -> None:
    assert list(objects(f"kubernetes: {{{section}}}\n", "forwarded_allow_ips=10.244.0.0/16")) == kinds.split()


def test_every_container_is_restricted() -> None:
    found = pod(f"kubernetes: {{{SIDECARS}}}\n")
    containers = [*found["initContainers"], *found["containers"]]
    assert [c["name"] for c in containers] == ["proxy", "metrics", "app"]
    for each in containers:
        assert each["securityContext"] == RESTRICTED
        assert each["resources"]["requests"]["memory"] == each["resources"]["limits"]["memory"]
        assert "livenessProbe" in each
    assert found["securityContext"]["runAsUser"] >= 10000 and found["securityContext"]["runAsNonRoot"]
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "sysctls" not in found["securityContext"]
    assert found["automountServiceAccountToken"] is False
    assert objects()["ServiceAccount"]["automountServiceAccountToken"] is False


def test_openshift_chooses_the_user() -> None:
    security = pod("kubernetes: {openshift: true, volumes: [{name: a, mount_path: /a, claim: c}]}\n")["securityContext"]
    assert security == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


#: (profile, policy): asks the registry wherever there is one.
PULLS = [
    ("", "IfNotPresent"),
    ("image: registry.example/app:1.4\n", "Always"),
    ("image: registry.example/app\n", "Always"),
    (DIGEST, "Always"),
    ("image: registry.example/app:1.4\nkubernetes: {image_pull_policy: IfNotPresent}\n", "IfNotPresent"),
]


@pytest.mark.parametrize(("extra", "policy"), PULLS)
def test_pull_policy_fits_the_tag(extra: str, policy: str) -> None:
    assert container(extra)["imagePullPolicy"] == policy


#: (oldest minor, action)
PRE_STOPS = [
    ("1.27", {"exec": {"command": ["sleep", "5"]}}),
    ("1.29", {"exec": {"command": ["sleep", "5"]}}),
    ("1.30", {"sleep": {"seconds": 5}}),
    ("1.34", {"sleep": {"seconds": 5}}),
]


@pytest.mark.parametrize(("minor", "action"), PRE_STOPS)
def test_pre_stop_by_version(minor: str, action: dict[str, Any]) -> None:
    assert container("", f"kubernetes.minimum_version={minor}")["lifecycle"]["preStop"] == action


STOPS = "graceful_timeout: 50\nkubernetes: {proxy: true, pre_stop_seconds: 7}\n"


def test_the_server_stops_after_the_proxy_in_front_of_it() -> None:
    """nginx removes its pid file when it ends; the server sees that by the folder they share."""
    found = pod(STOPS)
    (proxy,), (app,) = found["initContainers"], found["containers"]
    assert proxy["lifecycle"]["preStop"]["exec"]["command"] == ["sh", "-c", ": > /tmp/stopping; sleep 7; kill -QUIT 1"]
    (folder,) = (mount for mount in proxy["volumeMounts"] if mount["mountPath"] == "/tmp")
    (seen,) = (mount for mount in app["volumeMounts"] if mount["name"] == folder["name"])
    assert seen["readOnly"] and "subPath" not in seen and "subPath" not in folder
    *shell, script = app["lifecycle"]["preStop"]["exec"]["command"]
    assert shell == ["sh", "-c"] and script.startswith(f"sleep 7; cd {seen['mountPath']}; ")
    conf = objects(STOPS)["ConfigMap"]["data"]["nginx.conf"]
    assert "pid /tmp/nginx.pid;" in conf
    # nginx is the process 1 that the signal goes to; what an nginx that was stopped left says nothing of the next one.
    assert proxy["command"][:2] == ["sh", "-c"]
    assert proxy["command"][2] == "rm -f /tmp/stopping; exec nginx -c /etc/kit/nginx.conf -g 'daemon off;'"
    assert "if (-f /tmp/stopping)" in conf
    # Its own patience ends before the pod's.
    assert "worker_shutdown_timeout 50s;" in conf and found["terminationGracePeriodSeconds"] == 7 + 50 + 5


@pytest.mark.parametrize("shell", [name for name in ("dash", "bash", "busybox") if shutil.which(name)])
def test_the_server_waits_for_nginx_only_while_the_pod_ends(shell: str, tmp_path: Path) -> None:
    script = container(STOPS)["lifecycle"]["preStop"]["exec"]["command"][-1].replace("sleep 7", "sleep 0")
    words = [shell, *(["sh"] if shell == "busybox" else []), "-c", script.replace("/tmp/proxy", str(tmp_path))]

    def ended() -> None:
        assert subprocess.run(words, check=False, timeout=60, capture_output=True).stderr == b""

    (tmp_path / "nginx.pid").touch()
    ended()  # its container alone is restarted
    (tmp_path / "stopping").touch()
    waiting = subprocess.Popen(words)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1)
    (tmp_path / "nginx.pid").unlink()
    assert waiting.wait(60) is not None


@pytest.mark.parametrize(("given", "policy"), [("", "Always"), ("image_pull_policy: IfNotPresent", "IfNotPresent")])
def test_the_profiles_pull_policy_is_that_of_the_sidecars_too(given: str, policy: str) -> None:
    found = pod(f"kubernetes: {{proxy: true, metrics: prometheus, metrics_image: 'exporter:1', {given}}}\n")[
        "initContainers"
    ]
    assert [each["imagePullPolicy"] for each in found] == [policy] * 2


def test_shutdown_chain_and_rollout() -> None:
    found = pod("graceful_timeout: 50\nkubernetes: {pre_stop_seconds: 7}\n")
    assert found["terminationGracePeriodSeconds"] == 7 + 50 + 5
    assert "lifecycle" not in container("kubernetes: {pre_stop_seconds: 0}\n")
    strategy = objects()["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 0, "maxSurge": 1}


def test_startup_probe_covers_the_import() -> None:
    probe = container("health: {startup_seconds: 301}\n")["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 301


def test_probes_tell_busy_from_hung_without_a_request_to_the_app() -> None:
    python = ["/opt/venv/bin/python", "-P", "-m", "kit_runtime.health"]
    probed = container("health: {readiness_path: /ready}\n")
    assert probed["startupProbe"]["httpGet"] == {"path": "/ready", "port": "http"}
    assert probed["readinessProbe"]["exec"]["command"] == [*python, "ready", "8000", "3", "4", "/ready"]
    assert probed["livenessProbe"]["exec"]["command"] == [*python, "master", "10"]
    assert container()["startupProbe"]["tcpSocket"] == {"port": "http"}
    assert container()["readinessProbe"]["exec"]["command"] == [*python, "ready", "8000", "3", "4"]


def test_a_liveness_page_is_requested_slower_than_the_servers_own_repair() -> None:
    liveness = container("timeout: 120\nhealth: {liveness_path: /live}\n")["livenessProbe"]
    assert liveness["httpGet"] == {"path": "/live", "port": "http"}
    assert liveness["periodSeconds"] * liveness["failureThreshold"] > 120


#: (profile, seconds after which a hung server gets no new requests, after which a frozen master is restarted)
WORST_CASES = [
    ("", 9, 50),
    ("timeout: 120\n", 9, 50),
    ("health: {liveness_path: /live}\n", 9, 58),
]


@pytest.mark.parametrize(("more", "unready", "restart"), WORST_CASES)
def test_worst_cases(more: str, unready: int, restart: int) -> None:
    probes = plan_of(more).probes
    assert (probes.unready_after_seconds.value, probes.restart_after_seconds.value) == (unready, restart)
    readiness = container(more)["readinessProbe"]
    assert readiness["failureThreshold"] == 1 and readiness["timeoutSeconds"] > probes.response_seconds


def test_a_small_container_is_probed_less_often() -> None:
    assert container("", "resources.cpu=150m")["readinessProbe"]["periodSeconds"] == 10
    assert plan_of("", "resources.cpu=150m").probes.unready_after_seconds.value == 14


@pytest.mark.parametrize("server", ["sync", "eventlet"])
def test_where_a_worker_beats_between_requests_only_timeout_tells_that_it_hangs(server: str) -> None:
    assert plan_of("", f"server={server}", "connections=3").probes.hung_seconds == 30


@pytest.mark.parametrize(("cpu", "quantity"), [("2", "2"), ("500m", "500m"), ("1.5", "1500m")])
def test_cpu_is_request_and_limit(cpu: str, quantity: str) -> None:
    limited = container("", f"resources.cpu={cpu}")
    assert limited["resources"]["requests"]["cpu"] == limited["resources"]["limits"]["cpu"] == quantity
    assert "env" not in limited
    free = container("kubernetes: {cpu_limit: none}\n", f"resources.cpu={cpu}")
    assert free["resources"]["requests"]["cpu"] == quantity and "cpu" not in free["resources"]["limits"]
    reference = {"containerName": "app", "resource": "requests.cpu", "divisor": "1m"}
    assert free["env"] == [{"name": "KIT_CPU_MILLICORES", "valueFrom": {"resourceFieldRef": reference}}]


@pytest.mark.parametrize(
    ("memory", "tmp", "shm"), [("256Mi", "256Mi", "16Mi"), ("160Mi", "256Mi", "10Mi"), ("4Gi", "256Mi", "16Mi")]
)
def test_folders_in_memory_fit_it_and_others_are_on_disk(memory: str, tmp: str, shm: str) -> None:
    folders = {
        v["name"]: v.get("emptyDir") for v in pod("", "connections=100", f"resources.memory={memory}")["volumes"]
    }
    assert folders["tmp"] == {"sizeLimit": tmp}
    assert folders["shm"] == {"medium": "Memory", "sizeLimit": shm}


def test_secrets_are_references_that_must_exist() -> None:
    found = container("kubernetes: {env_from: [app-secrets]}\n")
    assert found["envFrom"] == [{"secretRef": {"name": "app-secrets", "optional": False}}]


def test_no_secret_moves_the_server_to_another_port() -> None:
    port = {"name": "PORT", "value": "9000"}
    assert port in container("port: 9000\nkubernetes: {env_from: [app-secrets]}\n")["env"]
    assert port not in container("port: 9000\n").get("env", [])


HOSTS = [
    ("", None),
    ("health: {readiness_path: /r, liveness_path: /l}\n", None),
    ("health: {readiness_path: /r, liveness_path: /l, host: shop.example.com}\n", "shop.example.com"),
    (
        "health: {readiness_path: /r, liveness_path: /l}\n"
        "kubernetes: {allowed_cidrs: [{cidr: 10.7.0.0/24}], route: {kind: ingress, host: route.example.com}}\n",
        "route.example.com",
    ),
    (
        'health: {readiness_path: /r, liveness_path: /l, host: "other.example.com:8443"}\n'
        "kubernetes: {allowed_cidrs: [{cidr: 10.7.0.0/24}], route: {kind: ingress, host: route.example.com}}\n",
        "other.example.com:8443",
    ),
    (
        "health: {readiness_path: /r, liveness_path: /l}\n"
        'kubernetes: {allowed_cidrs: [{cidr: 10.7.0.0/24}], route: {kind: ingress, host: "*.example.com"}}\n',
        None,
    ),
]


@pytest.mark.parametrize(("extra", "host"), HOSTS)
def test_every_probe_names_the_same_host(extra: str, host: str | None) -> None:
    found, command = container(extra), plan_of(extra).probes.ready_command
    headers = [{"name": "Host", "value": host}] if host else None
    for name in ("startupProbe", "livenessProbe"):
        if "httpGet" in found[name]:
            assert found[name]["httpGet"].get("httpHeaders") == headers
    assert found["readinessProbe"]["exec"]["command"] == list(command)
    assert (command[-2:] == ("/r", host)) == (host is not None)
    assert json.dumps(command) in render(plan_of(extra))["docker/web/Dockerfile"], "HEALTHCHECK, and so Compose"


def test_config_maps_and_prefixes_join_the_secrets() -> None:
    found = container("kubernetes: {env_from: [{secret: a}, {config_map: b, prefix: X_}]}\n")
    assert found["envFrom"] == [
        {"secretRef": {"name": "a", "optional": False}},
        {"configMapRef": {"name": "b", "optional": False}, "prefix": "X_"},
    ]


SECRETS = """\
env: {A: b}
env_secrets:
  DATABASE_URL: {secret: pg, key: uri}
  DB_PASSWORD_FILE: {secret: pg, key: password, file: true}
  KEY_FILE: {secret: tls.v1, key: .key, file: true}
"""


def test_a_secret_is_a_variable_or_a_file_that_must_exist() -> None:
    assert container(SECRETS)["env"] == [
        {"name": "A", "value": "b"},
        {
            "name": "DATABASE_URL",
            "valueFrom": {"secretKeyRef": {"name": "pg", "key": "uri", "optional": False}},
        },
        {"name": "DB_PASSWORD_FILE", "value": "/run/secrets/app/pg/password"},
        {"name": "KEY_FILE", "value": "/run/secrets/app/tls.v1/.key"},
    ]
    mount = {"name": "secret-files", "mountPath": "/run/secrets/app", "readOnly": True}
    assert mount in container(SECRETS)["volumeMounts"]
    (volume,) = (one for one in pod(SECRETS)["volumes"] if one["name"] == "secret-files")
    assert volume["projected"]["sources"] == [
        {"secret": {"name": "pg", "items": [{"key": "password", "path": "pg/password"}], "optional": False}},
        {"secret": {"name": "tls.v1", "items": [{"key": ".key", "path": "tls.v1/.key"}], "optional": False}},
    ]


def test_without_secret_files_there_is_no_volume_for_them() -> None:
    extra = "env_secrets: {A: {secret: pg, key: uri}}\n"
    assert "secret-files" not in [one["name"] for one in [*pod(extra)["volumes"], *container(extra)["volumeMounts"]]]


@pytest.mark.parametrize(("path", "routed"), [("", "/tool"), (", path: /", "/"), (", path: /tool", "/tool")])
def test_a_mount_is_in_every_probe_and_in_the_route(path: str, routed: str) -> None:
    extra = "health: {readiness_path: /r, liveness_path: /l}\nkubernetes: {allowed_cidrs: [{cidr: 10.7.0.0/24}]"
    found = objects(f"{extra}, route: {{kind: ingress, host: a.b{path}}}}}\n", "app.mount=/tool")
    (rule,) = found["Ingress"]["spec"]["rules"]
    assert [one["path"] for one in rule["http"]["paths"]] == [routed]
    probes = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert probes["startupProbe"]["httpGet"]["path"] == "/tool/r"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/tool/l"
    assert "/tool/r" in probes["readinessProbe"]["exec"]["command"]


def test_volumes() -> None:
    listed = "{name: a, mount_path: /a, claim: c}, {name: b, mount_path: /b, secret: s}"
    listed += ", {name: d, mount_path: /d, size: 1Gi}"
    extra = f"kubernetes: {{volumes: [{listed}]}}\n"
    assert pod(extra)["volumes"][3:] == [
        {"name": "a", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "b", "secret": {"secretName": "s", "optional": False}},
        {"name": "d", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    assert container(extra)["volumeMounts"][4] == {"name": "b", "mountPath": "/b", "readOnly": True}
    assert pod(extra)["securityContext"]["fsGroup"] == 10001


def test_network_policy_lets_in_only_what_is_named() -> None:
    spec = objects("kubernetes: {allowed_namespaces: [ingress]}\n")["NetworkPolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress"] and "egress" not in spec
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["ingress"]}
    assert rule["from"] == [{"podSelector": {}}, {"namespaceSelector": {"matchExpressions": [named]}}]
    assert objects()["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]
    (rule,) = objects(f"kubernetes: {{{BALANCER}}}\n")["NetworkPolicy"]["spec"]["ingress"]
    assert rule["from"][1:] == [{"ipBlock": {"cidr": "35.191.0.0/16"}}, {"ipBlock": {"cidr": "10.7.0.0/24"}}]


#: Health checks may connect; the subnets of the load balancer itself are believed too.
BALANCER = "allowed_cidrs: [{cidr: 35.191.0.0/16}, {cidr: 10.7.0.0/24, proxy: true}]"
ADMITTED = "allowed_cidrs: [{cidr: 10.7.0.0/24}, {cidr: 0.0.0.0/0}, {cidr: 10.8.0.0/24, proxy: false}]"
ROUTE = "route: {kind: ingress, host: a.b}"
BELIEVED = [
    ("", [], ["127.0.0.1", "::1"]),
    ("forwarded_allow_ips: 10.244.0.0/16\n", [], ["10.244.0.0/16"]),
    (
        f"kubernetes: {{{BALANCER}}}\n",
        ["--forwarded-allow-ips", "127.0.0.1,::1,10.7.0.0/24"],
        ["127.0.0.1", "::1", "10.7.0.0/24"],
    ),
    (
        f"forwarded_allow_ips: 10.244.0.0/16\nkubernetes: {{{BALANCER}}}\n",
        ["--forwarded-allow-ips", "10.244.0.0/16,10.7.0.0/24"],
        ["10.244.0.0/16", "10.7.0.0/24"],
    ),
    (f"forwarded_allow_ips: '*'\nkubernetes: {{{BALANCER}}}\n", [], ["0.0.0.0/0", "::/0"]),
    # Networks that a route's requests come from are its proxies', unless the profile says who is.
    (
        f"kubernetes: {{{ADMITTED}, {ROUTE}}}\n",
        ["--forwarded-allow-ips", "127.0.0.1,::1,10.7.0.0/24"],
        ["127.0.0.1", "::1", "10.7.0.0/24"],
    ),
    (f"kubernetes: {{{ADMITTED}}}\n", [], ["127.0.0.1", "::1"]),
    (f"forwarded_allow_ips: 10.244.0.0/16\nkubernetes: {{{ADMITTED}, {ROUTE}}}\n", [], ["10.244.0.0/16"]),
    (
        f"kubernetes: {{{BALANCER}, {ROUTE}}}\n",
        ["--forwarded-allow-ips", "127.0.0.1,::1,10.7.0.0/24"],
        ["127.0.0.1", "::1", "10.7.0.0/24"],
    ),
]


@pytest.mark.parametrize("server", ["gevent", "gthread", "eventlet", "meinheld", "pywsgi"])
@pytest.mark.parametrize(("extra", "args", "trusted"), BELIEVED)
def test_the_server_in_a_pod_believes_whom_the_profile_names(
    extra: str, args: list[str], trusted: list[str], server: str
) -> None:
    """Its configuration is the image's, so the load balancers that only a pod has come as arguments."""
    assert container(extra, f"server={server}").get("args", []) == args
    # With a proxy beside it, that one believes them, and the server nobody but its own loopback.
    overrides = (f"server={server}", "kubernetes.proxy=true")
    assert container(extra, *overrides)["args"] == ["--forwarded-allow-ips", "127.0.0.1"]
    nginx = objects(extra, *overrides)["ConfigMap"]["data"]["nginx.conf"]
    assert [line.split()[1].rstrip(";") for line in nginx.splitlines() if "set_real_ip_from" in line] == trusted


@pytest.mark.parametrize("kind", ["ingress", "httproute, gateway: g"])
def test_route_annotations(kind: str) -> None:
    route = f"{{kind: {kind}, host: a.b, annotations: {{a.b/c-d: '60', e: '# $x'}}}}"
    found = objects(f"forwarded_allow_ips: 10.244.0.0/16\nkubernetes: {{allowed_namespaces: [a], route: {route}}}\n")
    (annotations,) = (found[name]["metadata"]["annotations"] for name in ("Ingress", "HTTPRoute") if name in found)
    assert annotations == {"a.b/c-d": "60", "e": "# $x"}


def test_egress_is_open_and_marked_so_unless_listed() -> None:
    plan = plan_of()
    assert "Egress: not limited; kubernetes.egress" in " ".join(render(plan)[plan.manifest].replace("# ", "").split())
    spec = objects("kubernetes: {egress: [{cidr: 10.0.0.0/8, port: 5432}, {namespace: db}]}\n")["NetworkPolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    dns = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    database = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "db"}}}
    assert spec["egress"] == [
        {"ports": dns},
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 5432, "protocol": "TCP"}]},
        {"to": [database]},
    ]
    assert [{"ports": dns}] == objects("kubernetes: {egress: []}\n")["NetworkPolicy"]["spec"]["egress"]


def test_autoscaler_looks_at_the_server_alone() -> None:
    spec = objects("kubernetes: {target_cpu_percent: 60}\n")["HorizontalPodAutoscaler"]["spec"]
    target = {"type": "Utilization", "averageUtilization": 60}
    metric = {"container": "app", "name": "cpu", "target": target}
    assert spec["metrics"] == [{"type": "ContainerResource", "containerResource": metric}]
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert "replicas" not in objects()["Deployment"]["spec"]


def test_sidecars_come_only_by_choice() -> None:
    assert "initContainers" not in pod()
    extra = f"kubernetes: {{{SIDECARS}}}\n"
    assert all(each["restartPolicy"] == "Always" for each in pod(extra)["initContainers"])
    believed = ["--forwarded-allow-ips", "127.0.0.1"]
    assert container(extra)["args"] == ["--statsd-host", "127.0.0.1:9125", "--statsd-prefix", "web", *believed]
    assert container(extra)["ports"] == [{"name": "app", "containerPort": 8000}]
    assert container(extra)["startupProbe"]["tcpSocket"] == {"port": "app"}
    assert pod(extra)["initContainers"][0]["ports"] == [{"name": "http", "containerPort": 8080}]
    annotations = objects(extra)["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "9102"
    assert [port["name"] for port in objects(extra)["Service"]["spec"]["ports"]] == ["http", "metrics"]
    assert "proxy_pass http://app" in objects(extra)["ConfigMap"]["data"]["nginx.conf"]


@pytest.mark.parametrize(("mode", "logger"), [("json", "JsonLogger"), ("text", "TextLogger")])
@pytest.mark.parametrize("server", ["gevent", "gthread", "eventlet", "meinheld"])
def test_a_pod_counts_beside_its_access_log(server: str, mode: str, logger: str) -> None:
    """Its logger does both (tests/servers/test_statsd.py)."""
    found = objects(f"access_log: {mode}\nkubernetes: {{{SIDECARS}}}\n", f"server={server}")
    (app,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert app["args"][:2] == ["--statsd-host", "127.0.0.1:9125"]
    configuration = found["ConfigMap"]["data"]["gunicorn.conf.py"]
    assert f"from kit_runtime.workers.access_log import {logger} as _Logger\n" in configuration
    assert "\nlogger_class = _Logger\n" in configuration


def test_a_changed_configuration_changes_the_pods() -> None:
    def checksum(extra: str) -> str:
        metadata = objects(extra)["Deployment"]["spec"]["template"]["metadata"]
        return str(metadata["annotations"]["container-kit.dev/configuration-sha256"])

    proxied = f"kubernetes: {{{SIDECARS}}}\n"
    assert len({checksum(extra) for extra in ("", "keepalive: 20\n", proxied, f"backlog: 100\n{proxied}")}) == 4


def test_the_config_map_holds_what_the_image_carries() -> None:
    plan = plan_of()
    files = render(plan)
    data = objects()["ConfigMap"]["data"]
    assert data == {"gunicorn.conf.py": files["docker/web/gunicorn.conf.py"]}


def test_profiles_side_by_side_never_meet() -> None:
    """No object has another's kind, namespace and name, and no selector meets another's pods."""
    names: set[tuple[str, str]] = set()
    pods, selectors = [], []
    plans = [plan_of(base=path.read_text()) for path in SHIPPED]
    plans += [plan_of(), plan_of("group: servers\n"), plan_of("group: team\n")]
    for plan in (plan for plan in plans if plan.server.production):
        for document in yaml.safe_load_all(render(plan)[plan.manifest]):
            assert (document["kind"], document["metadata"]["name"]) not in names
            names.add((document["kind"], document["metadata"]["name"]))
            if document["kind"] == "Deployment":
                pods.append(document["spec"]["template"]["metadata"]["labels"])
                selectors.append(document["spec"]["selector"]["matchLabels"])
    for selector in selectors:
        assert sum(selector.items() <= labels.items() for labels in pods) == 1


def test_nothing_is_random() -> None:
    extra = f"kubernetes: {{{SIDECARS}, egress: [{{namespace: b}}, {{namespace: a}}]}}\n"
    assert render(plan_of(extra)) == render(plan_of(extra))
