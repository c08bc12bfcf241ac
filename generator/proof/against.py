"""The configuration that people copy (seed.py), in the same image and under the same limits, for comparison."""

from __future__ import annotations

import shlex
from typing import Any

from ..docs.seed import copied
from ..plan.plan import Plan
from . import loads
from .claim import NOTED, Claim
from .stage import server_options, upstream_port
from .walk import LATE, Walk

PORT, BOOT_SECONDS = 5000, 20
NAME = "against the copied configuration"


def seed_options(plan: Plan) -> dict[str, Any]:
    """The profile's limits, but a writable root and root as user: with less it does not start (its log files)."""
    limits = {name: value for name, value in server_options(plan).items() if name in ("cpus", "memory", "memory_swap")}
    environment = {"SEED": copied("gevent"), "UPSTREAM": f"127.0.0.1:{upstream_port(plan)}"}
    return {**limits, "user": "0", "entrypoint": "/bin/sh", "env": environment}


def seed_command(plan: Plan) -> tuple[str, str]:
    """The shell's words that start it; the file comes in a variable, so that nothing need be mounted."""
    config = "/tmp/gunicorn_config.py"
    return "-c", f'printf %s "$SEED" > {config}; exec gunicorn -c {config} {shlex.quote(plan.texts.wsgi_app)}'


def against(on: Walk) -> Claim:
    """Reported, not judged: the profile claims nothing about it."""
    promised = "the same load on gunicorn + gevent as copied from the web, same image, CPUs and memory"
    with on.stage.run_app(on.stage.image, *seed_command(on.plan), **seed_options(on.plan)):
        ready = on.stage.inside("wait", str(PORT), str(BOOT_SECONDS), "-")
        if ready["ready_at"] is None:
            return Claim(NAME, promised, "it does not boot", NOTED)
        # As long, and as patiently, as `holds` loaded the profile's own: in less time fewer connections get a response.
        command = loads.client(PORT, on.request, on.connections, on.pace.hold, timeout=LATE, finish=LATE)
        theirs = loads.of_client(on.stage.exec(*command))
    ours = on.held[on.request.path]
    measured = "; ".join(f"{name}: {_summary(result)}" for name, result in (("this profile", ours), ("copied", theirs)))
    return Claim(NAME, promised, measured, NOTED, data={"ours": ours, "theirs": theirs})


def _summary(result: dict[str, Any]) -> str:
    counts = f"{result['no_response']} without a response, {result['failed']} failed"
    return f"{counts}, {result['rps']:.0f}/s, {loads.percentiles(result)}"
