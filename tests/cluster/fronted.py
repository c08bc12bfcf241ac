"""The app behind an ingress, alone in its pods and with both sidecars: what the profiles of these tests say."""

from __future__ import annotations

import json
from pathlib import Path

from generator.containers.docker import Docker
from tests.containers.support import chained_app
from tests.containers.support.images import NGINX_TAG, ensure_nginx_image

from . import exporter
from .cluster import NAMESPACE, Cluster
from .conftest import Deploy
from .mounted import mount
from .node import node
from .scenarios import Deployed

SMALL = "profiles/small.yaml"
INGRESS_NAMESPACE = f"{NAMESPACE}-ingress"


def host_of(app: Deployed) -> str:
    return f"{app.app}.example.com"


def plain(cluster: Cluster, deploy: Deploy) -> Deployed:
    """The server alone."""
    return deploy(SMALL, *settings(cluster, "routed"))


def with_sidecars(cluster: Cluster, docker: Docker, deploy: Deploy) -> Deployed:
    """With nginx in front of the server, and the statsd exporter beside it."""
    ensure_nginx_image(docker)
    cluster.load_image(docker, NGINX_TAG, NGINX_TAG)
    ours = (f"proxy_image={NGINX_TAG}", "kubernetes.proxy=true", *exporter.settings(cluster, docker))
    # No registry has their images.
    return deploy(SMALL, *settings(cluster, "sidecars"), *ours, "kubernetes.image_pull_policy=IfNotPresent")


def settings(cluster: Cluster, name: str) -> tuple[str, ...]:
    """As docs/your-app.md says of an ingress controller in pods: its namespace, and the network of the pods."""
    # Our node has its network from the CNI plugin's configuration, and none from the controller manager.
    networks = [each["spec"].get("podCIDR", node.PODS) for each in cluster.get("nodes")["items"]]
    return (
        f"name={name}",
        f"forwarded_allow_ips={','.join([*networks, '127.0.0.1', '::1'])}",
        f"kubernetes.allowed_namespaces={json.dumps([INGRESS_NAMESPACE])}",
        "kubernetes.route.kind=ingress",
        f"kubernetes.route.host={name}.example.com",
        *mount(cluster, Path(chained_app.__file__)),
    )
