"""Secrets in the pods, as docs/your-app.md says: missing, there, and changed while the pods run."""

from __future__ import annotations

import json
from typing import Any

from generator.proof.kubectl import ready
from generator.render.render import render
from tests.cluster import scenarios
from tests.cluster.cluster import Cluster, wait
from tests.cluster.conftest import Deploy
from tests.containers import kit

PROFILE = "profiles/small.yaml"
SECRET = "kit-test-word"
WORD = f"secret: {SECRET}, key: word"
SETTINGS = (
    "name=secretive",
    "kubernetes.replicas=1",
    f"env_secrets={{SAMPLE_WORD: {{{WORD}}}, SAMPLE_FILE: {{{WORD}, file: true}}}}",
)
#: How long a file may take: the kubelet looks at a pod's volumes about once a minute.
SYNC_SECONDS = 240


def write(cluster: Cluster, word: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": {"word": word}}
    cluster.kubectl.apply(secret)


def test_a_changed_secret_reaches_the_file_at_once_and_the_variable_with_a_restart(
    cluster: Cluster, deploy: Deploy, load_image: Any
) -> None:
    plan = kit.plan_of(PROFILE, *SETTINGS)
    load_image(PROFILE, plan.image)
    cluster.run("apply", "-f", "-", text=render(plan)[plan.manifest])
    events = ("get", "events", "--field-selector", "reason=FailedMount", "-o", "jsonpath={.items[*].message}")
    wait(lambda: f'"{SECRET}" not found' in cluster.run(*events).stdout, 120, "the kubelet says what is missing")
    assert not any(map(ready, cluster.pods("secretive")))

    write(cluster, "first")
    deployed = deploy(PROFILE, *SETTINGS)
    pod = deployed.ready_pod()

    def seen(name: str) -> tuple[str, str]:
        """By the pod's own server: the variable, and the file whose path is a variable."""
        url = f"http://127.0.0.1:{plan.profile.port}/info"
        code = f"import urllib.request as r; print(r.urlopen('{url}', timeout=30).read().decode())"
        environment = json.loads(cluster.python(name, code))["environment"]
        file = cluster.python(name, f"print(open({environment['SAMPLE_FILE']!r}).read(), end='')")
        return environment["SAMPLE_WORD"], file

    assert seen(pod) == ("first", "first")
    write(cluster, "second")
    wait(lambda: seen(pod)[1] == "second", SYNC_SECONDS, "the file in the running pod changes", every=2)
    assert seen(pod)[0] == "first", "a variable keeps the value that it had when the container started"
    assert [each["metadata"]["name"] for each in deployed.pods()] == [pod], "nothing has restarted it"
    scenarios.restart(deployed)
    wait(
        lambda: deployed.pods() and pod not in [each["metadata"]["name"] for each in deployed.pods()], 180, "a new pod"
    )
    deployed.settle()
    assert seen(deployed.ready_pod()) == ("second", "second")
