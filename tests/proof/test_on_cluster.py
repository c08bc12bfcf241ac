"""`prove --kubernetes` without a cluster: what it applies, what it refuses, what it makes of what it finds."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.errors import KitError
from generator.load_client import client, steady
from generator.proof import cluster_claims
from generator.proof.claim import FAILED, PASSED, Claim
from generator.proof.cluster_claims import command_ran, failures
from generator.proof.kubectl import Kubectl, NotOnCluster, poll, ready, restarts, settled, trouble
from generator.proof.on_cluster import OnCluster, load_policy, on_cluster, proof_objects
from generator.proof.request import Request
from generator.proof.steady_load import LABEL, SCRIPT, load_objects
from generator.verify.schema import schema_problems
from tests.fast_support import MINIMAL, plan_of

ROUTED = """\
forwarded_allow_ips: 10.244.0.0/16
kubernetes:
  {namespace: shop, create_namespace: true, allowed_namespaces: [a], route: {kind: ingress, host: a.example}}
"""


def test_routes_and_the_namespace_are_left_out_and_the_image_is_exchanged() -> None:
    objects = proof_objects(plan_of(ROUTED), "mirror.example/app:2")
    kinds = [each["kind"] for each in objects]
    assert "Ingress" not in kinds and "Namespace" not in kinds and "Deployment" in kinds
    assert not any("namespace" in each["metadata"] for each in objects)
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror.example/app:2"


def test_every_client_knows_the_words_of_a_request() -> None:
    request = Request("/x", "POST", ("A: b",), "body", "shop.example")
    path = f"--path={request.path}"
    read = steady.options().parse_args(["10.0.0.1:80", path, *request.client_words()])
    assert b"Host: shop.example\r\n" in steady.Load(read).request.text(read.path, close=False)
    assert b"\r\nA: b\r\n" in steady.Load(read).request.text(read.path, close=False)
    plan = client.plan_of(client.arguments().parse_args(["http://127.0.0.1:80/x", *request.client_words()]))
    assert b"Host: shop.example\r\n" in plan.request


def test_the_load_fits_pod_security_restricted_and_every_policy_admits_it() -> None:
    objects = load_objects("load-1", "app:1", "10.0.0.1:80", ("--keep=1",))
    for each in (objects[0], load_policy("proof")):
        assert not list(schema_problems(each, ("1.34",)))
    (pod,) = (each for each in objects if each["kind"] == "Pod")
    security = pod["spec"]["containers"][0]["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]} and not security["allowPrivilegeEscalation"]
    assert load_policy("proof")["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"] == LABEL
    assert pod["metadata"]["labels"] == LABEL


@pytest.fixture
def kubectl(tmp_path: Path) -> Iterator[Kubectl]:
    """One that notes its arguments, and prints what the file `output` holds."""
    script = tmp_path / "kubectl"
    (tmp_path / "output").write_text("")
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/calls\ncat {tmp_path}/output\n')
    script.chmod(0o755)
    yield Kubectl((str(script),))


def calls(tmp_path: Path) -> list[str]:
    path = tmp_path / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_a_namespace_that_holds_the_profiles_objects_is_not_touched(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("deployment.apps/x\n")
    with (
        pytest.raises(KitError, match="never touches what may be in production"),
        on_cluster(kubectl, plan_of(""), None, "shop", Request(), 50),
    ):
        pass
    assert not [call for call in calls(tmp_path) if " apply " in call or " delete " in call]


def test_what_the_proof_made_is_removed_whatever_happens(kubectl: Kubectl, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), on_cluster(kubectl, plan_of(""), None, None, Request(), 50) as on:
        raise ZeroDivisionError
    assert any(f"delete namespace {on.kubectl.namespace}" in call for call in calls(tmp_path))
    with pytest.raises(ZeroDivisionError), on_cluster(kubectl, plan_of(""), None, "shop", Request(), 50):
        raise ZeroDivisionError
    removed = [call for call in calls(tmp_path) if call.startswith("-n shop delete")]
    assert len(removed) == 2 and not any("namespace" in call.replace("-n shop", "") for call in removed)


@pytest.mark.parametrize("namespace", [None, "shop"])
@pytest.mark.parametrize("word", ["apply", "delete"])
def test_what_ctrl_c_meets_on_its_way_is_removed(tmp_path: Path, word: str, namespace: str | None) -> None:
    """A kubectl that is told to make or to remove something, and Ctrl-C before it has done so."""
    script, done = tmp_path / "kubectl", tmp_path / "done"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *" {word} "*) kill -INT $PPID; sleep 0.2;; esac\nprintf "%s\\n" "$*" >> {done}\n'
    )
    script.chmod(0o755)
    with suppress(KeyboardInterrupt), on_cluster(Kubectl((str(script),)), plan_of(""), None, namespace, Request(), 50):
        pass
    removed = [call for call in done.read_text().splitlines() if " delete " in call]
    assert len(removed) == (2 if namespace else 1), "kubectl was not ended before it was done"


def test_the_load_lasts_until_the_pods_have_been_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended after half a minute, and whatever a slower rollout lost was not seen."""
    done: list[str] = []

    class Load:
        def stop(self) -> None:
            done.append("stop")

        def result(self) -> dict[str, Any]:
            done.append("result")
            return {"sent": 1, "failed": 0, "kinds": {}}

    on = OnCluster(Kubectl(("false",)), plan_of(""), [], "app:1", Request(), 50)
    monkeypatch.setattr(OnCluster, "settle", lambda _, one_by_one=False: done.append(f"settled {one_by_one}"))
    monkeypatch.setattr(OnCluster, "load", lambda _: Load())
    monkeypatch.setattr(cluster_claims, "BEFORE", 0)
    claim = cluster_claims.under_load(on, "a", "b", lambda _: done.append("action"))
    assert claim.verdict == PASSED
    assert done == ["settled False", "action", "settled True", "stop", "result"]


