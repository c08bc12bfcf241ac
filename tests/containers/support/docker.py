"""What only the tests ask of Docker: builds from a text, containers that run to their end, an image's label."""

from __future__ import annotations

import secrets

from generator.containers.command import Completed
from generator.containers.container import Container
from generator.containers.docker import BUILD_SECONDS, Docker, Image, Option, flags

#: Label of every container that a test starts; its value is the session's run id.
LABEL = "kit-test"


def build_text(
    docker: Docker,
    dockerfile: str,
    tag: str,
    *,
    buildkit: bool = False,
    timeout: float = BUILD_SECONDS,
    **options: Option,
) -> Image:
    """`docker build` of a Dockerfile that needs no context."""
    return docker.build_from([*flags(options), "--tag", tag, "-"], tag, buildkit, dockerfile, timeout)


def image_label(docker: Docker, reference: str, label: str) -> str:
    """One label of a local image; empty where it has none."""
    form = f'{{{{index .Config.Labels "{label}"}}}}'
    return docker.call("image", "inspect", "--format", form, reference).stdout.strip()


def run_once(
    docker: Docker,
    image: str,
    *args: str,
    timeout: float = 120,
    stdin: str | None = None,
    check: bool = True,
    **options: Option,
) -> Completed:
    """`docker run --rm IMAGE ARGS` to its end; past the time limit the container is removed too."""
    name = f"{docker.label}-{secrets.token_hex(8)}"
    words = [
        "--rm",
        "--sig-proxy=false",
        "--name",
        name,
        "--label",
        f"{docker.label}={docker.run_id}",
        *flags(options),
    ]
    if stdin is not None:
        words.append("--interactive")
    try:
        return docker.call("run", *words, image, *args, timeout=timeout, stdin=stdin, check=check)
    except BaseException:
        docker.call("rm", "--force", "--volumes", name, check=False)
        raise


def health(container: Container) -> str | None:
    """`starting`, `healthy` or `unhealthy`; None where the image has no HEALTHCHECK."""
    found = container.state().get("Health")
    return found["Status"] if found else None


def host_port(container: Container, container_port: int) -> int:
    """The free port that `publish="127.0.0.1::PORT"` was given on this machine."""
    bound = container.client.call("port", container.id, f"{container_port}/tcp").stdout.splitlines()
    return int(bound[0].rpartition(":")[2])
