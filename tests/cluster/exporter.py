"""The statsd exporter that a pod has with `kubernetes.metrics`: Prometheus' own, built from its Go module."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from generator.containers.docker import Docker

from .cluster import Cluster
from .node.build import BIN

TAG = "kit-statsd-exporter:test"
_DOCKERFILE = """\
FROM scratch
COPY statsd_exporter /
ENTRYPOINT ["/statsd_exporter"]
"""


def settings(cluster: Cluster, docker: Docker) -> tuple[str, ...]:
    """Those of a profile whose pods have it; on a cluster that is not ours alone with the image of the kit's choice."""
    if not cluster.own:
        return ("kubernetes.metrics=prometheus",)
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copy(BIN / "statsd_exporter", context)
        (context / "Dockerfile").write_text(_DOCKERFILE)
        docker.build(context, context / "Dockerfile", TAG, no_cache=True)
    cluster.load_image(docker, TAG, TAG)
    return ("kubernetes.metrics=prometheus", f"kubernetes.metrics_image={TAG}")
