"""The containers' ground for people: python -m tests.containers.support up | status | down."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from generator.containers import client
from generator.containers.command import EngineError, say
from generator.containers.docker import Docker
from tests.containers.support import base_image, daemon, images
from tests.containers.support.docker import LABEL
from tests.containers.support.engine import ensure_engine


def up() -> int:
    """Engine, base image and side-car images; whatever is there already is kept, and all of it stays."""
    engine = ensure_engine()
    docker = Docker(engine.client, LABEL)
    print(f"engine   {engine.server_version}, by {engine.client.path}")
    print(_image_line(docker, "base", base_image.ensure_base_image(docker).tag))
    print(_image_line(docker, "probe", images.ensure_probe_image(docker).tag))
    print(_image_line(docker, "load", images.ensure_load_image(docker).tag))
    return 0


def status() -> int:
    """What is there, without changing anything; 1 if something is missing."""
    verdicts = [client.examine(candidate) for candidate in client.installed_clients()]
    print(f"clients\n{client.describe(verdicts)}")
    ours = daemon.remembered()
    print(f"dockerd  {f'started here, pid {ours.pid}' if ours else 'not started here'}")
    best = next((verdict for verdict in verdicts if verdict.works), None)
    if best is None:
        print("engine   none that works; `up` gets one")
        return 1
    docker = Docker(best.client, LABEL)
    print(f"engine   {best.server_version}, by {best.client.path}")
    tags = {"base": base_image.TAG, "probe": images.PROBE_TAG, "load": images.LOAD_TAG}
    for name, tag in tags.items():
        print(_image_line(docker, name, tag))
    print(f"test containers  {len(docker.leftovers('*'))}")
    return 0 if all(docker.image_id(tag) for tag in tags.values()) else 1


def down() -> int:
    """Remove every test container, and stop the dockerd if it was started from here; images stay."""
    best = next((found for found in client.installed_clients() if client.query_server(found)[0]), None)
    if best is not None:
        print(f"removed {len(Docker(best, LABEL).cleanup('*'))} test containers")
    ours = daemon.remembered()
    if ours is None:
        print("no dockerd was started from here; an engine that was found keeps running")
        return 0
    say(f"stopping dockerd (pid {ours.pid})")
    daemon.stop(ours)
    daemon.forget()
    return 0


def _image_line(docker: Docker, name: str, tag: str) -> str:
    identity = docker.image_id(tag)
    if identity is None:
        return f"{name:<8} {tag}: missing"
    # What is built from a stand-in inherits its label, so only the base is asked.
    stand_in = tag == base_image.TAG and base_image.is_stand_in(docker, tag)
    origin = " (stand-in from Debian packages)" if stand_in else ""
    return f"{name:<8} {tag} {identity.removeprefix('sha256:')[:12]}{origin}"


COMMANDS = {"up": up, "status": status, "down": down}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.containers.support", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        commands.add_parser(name, help=function.__doc__)
    try:
        return COMMANDS[parser.parse_args(argv).command]()
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