def test_pods_that_are_replaced_one_by_one_have_longer(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "output").write_text(json.dumps({"items": [{}, {}, {}]}))
    on = OnCluster(kubectl, plan_of(""), [], "app:1", Request(), 50)
    each = on.plan.startup_seconds + on.plan.stop_seconds.value
    assert (on.patience(one_by_one=False), on.patience(one_by_one=True)) == (each + 120, 3 * each + 120)


def test_without_kubernetes_its_options_are_refused(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text(MINIMAL)
    done = CliRunner().invoke(commands, ["prove", str(profile), "--context", "prod"])
    assert done.exit_code == 2 and "--context: of use with --kubernetes only" in done.stderr


def test_without_kubectl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    profile = tmp_path / "p.yaml"
    profile.write_text(MINIMAL)
    done = CliRunner().invoke(commands, ["prove", str(profile), "--kubernetes", "--output", str(tmp_path)])
    assert done.exit_code == 2 and "kubectl: no such command" in done.stderr


def test_causes_are_counted_over_all_kinds_of_requests() -> None:
    kinds = {"keep": {"failed": {"fresh: status 500": 1}}, "fresh": {"failed": {"fresh: status 500": 2, "connect": 3}}}
    found = failures({"sent": 9, "kinds": kinds})
    assert list(found) == ["3 connect", "3 fresh: status 500"]
    assert "pre_stop_seconds" in found["3 connect"] and "--path" in found["3 fresh: status 500"]
    assert failures({"sent": 0, "kinds": {}}), "a load that sent nothing proves nothing"


def pod(is_ready: bool = True, **status: Any) -> dict[str, Any]:
    state = {"ready": is_ready, "restartCount": 0, "state": {}}
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [state], **status}}


def test_settled_waits_for_the_autoscaler_the_rollout_and_pods_that_end() -> None:
    deployment = {
        "metadata": {"generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 2},
    }
    scaler = {"spec": {"minReplicas": 2}}
    assert settled(deployment, [scaler], [pod(), pod()])
    assert not settled(deployment, [{"spec": {"minReplicas": 3}}], [pod(), pod()])
    assert not settled(deployment, [scaler], [pod(), pod(), pod()])
    assert not settled(deployment, [scaler], [pod(), pod(is_ready=False)])
    deployment["metadata"]["generation"] = 3
    assert not settled(deployment, [scaler], [pod(), pod()])


def test_trouble_names_what_the_kubelet_or_the_scheduler_says() -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    assert trouble(pod(containerStatuses=[waiting])) == "ImagePullBackOff: not found"
    restarted = {"state": {}, "restartCount": 3, "ready": False, "lastState": {"terminated": {"exitCode": 3}}}
    assert trouble(pod(containerStatuses=[restarted])) == "3 restarts, the last after exit code 3"
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    assert trouble(pod(containerStatuses=None, conditions=[unscheduled])) == "Unschedulable: 0/1 nodes"
    assert trouble(pod()) is None


def test_what_starts_before_the_server_counts_too() -> None:
    """A sidecar whose image cannot be had, a command before the release that fails: without them no server starts."""
    pulling = {"name": "proxy", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    failed = {"name": "run", "ready": False, "restartCount": 0, "state": {"terminated": {"exitCode": 3}}}
    done = {"name": "run", "ready": True, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}
    assert trouble(pod(is_ready=False, initContainerStatuses=[pulling])) == "ImagePullBackOff"
    assert trouble(pod(is_ready=False, initContainerStatuses=[failed])) == "exit code 3"
    assert not ready(pod(initContainerStatuses=[pulling])) and ready(pod(initContainerStatuses=[done]))
    assert restarts(pod(initContainerStatuses=[{**done, "restartCount": 2}])) == 2


RUNNING = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}}


