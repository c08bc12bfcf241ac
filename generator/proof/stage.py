"""The containers of a proof: the server under the profile's own limits; load client and upstream beside it.

The load container owns the network namespace, so that a server may come and go in it; all requests go to 127.0.0.1.
Nothing outlives the proof: everything carries a label and is removed at the end, on Ctrl-C and on errors; should
this very process be killed, a small shell that waits for its end removes them.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ..containers.command import Completed, EngineError, undisturbed
from ..containers.container import Container
from ..containers.docker import Docker, Option
from ..plan.plan import Plan
from .env_file import Given, for_docker, mount_words
from .request import Request

BESIDE = ("python3", "/load_client/inside.py")
#: More than any single step of a proof takes; a command in a container ends by itself long before.
MAX_SECONDS = 300
SAMPLE_SECONDS = "0.5"


def _volume(path: str) -> str:
    return f"type=volume,target={path}"


def server_options(plan: Plan) -> dict[str, Any]:
    """The profile's limits, and as little else as a pod has: nothing writable but /tmp and volumes, which are empty."""
    return {
        "cpus": plan.profile.resources.cpu / 1000,
        "memory": plan.profile.resources.memory,
        "memory_swap": plan.profile.resources.memory,
        "read_only": True,
        "cap_drop": "ALL",
        "security_opt": "no-new-privileges",
        "tmpfs": "/tmp",
        # Of Docker's own, which take the owner of the image's folder; a tmpfs takes its mode alone, and root owns it.
        "mount": [_volume(path) for path in plan.volumes.made],
        "env": {"UPSTREAM": f"127.0.0.1:{upstream_port(plan)}"},
    }


def shared_volumes(plan: Plan) -> list[str]:
    """Folders that app.before_start and the server both have: those of claims; any other is each container's own."""
    return [one.mount_path for one in plan.volumes.compose if one.claim]


def upstream_port(plan: Plan) -> int:
    """A port for the upstream that is not the server's."""
    return 9000 if plan.profile.port != 9000 else 9001


@dataclass
class Stage:
    """The containers, while they are up."""

    docker: Docker
    plan: Plan
    image: str
    load_image: str
    #: By --env-file, for containers of the app alone.
    given: Given = field(default_factory=Given)
    server: Container | None = None
    #: That of app.before_start, whose volumes the servers take over.
    prepared: Container | None = None
    beside: Container = field(init=False)
    watcher: Container | None = None
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    def __enter__(self) -> Stage:
        self._reaper = start_reaper(self.docker)
        try:
            self.beside = self.docker.run_detached(self.load_image, "sleep", "3600")
            joined = f"container:{self.beside.id}"
            upstream = ("python3", "/load_client/upstream.py", str(upstream_port(self.plan)))
            self.docker.run_detached(self.load_image, *upstream, network=joined)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove all containers; another Ctrl-C does not stop that."""
        with undisturbed():
            remove_all(self.docker)
            self._threads.shutdown(wait=False, cancel_futures=True)
            if self._reaper.stdin:
                self._reaper.stdin.close()
            self._reaper.wait(60)

    def start_server(self) -> Container:
        """Boot the profile's image, and watch it from beside, where the engine lets one look."""
        self.server = self.run_app(self.image, **server_options(self.plan))
        self.watch(self.server)
        return self.server

    def run_app(self, image: str, *words: str, mount: Sequence[str] = (), **options: Option) -> Container:
        """A container of the app, beside the load client, with what --env-file gives."""
        options["network"] = f"container:{self.beside.id}"
        mounts = [*mount, *mount_words(self.given.mounts)]
        if self.prepared is not None:
            # What is mounted by itself stays so: Docker lets it replace what would come from another container.
            options["volumes_from"] = self.prepared.id
            mounts = [one for one in mounts if one not in map(_volume, shared_volumes(self.plan))]
        with for_docker(self.given.variables) as file:
            return self.docker.run_detached(image, *words, timeout=60, mount=mounts, env_file=file, **options)

    @property
    def subject(self) -> Container:
        """Whose log tells what went wrong: the server's, or app.before_start's where no server was started."""
        found = self.server or self.prepared
        assert found is not None
        return found

    def watch(self, server: Container) -> None:
        words = (*BESIDE, "watch", SAMPLE_SECONDS)
        try:
            # Hardly any CPU time while others want it: looking must not slow down what is looked at.
            options: dict[str, Option] = {"pid": f"container:{server.id}", "cap_add": "SYS_PTRACE", "cpu_shares": 2}
            self.watcher = self.docker.run_detached(self.load_image, *words, timeout=60, network="none", **options)
        except EngineError:
            self.watcher = None  # the server has ended already, or the engine forbids it: nothing to measure

    def unwatch(self) -> None:
        """End the watcher before its server ends, in whose namespace it lives."""
        if self.watcher is not None:
            self.watcher.remove()
            self.watcher = None

    def stop_watching(self) -> None:
        """Take no further samples, and keep those that there are.

        Before a server is stopped: a worker that ends writes to the pages it shares with the master, which become its
        own (sync, sampled every 5 ms: 6 MiB under load, 16 to 18 within 0.1 s of SIGTERM, in six runs of six).
        """
        if self.watcher is not None:
            self.docker.call("kill", self.watcher.id, check=False)

    def samples(self, last: int | None = None) -> list[dict[str, Any]]:
        """What the watcher has seen so far, oldest first."""
        if self.watcher is None:
            return []
        words = ["--tail", str(last)] if last else []
        lines = self.docker.call("logs", *words, self.watcher.id, check=False).stdout
        return [json.loads(line) for line in lines.splitlines() if line.endswith("}")]

    def exec(self, *argv: str, stdin: str | None = None, timeout: float = MAX_SECONDS) -> Completed:
        """A command in the load container, to its end, whatever its exit code."""
        return self.beside.exec(*argv, stdin=stdin, timeout=timeout, check=False)

    def begin(self, *argv: str) -> Future[Completed]:
        """The same, while this process does something else."""
        return self._threads.submit(self.exec, *argv)

    def put(self, path: str, text: str) -> None:
        """A file for the load tools."""
        self.exec("sh", "-c", f"cat > {shlex.quote(path)}", stdin=text)

    def answers(self, request: Request) -> str | None:
        """What the response to a request of that path calls its server, if anything."""
        words = (request.path, *([request.host] if request.host else []))
        found: str | None = self.inside("server", str(self.plan.profile.port), *words)
        return found

    def inside(self, *words: str) -> Any:
        """What inside.py found out, in the load container."""
        done = self.exec(*BESIDE, *words)
        if done.returncode != 0:
            raise EngineError(f"in the load container: {shlex.join(words)}\n{done.output[-2000:]}")
        return json.loads(done.stdout)


def remove_all(docker: Docker) -> None:
    """Until none is left: one whose creation Ctrl-C cut short may turn up a moment later."""
    while docker.cleanup():
        time.sleep(0.2)


def start_reaper(docker: Docker) -> subprocess.Popen[bytes]:
    """A shell that waits until this process closes its pipe, or dies, and removes what is left then."""
    command = shlex.quote(docker.client.path)
    label = f"label={docker.label}={docker.run_id}"
    script = f'read -r _; left=$({command} ps -aq --filter {label}); [ -z "$left" ] || {command} rm -f -v $left'
    return subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **docker.client.environment},
        start_new_session=True,
        cwd=Path("/"),
    )
