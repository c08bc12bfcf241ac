"""``python -m tests.cluster up|down|check|kubectl ARGUMENTS``: the cluster that the tests would choose.

check says in one line why there is none, with exit code 1; it builds nothing.
"""

from __future__ import annotations

import os
import sys

from . import cluster
from .node import build, node


def main(what: str = "", *words: str) -> int:
    if what == "check":
        print(cluster.why_none(cluster.named_by_user()) or "there is one")
        return 1 if cluster.why_none(cluster.named_by_user()) else 0
    if what == "up":
        if not cluster.named_by_user() and cluster.why_none(None):
            build.build()
        if why := cluster.why_none(cluster.named_by_user()):
            print(f"no cluster: {why}", file=sys.stderr)
            return 1
        print(f"{cluster.find(cluster.named_by_user()).name} is up")
        return 0
    if what == "down":
        node.down()
        return 0
    if what == "kubectl" and node.pid():
        command = node.kubectl(*words)
        os.execvp(command[0], command)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
