"""`kubectl apply -f k8s/`: admission, idempotence, and pods that are what the plan says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import testinfra

from generator.plan.explain import explanation
from generator.proof.kubectl import ready, restarts
from tests.cluster.cluster import NAMESPACE
from tests.cluster.conftest import Deploy
from tests.cluster.scenarios import Deployed
from tests.containers import inside as checks
from tests.containers import kit

PRODUCTION = [
    pytest.param(profile, marks=[] if kit.plan_of(profile).profile.group else [pytest.mark.quick])
    for profile in kit.PROFILES
    if kit.plan_of(profile).server.production
]


@pytest.fixture(params=PRODUCTION)
def deployed(request: pytest.FixtureRequest, deploy: Deploy) -> Deployed:
    return deploy(request.param)


def test_applies_without_a_warning_and_changes_nothing_when_repeated(deployed: Deployed) -> None:
    cluster, committed = deployed.cluster, kit.ROOT / deployed.plan.manifest
    assert committed.read_text() == deployed.manifest, "what is applied is what is committed"
    before = specs(deployed)
    again = cluster.run("apply", "-f", str(committed))
    assert again.stderr == "", "the API server warns of what it deprecates, and of what Pod Security forbids"
    changed = [line for line in again.stdout.splitlines() if not line.endswith(" unchanged")]
    # kubectl patches the selector of every budget, whose patch strategy is to replace it, and calls it configured.
    assert changed == [f"poddisruptionbudget.policy/{deployed.app} configured"]
    assert cluster.run("diff", "-f", str(committed)).stdout == ""
    server_side = cluster.run("apply", "--server-side", "-f", str(committed))
    assert server_side.stderr == "" and "conflict" not in server_side.stdout
    assert specs(deployed) == before


def specs(deployed: Deployed) -> dict[str, Any]:
    """What is wanted of each object. Not its generation: kubectl's own annotation raises a Deployment's."""
    listed = deployed.cluster.run("get", "-f", str(kit.ROOT / deployed.plan.manifest), "-o", "json").stdout
    return {each["kind"]: each.get("spec") for each in json.loads(listed)["items"]}


def test_pods_are_what_the_plan_says(deployed: Deployed) -> None:
    pods = deployed.pods()
    assert pods and all(ready(pod) and restarts(pod) == 0 for pod in pods)
    name = pods[0]["metadata"]["name"]
    logs = deployed.cluster.run("logs", name, "-c", "app").stdout
    assert kit.complaints(logs) == []
    (report,) = (json.loads(line) for line in logs.splitlines() if '"event": "boot"' in line)
    expected = explanation(deployed.plan)["numbers"]
    assert report["numbers"]["workers"]["value"] == expected["workers"]["value"]
    children = "import os\nprint(sum(open(f'/proc/{p}/stat').read().rpartition(')')[2].split()[1] == '1'"
    children += " and b'kit_runtime.health' not in open(f'/proc/{p}/cmdline', 'rb').read()"
    children += " for p in os.listdir('/proc') if p.isdigit() and os.path.exists(f'/proc/{p}/stat')))"
    assert int(deployed.cluster.python(name, children)) == expected["workers"]["value"]
    file = Path("/etc/kit") / deployed.plan.server.configuration
    mounted = deployed.cluster.python(name, f"print(open('{file}').read(), end='')")
    assert mounted == deployed.plan.configuration or mounted in deployed.manifest.replace("\n    ", "\n")


def test_inside_a_pod_holds_what_holds_inside_a_container(
    deployed: Deployed, kubectl_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{kubectl_folder}:{os.environ['PATH']}")
    inside = testinfra.get_host(f"kubectl://{deployed.ready_pod()}?container=app&namespace={NAMESPACE}")
    (user,) = {pod["spec"]["securityContext"]["runAsUser"] for pod in deployed.pods()}
    checks.owns_nothing_and_writes_nowhere(inside, user)
    checks.files_and_modes(inside)
    checks.has_descriptors(inside, deployed.plan)
