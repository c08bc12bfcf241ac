"""app.before_start and jobs: once for each release, no pod of it before that, and old pods that outlive a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import yaml

from generator.containers.docker import Docker
from generator.proof.kubectl import ready
from generator.render.render import render
from tests.cluster.cluster import Cluster, wait
from tests.containers import kit

PROFILE = "profiles/small.yaml"
APP, WORKER = "commands", "commands-worker"
#: What a release of the test is: the code that runs before it, and its image.
Apply = Callable[[str, str], str]


@pytest.fixture(scope="module")
def apply(cluster: Cluster, docker: Docker) -> Iterator[Apply]:
    """Apply a release; the name of its Job."""
    tag = kit.build(docker, kit.plan_of(PROFILE))
    for number in ("one", "two"):
        cluster.load_image(docker, tag, f"{APP}:{number}")
    applied: list[str] = []

    def apply_release(code: str, image: str) -> str:
        job = "{name: worker, command: [sleep, infinity], replicas: 2, resources: {cpu: 50m, memory: 64Mi}}"
        plan = kit.plan_of(
            PROFILE,
            f"name={APP}",
            f"image={image}",
            f'app.before_start=[python, -c, "{code}"]',
            f"jobs=[{job}]",
            "kubernetes.replicas=3",
            "kubernetes.image_pull_policy=IfNotPresent",
        )
        text = render(plan)[plan.manifest]
        applied.append(text)
        done = cluster.run("apply", "-f", "-", text=text)
        assert done.stderr == "", "no warning, of Pod Security's neither"
        return next(str(one["metadata"]["name"]) for one in yaml.safe_load_all(text) if one["kind"] == "Job")

    yield apply_release
    for text in applied:
        cluster.run("delete", "-f", "-", "--ignore-not-found", "--wait=false", text=text)


def settled(cluster: Cluster) -> None:
    for name in (APP, WORKER):
        wait(lambda name=name: cluster.kubectl.settled(name), 240, f"{name} is ready")  # type: ignore[misc]


def marked(cluster: Cluster) -> dict[str, str]:
    """The releases that have run, with their images."""
    return dict(cluster.get("configmap", f"{APP}-before-start").get("data") or {})


def condition(job: Any) -> set[str]:
    return {one["type"] for one in job["status"].get("conditions") or [] if one["status"] == "True"}


def images(cluster: Cluster, app: str) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in cluster.pods(app) if ready(pod)}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_release_runs_once_and_its_pods_start_afterwards(cluster: Cluster, apply: Apply) -> None:
    name = apply("import time; print('migrates', flush=True); time.sleep(5)", f"{APP}:one")
    settled(cluster)
    release = name.rpartition("-")[2]
    assert marked(cluster) == {release: f"{APP}:one"}
    (pod,) = cluster.get("pods", "-l", f"batch.kubernetes.io/job-name={name}")["items"]
    assert cluster.run("logs", f"job/{name}").stdout == "migrates\n", "the command's output, once"
    ended = moment(pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["finishedAt"])
    started = [
        moment(one["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
        for app in (APP, WORKER)
        for one in cluster.pods(app)
    ]
    assert len(started) == 3 + 2 and min(started) >= ended
    endpoints = cluster.get("endpointslices", "-l", f"kubernetes.io/service-name={APP}")["items"]
    assert sum(len(one.get("endpoints") or []) for one in endpoints) == 3, "no pod of the Job, nor of the worker"


def test_the_same_again_changes_nothing(cluster: Cluster, apply: Apply) -> None:
    before = marked(cluster)
    name = apply("import time; print('migrates', flush=True); time.sleep(5)", f"{APP}:one")
    jobs = cluster.get("jobs", "-l", f"app.kubernetes.io/instance={APP}-before-start")["items"]
    assert [one["metadata"]["name"] for one in jobs] == [name] and marked(cluster) == before
    # As a week later, when the Job has been deleted: it is made again, and runs nothing.
    cluster.run("delete", "job", name, "--wait=true")
    apply("import time; print('migrates', flush=True); time.sleep(5)", f"{APP}:one")
    wait(lambda: "Complete" in condition(cluster.get("job", name)), 120, "the Job has ended")
    assert "nothing to do" in (log := cluster.run("logs", f"job/{name}").stdout) and "migrates" not in log
    settled(cluster)


def test_a_failed_command_is_seen_and_leaves_the_old_pods_serving(cluster: Cluster, apply: Apply) -> None:
    before = marked(cluster)
    old = {app: {pod["metadata"]["name"] for pod in cluster.pods(app)} for app in (APP, WORKER)}
    name = apply("print('half-way', flush=True); raise SystemExit(3)", f"{APP}:two")
    wait(lambda: "Failed" in condition(cluster.get("job", name)), 120, "the Job has failed")
    assert len(cluster.get("pods", "-l", f"batch.kubernetes.io/job-name={name}")["items"]) == 1, "not tried again"
    assert "half-way" in cluster.run("logs", f"job/{name}").stdout
    assert marked(cluster) == before

    def waiting() -> list[Any]:
        return [pod for pod in cluster.pods(APP) if pod["metadata"]["name"] not in old[APP]]

    wait(waiting, 60, "a pod of the new release")
    for app in (APP, WORKER):
        serving = {pod["metadata"]["name"] for pod in cluster.pods(app) if ready(pod)}
        assert serving == old[app], app
    # One of the old release that is moved meanwhile starts again: its release is marked.
    victim = next(iter(old[APP]))
    cluster.run("delete", "pod", victim, "--wait=true")
    wait(lambda: len([pod for pod in cluster.pods(APP) if ready(pod)]) == 3, 180, "three ready pods")
    assert images(cluster, APP) == {f"{APP}:one"}


def test_the_next_release_rolls_app_and_jobs(cluster: Cluster, apply: Apply) -> None:
    apply("print('done')", f"{APP}:two")
    settled(cluster)
    assert images(cluster, APP) == images(cluster, WORKER) == {f"{APP}:two"}
    assert sorted(marked(cluster).values()) == [f"{APP}:one", f"{APP}:two"]
