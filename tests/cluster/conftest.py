"""One cluster and one namespace for the session; each profile applied when it is first asked for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from generator.containers.docker import Docker
from generator.render.render import render
from tests.cluster import cluster as clusters
from tests.cluster.cluster import NAMESPACE, Cluster
from tests.cluster.scenarios import Deployed
from tests.containers import kit
from tests.containers.conftest import docker as docker  # the engine that builds the images
from tests.containers.support.docker import build_text

#: The same image under another name, and one whose app fails at import.
NEXT, BROKEN = "next", "broken"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", default=clusters.named_by_user(), help="the cluster to test on; $KUBECONFIG")
    parser.addoption(
        "--load-image",
        metavar="COMMAND",
        default=os.environ.get("KIT_LOAD_IMAGE"),
        help="copies an image, whose name is added, to that cluster's nodes: 'kind load docker-image'; $KIT_LOAD_IMAGE",
    )


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Its namespace is removed at the end; the cluster stays until `make cluster-down`."""
    kubeconfig = request.config.getoption("--kubeconfig")
    if why := clusters.why_none(kubeconfig):
        pytest.fail(f"no cluster to test on: {why}")
    found = clusters.find(kubeconfig, request.config.getoption("--load-image"))
    with found.namespace(NAMESPACE):
        yield found


@pytest.fixture(scope="session")
def kubectl_folder(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH, with a kubectl that finds this cluster."""
    kubectl = tmp_path_factory.mktemp("bin") / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec {shlex.join(cluster.words)} "$@"\n')
    kubectl.chmod(0o755)
    return kubectl.parent


Deploy = Callable[..., Deployed]


LoadImage = Callable[[str, str], None]


@pytest.fixture(scope="session")
def load_image(cluster: Cluster, docker: Docker) -> LoadImage:
    """Build a profile's image, and put it on the nodes under the name that a manifest says."""
    loaded: set[tuple[str, str]] = set()

    def load(profile: str, name: str) -> None:
        if (profile, name) not in loaded:
            cluster.load_image(docker, kit.build(docker, kit.plan_of(profile)), name)
            loaded.add((profile, name))

    return load


@pytest.fixture(scope="session")
def changed_images(cluster: Cluster, docker: Docker, load_image: LoadImage) -> dict[str, str]:
    """Images made from small's: one that differs by a label, one whose app fails at import."""
    load_image("profiles/small.yaml", "small:dev")
    base = kit.tag_of(kit.plan_of("profiles/small.yaml"))
    broken = "USER root\nRUN echo 'raise RuntimeError(1)' > /app/flask_server.py\nUSER 10001:10001\n"
    for name, instructions in ((NEXT, "LABEL kit.test=next\n"), (BROKEN, broken)):
        tag = f"kit-test-{kit.CHECKOUT}-{name}:dev"
        build_text(docker, f"FROM {base}\n{instructions}", tag)
        cluster.load_image(docker, tag, f"{name}:dev")
        docker.call("rmi", "--no-prune", tag)
    return {name: f"{name}:dev" for name in (NEXT, BROKEN)}


@pytest.fixture(scope="session")
def deploy(cluster: Cluster, load_image: LoadImage) -> Iterator[Deploy]:
    """Apply a profile's manifest and wait until it serves; what one test left is put right for the next."""
    applied: dict[str, str] = {}

    def find(profile: str, *overrides: str) -> Deployed:
        plan = kit.plan_of(profile, *overrides)
        load_image(profile, plan.image)
        manifest = render(plan)[plan.manifest]
        app = plan.kubernetes.name
        is_there = cluster.run("get", "deployment", app, check=False).returncode == 0  # no test has removed it
        if not is_there or applied.get(app) != manifest:
            cluster.run("apply", "-f", "-", text=manifest)
            applied[app] = manifest
        deployed = Deployed(cluster, plan, app, plan.image, manifest)
        deployed.settle()
        return deployed

    yield find
    for manifest in applied.values():
        for each in yaml.safe_load_all(manifest):
            name = each["metadata"]["name"]
            cluster.run("delete", each["kind"], name, "--ignore-not-found", "--wait=false")
