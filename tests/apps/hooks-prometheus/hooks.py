import os
from pathlib import Path

# Before prometheus_client is imported, which looks for it; /tmp is empty in a new container.
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(exist_ok=True)


def child_exit(server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
