"""Other servers with the same app and limits, each with the best setting found for the work; all in one image."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from generator.containers.build_args import host_build_args
from generator.containers.docker import Docker, Image
from generator.proof.stage import server_options, upstream_port
from tests.containers.kit import ROOT
from tests.load.rivals import LARGE, Rival, plan_of

FILES = ROOT / "tests/load/servers"
APP = ROOT / "docker/app"


def build_image(docker: Docker, base: str, buildkit: bool) -> Image:
    """From the wheels of servers/requirements.txt."""
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as name:
        context = Path(name)
        shutil.copytree(FILES, context, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(APP, context / "app", ignore=shutil.ignore_patterns("__pycache__"))
        arguments = {"BASE_IMAGE": base, **host_build_args()}
        return docker.build(
            context, context / "Dockerfile", "kit-bench-servers:dev", buildkit=buildkit, build_args=arguments
        )


def flask_alone(docker: Docker, image: str) -> float:
    """Microseconds of CPU that Flask takes for `/`, called by nothing that parses or sends."""
    return float(docker.call("run", "--rm", "--network=none", image, "python", "serve.py", "alone").stdout)


def computing() -> list[Rival]:
    """For an app that computes: few threads (a sweep at 200 connections was best with 16), and those without any."""
    freastal = _other("freastal", "python serve.py freastal {port} {workers}")
    bjoern = _other("bjoern", "python serve.py bjoern {port} {workers}")
    return [granian(16), freastal, bjoern, uwsgi(), uvicorn(16)]


def waiting() -> list[Rival]:
    """For an app that waits for a backend: a sweep at 1,200 connections was best with 128 threads a worker.

    freastal and bjoern serve one request at a time in each process: 20 a second of these 50 ms.
    """
    return [granian(128), uwsgi(), uvicorn(128)]


def granian(threads: int) -> Rival:
    """Its own limit of open connections is 1,024 in all: raised to this kit's."""
    words = "granian --interface wsgi --http 1 --no-ws --host 0.0.0.0 --port {port} --workers {workers} --no-log "
    words += f"--blocking-threads {threads} --backlog {{backlog}} --backpressure {{connections}} {{module}}"
    return _other(f"granian, {threads} threads a worker", words)


def uwsgi() -> Rival:
    """Behind its own router: with --http11-socket its gevent loop crashes with today's gevent."""
    words = "uwsgi --master --http 0.0.0.0:{port} --http-keepalive --listen {backlog} --processes {workers} "
    words += "--gevent {connections} --gevent-early-monkey-patch --disable-logging --module {module}"
    return _other("uWSGI, gevent", words)


def uvicorn(threads: int) -> Rival:
    words = "uvicorn --host 0.0.0.0 --port {port} --workers {workers} --backlog {backlog} --no-access-log "
    words += "--log-level warning --timeout-keep-alive 75 serve:asgi"
    return _other(f"uvicorn with a2wsgi, {threads} threads a worker", words, THREADS=str(threads))


def _other(name: str, words: str, **environment: str) -> Rival:
    plan = plan_of(LARGE)
    numbers, profile = plan.numbers, plan.profile
    assert numbers.worker_connections is not None
    command = words.format(
        port=profile.port,
        workers=numbers.workers.value,
        backlog=profile.backlog,
        connections=numbers.worker_connections.value,
        module=profile.app.module,
    )
    environment = {"UPSTREAM": f"127.0.0.1:{upstream_port(plan)}", **environment}
    options = {**server_options(plan), "env": environment}
    return Rival(name, plan, profile.port, options, tuple(command.split()), other=True)
