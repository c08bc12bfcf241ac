"""Who is measured: the kit's image, and the same app under other people's rules, in the same image and limits."""

from __future__ import annotations

from dataclasses import dataclass

from generator.engine.docker import Option
from generator.plan import Plan
from generator.proof.against import PORT as SEED_PORT
from generator.proof.against import seed_command, seed_options
from generator.proof.stage import server_options


@dataclass(frozen=True)
class Rival:
    """A server of the same image; without a command it is the image's own."""

    name: str
    port: int
    options: dict[str, Option]
    command: tuple[str, ...] = ()


def rivals(plan: Plan) -> list[Rival]:
    """Their rules at this profile's CPUs and memory, each with gunicorn's defaults for all else."""
    cpus, mebibytes = plan.numbers.cpus.value, plan.profile.resources.memory // 2**20
    heroku = min(mebibytes // 256, 2 * cpus + 1)  # vendor/WEB_CONCURRENCY.sh: a worker for each 256 MB, at most 2n + 1
    gunicorn = ("-k", "gevent", "-w", str(cpus))
    return [
        Rival("this kit", plan.profile.port, server_options(plan)),
        Rival("seed, gevent", SEED_PORT, seed_options(plan), seed_command(plan)),
        _bare(plan, f"-k gevent, {cpus} workers", *gunicorn),
        _bare(plan, f"sync, 2n + 1 = {2 * cpus + 1} workers (gunicorn's image)", "-w", str(2 * cpus + 1)),
        _bare(plan, f"sync, {heroku} workers (Heroku)", "-w", str(heroku)),
        *([_bare(plan, f"sync, 2n = {2 * cpus} workers (s2i)", "-w", str(2 * cpus))] if heroku != 2 * cpus else []),
    ]


def _bare(plan: Plan, name: str, *words: str) -> Rival:
    command = (*words, "--bind", f"0.0.0.0:{plan.profile.port}", plan.profile.app.module)
    options = {**server_options(plan), "entrypoint": "/opt/venv/bin/gunicorn"}
    return Rival(name, plan.profile.port, options, command)
