"""The images beside a container: one with ss and ps, one with load generators, and what an app needs next to it."""

from __future__ import annotations

import json

from generator.containers.build_args import host_build_args as host_build_args
from generator.containers.build_args import host_proxies
from generator.containers.command import Completed
from generator.containers.container import Container
from generator.containers.docker import Docker, Image, Option
from tests.containers.support import host
from tests.containers.support.base_image import TAG as BASE_TAG
from tests.containers.support.docker import build_text, run_once

PROBE_TAG = "kit-probe:test"
LOAD_TAG = "kit-load:test"
NGINX_TAG = "kit-nginx:test"
REDIS_TAG = "kit-redis:test"
POSTGRES_TAG = "kit-postgres:test"

PACKAGES = {
    PROBE_TAG: ("iproute2", "procps"),  # what testinfra's socket, process and interface call
    LOAD_TAG: ("nghttp2-client", "wrk"),  # h2load and wrk; the base brings python3
    NGINX_TAG: ("nginx-light", "curl"),  # Debian's nginx, where the official image is not at hand
    REDIS_TAG: ("redis-server",),  # the same
    POSTGRES_TAG: ("postgresql",),  # the same
}
#: What the official image does of itself: a new folder becomes a database of POSTGRES_USER's, open to the network.
POSTGRES_COMMAND = """\
data=/var/lib/postgresql/data bin=$(echo /usr/lib/postgresql/*/bin)
as="setpriv --reuid=postgres --regid=postgres --clear-groups"
chown postgres: $data
if [ ! -s $data/PG_VERSION ]; then
  $as $bin/initdb -D $data -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256
  echo "host all all all scram-sha-256" >> $data/pg_hba.conf
fi
exec $as $bin/postgres -D $data -c "listen_addresses=*"
"""
COMMANDS = {POSTGRES_TAG: ["sh", "-ec", POSTGRES_COMMAND]}


def dockerfile(tag: str, base: str = BASE_TAG) -> str:
    """The Dockerfile text of the side-car image of that tag."""
    packages = " ".join(PACKAGES[tag])
    return (
        f"FROM {base}\n"
        "USER 0\n"
        f"RUN apt-get update && apt-get install -y --no-install-recommends {packages}"
        " && rm -rf /var/lib/apt/lists/*\n"
        'LABEL kit-test.image="side-car"\n'
        f"CMD {json.dumps(COMMANDS.get(tag, ['sleep', 'infinity']))}\n"
    )


def ensure_probe_image(docker: Docker, base: str = BASE_TAG) -> Image:
    """Build kit-probe:test; the builder's cache makes a second call quick."""
    return _ensure(docker, PROBE_TAG, base)


def ensure_load_image(docker: Docker, base: str = BASE_TAG) -> Image:
    """Build kit-load:test."""
    return _ensure(docker, LOAD_TAG, base)


def ensure_nginx_image(docker: Docker, base: str = BASE_TAG) -> Image:
    """Build kit-nginx:test."""
    return _ensure(docker, NGINX_TAG, base)


def ensure_redis_image(docker: Docker, base: str = BASE_TAG) -> Image:
    """Build kit-redis:test."""
    return _ensure(docker, REDIS_TAG, base)


def ensure_postgres_image(docker: Docker, base: str = BASE_TAG) -> Image:
    """Build kit-postgres:test."""
    return _ensure(docker, POSTGRES_TAG, base)


def _ensure(docker: Docker, tag: str, base: str) -> Image:
    with host.one_at_a_time(host.lock_of(tag)):
        return build_text(docker, dockerfile(tag, base), tag, build_arg=host_proxies())


def sidecar(docker: Docker, container: Container, image: str = PROBE_TAG, **options: Option) -> Container:
    """A probe in the container's network and process namespaces, for testinfra's "docker://ID".

    It ends when the container does. `cap_add="SYS_PTRACE"` also opens /proc/PID/root and /proc/PID/fd.
    """
    beside = f"container:{container.id}"
    return docker.run_detached(image, "sleep", "infinity", network=beside, pid=beside, timeout=60, **options)


def run_beside(
    docker: Docker,
    container: Container,
    *argv: str,
    image: str = LOAD_TAG,
    timeout: float = 120,
    stdin: str | None = None,
    check: bool = True,
    **options: Option,
) -> Completed:
    """One command in the container's network namespace, where the server is 127.0.0.1."""
    return run_once(
        docker,
        image,
        *argv,
        timeout=timeout,
        stdin=stdin,
        check=check,
        network=f"container:{container.id}",
        **options,
    )
