"""The statsd exporter that a pod has with `kubernetes.metrics`: Prometheus' own, built from its Go module."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from generator.containers.docker import Docker

from .cluster import Cluster
from .node import build

TAG = "kit-statsd-exporter:test"
_DOCKERFILE = """\
FROM scratch
COPY statsd_exporter /
ENTRYPOINT ["/statsd_exporter"]
"""


def settings(cluster: Cluster, docker: Docker) -> tuple[str, ...]:
    """Those of a profile whose pods have it."""
    build.command("statsd_exporter")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copy(build.BIN / "statsd_exporter", context)
        (context / "Dockerfile").write_text(_DOCKERFILE)
        docker.build(context, context / "Dockerfile", TAG, no_cache=True)
    cluster.load_image(docker, TAG, TAG)
    return ("kubernetes.metrics=prometheus", f"kubernetes.metrics_image={TAG}")
