"""``make faults``: every fault done to every production server, into docs/faults.md; 1 where a promise is broken."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from generator.containers.docker import Docker
from tests.containers import faults, kit
from tests.containers.faults import Outcome
from tests.containers.support.base_image import ensure_base_image
from tests.containers.support.docker import LABEL
from tests.containers.support.engine import ensure_engine

FILE = kit.ROOT / "docs" / "faults.md"
#: One profile for each production server, so that a new server gets every fault.
PROFILES = {
    plan.server.name: profile
    for profile, plan in ((profile, kit.plan_of(profile)) for profile in kit.PROFILES)
    if plan.server.production
}

TEXT = """\
# What goes wrong, and what comes of it

Each fault is done to a booted container of each server with two workers, `timeout` 8 s, `graceful_timeout` 6 s, 256 MiB
and 512 descriptors, while {hands} clients at a time send requests on new connections. A cell has the requests
sent meanwhile, how many of them failed, and the seconds in which the container recovered: from the fault until every
worker was there and ten requests in a row had a response; **not recovered** where it did not.
How many are sent, and the seconds, are this machine's doing (two CPUs that others use too), and no test judges them;
that none fails is the kit's, and `tests/containers/test_faults_table.py` fails where one does.

{table}

- The seconds count from the signal; at a freeze, a full `/tmp` and an import error from their end; of several signals
  from the last. A hung worker is noticed after `timeout`, so these have 8 s among them.
- SIGTERM: {held} requests of 0.7 s each, sent before the signal, some in progress and the rest in the queue; the
  seconds are those until it ended with 0.
- App raises OSError: as of a database that resets a connection, outside of Flask; each is a 500 with its traceback.
- SIGHUP with a changed file: workers that import the app themselves have the new code. With `preload_app`
  ([whose default it is](servers.md)) the master has imported it: SIGHUP makes new workers of the old
  code, and **a new container has the new code**.
- Freeze: `docker pause` for {frozen} s, more than twice `timeout`, which is harder than 40 s with the default
  `timeout` of 30 s; no worker is replaced.
- Slow bodies: clients that stop in the middle of a body; slow readers: clients that take nothing of a response of
  30 MB. Each is ended, after 60 s, and here after 2. Servers that need a proxy leave it to that.
- `/tmp` full: an upload that needs it is refused, everything else has a response.
- Import error: at the start; the container ends and says why, and serves once the file is mended.

Where requests may fail:

{reasons}

Made by `make faults`, which boots the servers as the container tests do.
"""
NAMES = {
    "kill_9_of_each_worker": "`kill -9` of each worker",
    "sigterm": "SIGTERM under load",
    "sighup_with_a_changed_file": "SIGHUP with a changed file",
    "sigstop_of_a_worker": "SIGSTOP of a worker",
    "tmp_full": "`/tmp` full",
    "app_raises_oserror": "app raises OSError",
}


def main() -> int:
    found: dict[str, dict[str, Outcome]] = {}
    with ensure_engine() as engine:
        docker = Docker(engine.client, LABEL)
        ensure_base_image(docker)
        for server, profile in sorted(PROFILES.items()):
            with tempfile.TemporaryDirectory() as scratch:
                Path(scratch).chmod(0o755)
                built = kit.build(docker, kit.plan_of(profile))
                with faults.staged(docker, built, profile, Path(scratch)) as stage:
                    found[server] = faults.outcomes(stage)
            print(server, faults.broken_promises(found[server]) or "as promised", file=sys.stderr, flush=True)
    FILE.write_text(text(found))
    print(FILE.read_text())
    return 1 if any(map(faults.broken_promises, found.values())) else 0


def text(found: dict[str, dict[str, Outcome]]) -> str:
    rows = ["| fault | " + " | ".join(f"`{server}`" for server in found) + " |", "| --- " * (len(found) + 1) + "|"]
    for fault in (one.__name__ for one in (*faults.FAULTS, *faults.LAST)):
        cells = (cell(outcomes[fault]) if fault in outcomes else "its proxy's" for outcomes in found.values())
        rows.append(f"| {shown(fault)} | {' | '.join(cells)} |")
    reasons = [f"- {shown(fault.__name__)}: {why}." for fault, why in faults.MAY_FAIL.items()]
    return TEXT.format(
        table="\n".join(rows), reasons="\n".join(reasons), hands=faults.HANDS, held=faults.HELD, frozen=faults.FROZEN
    )


def shown(fault: str) -> str:
    return NAMES.get(fault, fault.replace("_", " "))


def cell(outcome: Outcome) -> str:
    counted = f"{outcome.sent} / {outcome.failed}" if outcome.sent else "recovered"
    if not outcome.recovered or outcome.recovered_in is None:
        return f"{outcome.sent} / {outcome.failed}, **not recovered**"
    return f"{counted} in {outcome.recovered_in:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
