"""Who is measured: the kit's images, and the same app under other people's rules, in the same image and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from generator.containers.docker import Option
from generator.pipeline import read_plans
from generator.plan.plan import Plan
from generator.proof.against import PORT as SEED_PORT
from generator.proof.against import seed_command, seed_options
from generator.proof.stage import server_options

LARGE, SMALL = "profiles/large.yaml", "profiles/small.yaml"


@dataclass(frozen=True)
class Rival:
    """A server in the image of a plan; without a command it is the image's own."""

    name: str
    plan: Plan
    port: int
    options: dict[str, Option]
    command: tuple[str, ...] = ()
    other: bool = False  # not in the plan's image but in that of the other servers, see others.py


@cache
def plan_of(profile: str, *overrides: str) -> Plan:
    return read_plans((profile,), overrides)[0]


def as_large() -> tuple[str, ...]:
    """What gives another profile the connections and limits of large.yaml."""
    large = plan_of(LARGE).profile
    cpu, memory = large.resources.cpu, large.resources.memory
    return f"connections={large.connections}", f"resources.cpu={cpu}m", f"resources.memory={memory}"


def kit(profile: str, *overrides: str) -> Rival:
    plan = plan_of(profile, *overrides)
    return Rival(f"this kit, {plan.server.name}", plan, plan.profile.port, server_options(plan))


def copied_rule(profile: str) -> Rival:
    """This kit's server with as many workers as the copied configuration takes."""
    workers = 2 * plan_of(profile).numbers.cpus.value + 1
    found = kit(profile, f"workers={workers}")
    return replace(found, name=f"{found.name}, but 2n + 1 = {workers} workers")


def kits(servers: str, *overrides: str) -> list[Rival]:
    """This kit's other servers, with a profile each."""
    return [kit(f"profiles/servers/{server}.yaml", *overrides) for server in servers.split()]


def threads(number: int, *overrides: str) -> Rival:
    """gthread with more threads than by its rule, for an app that mostly waits."""
    found = kit("profiles/servers/gthread.yaml", f"threads={number}", *overrides)
    return replace(found, name=f"{found.name}, {number} threads")


def seed(profile: str) -> Rival:
    plan = plan_of(profile)
    return Rival("the copied configuration, gevent", plan, SEED_PORT, seed_options(plan), seed_command(plan))


def stock(profile: str, *overrides: str) -> Rival:
    """gunicorn's own gevent worker with this profile's numbers."""
    plan = plan_of(profile, *overrides)
    numbers, settings = plan.numbers, plan.profile
    assert numbers.worker_connections is not None
    words = f"-k gevent -w {numbers.workers.value} --worker-connections {numbers.worker_connections.value}"
    words += f" --keep-alive {settings.keepalive} --backlog {settings.backlog}"
    return _bare(plan, "gunicorn's gevent, our numbers", *words.split())


def peers(profile: str) -> list[Rival]:
    """Their rules at this profile's CPUs and memory, each with gunicorn's defaults for all else."""
    plan = plan_of(profile)
    cpus, mebibytes = plan.numbers.cpus.value, plan.profile.resources.memory // 2**20
    heroku = min(mebibytes // 256, 2 * cpus + 1)  # vendor/WEB_CONCURRENCY.sh: a worker for each 256 MB, at most 2n + 1
    rules: dict[int, list[str]] = {}
    for workers, rule in ((2 * cpus + 1, "gunicorn's image"), (heroku, "Heroku"), (2 * cpus, "s2i")):
        rules.setdefault(workers, []).append(rule)
    found = [_bare(plan, f"gunicorn -k gevent, {cpus} workers", "-k", "gevent", "-w", str(cpus))]
    return found + [_bare(plan, f"{', '.join(names)}: sync, {w} workers", "-w", str(w)) for w, names in rules.items()]


def tiangolo(*overrides: str) -> Rival:
    """A worker a CPU, two at least, stock worker class; on this kit's build, since stock does not build any more."""
    plan = plan_of("profiles/servers/meinheld.yaml", *overrides)
    workers = str(max(2, plan.numbers.cpus.value))
    words = ("-k", "meinheld.gmeinheld.MeinheldWorker", "-w", workers, "--keep-alive", "5", "--timeout", "120")
    return _bare(plan, f"tiangolo: stock meinheld worker, {workers} workers", *words)


def _bare(plan: Plan, name: str, *words: str) -> Rival:
    command = (*words, "--bind", f"0.0.0.0:{plan.profile.port}", plan.profile.app.module)
    options = {**server_options(plan), "entrypoint": "/opt/venv/bin/gunicorn"}
    return Rival(name, plan, plan.profile.port, options, command)
