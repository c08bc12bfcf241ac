"""An app of one file in the pods, in place of the sample app that their image has."""

from __future__ import annotations

import json
from pathlib import Path

from .cluster import Cluster

_POD = "/Deployment/spec/template/spec"


def mount(cluster: Cluster, source: Path, *pulled: str) -> tuple[str, ...]:
    """Put the file into a ConfigMap; the settings by which a profile's pods see it beside the image's app, and run it.

    ``pulled`` are paths of sidecars whose images the node has, and no registry: their policy is Always.
    """
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
    patches += [
        {"op": "replace", "path": f"{_POD}/{path}/imagePullPolicy", "value": "IfNotPresent", "why": "a test"}
        for path in pulled
    ]
    return (f"app.module={source.stem}:app", f"kubernetes.patches={json.dumps(patches)}")
