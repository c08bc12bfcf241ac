"""An app of one file in the pods, in place of the sample app that their image has."""

from __future__ import annotations

import json
from pathlib import Path

from .cluster import Cluster

_POD = "/Deployment/spec/template/spec"


def mount(cluster: Cluster, source: Path) -> tuple[str, ...]:
    """Put the file into a ConfigMap; the settings by which a profile's pods run it in place of the image's app."""
    name = source.stem.replace("_", "-")
    metadata = {"name": name, "namespace": cluster.kubectl.namespace}
    cluster.kubectl.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {source.name: source.read_text()}}
    )
    file = {"name": name, "mountPath": f"/app/{source.name}", "subPath": source.name, "readOnly": True}
    additions = {
        f"{_POD}/volumes/-": {"name": name, "configMap": {"name": name}},
        f"{_POD}/containers/0/volumeMounts/-": file,
    }
    patches = [{"op": "add", "path": path, "value": value, "why": "a test"} for path, value in additions.items()]
    return (f"app.module={source.stem}:app", f"kubernetes.patches={json.dumps(patches)}")