def job_of(kubectl: Kubectl, tmp_path: Path, condition: str, exit_code: int) -> Claim:
    """The claim on a Job that has ended so, while a pod of the app runs since 03:04:05; kubectl's logs are all one."""
    ended = {"exitCode": exit_code, "finishedAt": "2026-01-02T03:04:05Z"}
    command = {"name": "run", "ready": not exit_code, "restartCount": 0, "state": {"terminated": ended}}
    job_pod = {"metadata": {"name": "j"}, "status": {"initContainerStatuses": [command]}}
    outputs = {
        "get job": {"status": {"conditions": [{"type": condition, "status": "True"}]}},
        "get pods -l batch": {"items": [job_pod]},
        "get pods -l app": {"items": [pod(containerStatuses=[RUNNING])]},
    }
    script = "".join(f"*'{words}'*) echo '{json.dumps(output)}' ;;\n" for words, output in outputs.items())
    Path(kubectl.words[0]).write_text(f'#!/bin/sh\ncase "$*" in\n{script}*logs*) echo no such table: users ;;\nesac\n')
    return command_ran(OnCluster(kubectl, plan_of(""), [], "app:1", Request(), 50), "web-before-start-1")


def test_the_command_before_a_release_passes_with_its_job(kubectl: Kubectl, tmp_path: Path) -> None:
    claim = job_of(kubectl, tmp_path, "Complete", 0)
    assert claim.verdict == PASSED and claim.measured.startswith("Complete after")


def test_a_pod_that_did_not_wait_for_the_command_is_named(
    kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNNING["state"]["running"], "startedAt", "2026-01-02T03:04:04Z")  # type: ignore[index]
    claim = job_of(kubectl, tmp_path, "Complete", 0)
    assert claim.verdict == FAILED and "p started before" in claim.measured


def test_a_command_that_fails_is_reported_with_its_exit_code_and_last_words(kubectl: Kubectl, tmp_path: Path) -> None:
    claim = job_of(kubectl, tmp_path, "Failed", 3)
    assert claim.verdict == FAILED and "exit code 3" in claim.measured
    assert "no such table: users" in claim.advice


def test_polling_ends_with_what_it_waited_for() -> None:
    with pytest.raises(NotOnCluster, match="pods are ready"):
        poll(lambda: False, 0.05, "pods are ready", every=0.01)


RESPONSES = {
    "/length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/until-close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
    "/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/moved": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    "/error": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
}


@pytest.fixture
def server() -> Iterator[tuple[int, list[bytes]]]:
    """One that gives each path its response; /until-close and /cut close the connection."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heads.append(head)
                path = head.split(b" ")[1].decode()
                writer.write(RESPONSES[path])
                if path in ("/until-close", "/cut") or b"Connection: close" in head:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield listening.sockets[0].getsockname()[1], heads
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    listening.close()
    loop.close()


@pytest.mark.parametrize("path", RESPONSES)
def test_the_steady_load_reads_every_kind_of_response_and_counts_what_fails(
    server: tuple[int, list[bytes]], path: str
) -> None:
    port, heads = server
    words = ["--seconds=0.3", "--at-least=4", "--connections=2", "--keep=20", "--fresh=20", "--slow=0", "--timeout=5"]
    command = [sys.executable, "-P", str(SCRIPT), f"127.0.0.1:{port}", f"--path={path}", "--host=shop", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ})
    result = json.loads(done.stdout)
    assert result["sent"] >= 4
    assert result["failed"] == (result["sent"] if path in ("/cut", "/error") else 0), result
    assert all(head.count(b"Host: ") == 1 and b"Host: shop\r\n" in head for head in heads)


def test_the_load_ends_when_it_is_told_to_and_reports(server: tuple[int, list[bytes]]) -> None:
    """But not before it has sent as many requests as it must."""
    port, heads = server
    words = ["--seconds=600", "--at-least=40", "--connections=2", "--keep=20", "--fresh=20", "--slow=0"]
    command = [sys.executable, "-P", str(SCRIPT), f"127.0.0.1:{port}", "--path=/length", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            poll(lambda: heads, 60, "its first request")
            process.terminate()
            result = json.loads(process.communicate(timeout=60)[0])
        finally:
            process.kill()
    assert process.returncode == 0 and 40 <= result["sent"] < 12_000 and result["failed"] == 0, result


def test_its_report_keeps_to_the_schema() -> None:
    schema = json.loads((SCRIPT.parents[1] / "proof/report.schema.json").read_text())
    nodes = {"engine": "Kubernetes v1.34.4", "kernel": "6.1", "architecture": "amd64", "cpus": 2, "nodes": 1}
    machine = schema["properties"]["machine"]
    jsonschema.validate(nodes | {"container_runtime": "containerd://1.7"}, machine)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(nodes, machine)


def test_objects_are_what_yaml_reads(tmp_path: Path) -> None:
    """What is piped to kubectl is the committed manifest, but for what is left out."""
    objects = proof_objects(plan_of(""), None)
    assert list(yaml.safe_load_all(yaml.safe_dump_all(objects))) == objects
