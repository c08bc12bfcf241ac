"""`python -m generator prove PROFILE`: boot the profile's image under its own limits and measure what it claims."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from ..containers.docker import Docker
from ..errors import KitError, ProfileError
from ..pipeline import read_plans
from ..plan.plan import Plan
from . import images
from .claim import FAILED, FULL, QUICK, Claim
from .claims import walk
from .needs import judge_needs
from .report import About, make_report, print_table, write_report
from .request import Request, make_request
from .stage import Stage

#: Of the kit's own sample app, whose slow pages are asked too.
SAMPLE_APP = ("flask_server:app", "docker/app")


@dataclass
class Findings:
    """What is known so far; it is reported even where the proof ends early."""

    claims: list[Claim] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    image: str = ""
    image_bytes: int | None = None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("profile")
@click.option("--output", default=".", metavar="DIR", help="Root below which app and build/proof/ lie.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a setting: resources.cpu=4.")
@click.option("--image", metavar="IMAGE", help="Prove this image instead of building one.")
@click.option("--base-image", metavar="IMAGE", help="BASE_IMAGE of the builds, instead of the profile's.")
@click.option("--path", metavar="PATH", help="What to ask for (default: /).")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header too.")
@click.option("--request", "request_file", metavar="FILE", help="A whole HTTP request to send: line, headers, body.")
@click.option("--quick", is_flag=True, help="Fewer and shorter steps: under a minute instead of six.")
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error.")
def prove(
    profile: str,
    output: str,
    overrides: tuple[str, ...],
    image: str | None,
    base_image: str | None,
    path: str | None,
    headers: tuple[str, ...],
    request_file: str | None,
    quick: bool,
    debug: bool,
) -> None:
    """Prove what PROFILE (a YAML file) claims: boot its image under its own limits, load it, measure.

    Needs a Docker engine; asks 127.0.0.1 inside a container only, and leaves no container behind. Writes
    build/proof/<profile>.json and .html. The server should expect this load: use an app without a live database.

    Exit codes: 0 all claims hold, 1 one does not, 2 a bad profile, argument or engine, 3 an error of the kit itself.
    """
    with _ending(debug):
        text = _read(request_file) if request_file else None
        request = make_request(path, headers, text, request_file or "")
        (plan,) = read_plans((profile,), overrides)
        found, began, at = Findings(), time.monotonic(), datetime.now(UTC)
        with _told() as begin:
            _prove(plan, Path(output), request, image, base_image, quick, begin, found)
        about = About(
            at.isoformat(timespec="seconds"),
            round(time.monotonic() - began, 1),
            quick,
            found.image,
            found.image_bytes,
            found.machine.get("engine", ""),
            found.machine,
        )
        report = make_report(plan, request, about, found.claims, found.samples)
        files = write_report(report, Path(output))
        print_table(
            found.claims, f"{plan.name}: {about.seconds:.0f} s on {about.engine}, kernel {found.machine['kernel']}"
        )
        click.echo("\n".join(str(file) for file in files))
        sys.exit(0 if report["passed"] else 1)


def _prove(
    plan: Plan,
    root: Path,
    request: Request,
    image: str | None,
    base_image: str | None,
    quick: bool,
    begin: Callable[[str], None],
    found: Findings,
) -> None:
    pace, base = QUICK if quick else FULL, images.base_image(plan, base_image)
    begin("load image")
    client, buildkit = images.find_client()
    docker = Docker(client, label=images.LABEL)
    load = images.build_load_image(docker, base, buildkit)
    with Stage(docker, plan, "", load.id) as stage:
        found.machine = stage.inside("machine")
        found.machine["engine"] = f"Docker {docker.call('version', '--format', '{{.Server.Version}}').stdout.strip()}"
        found.claims.append(judge_needs(plan, found.machine, pace))
        if found.claims[-1].verdict == FAILED:
            return
        if image is None:
            begin("the profile's image")
            image = images.build_profile_image(docker, plan, root, base, buildkit).tag
        stage.image = found.image = image
        size = docker.call("image", "inspect", "--format", "{{.Size}}", image, check=False).stdout.strip()
        if not size:
            raise KitError(f"--image {image}: no such image here; build or pull it first")
        found.image_bytes = int(size)
        sample_app = (plan.profile.app.module, plan.profile.app.path) == SAMPLE_APP
        for claim in walk(stage, pace, request, sample_app, begin):
            found.claims.append(claim)
        found.samples = stage.samples()


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Progress on stderr: a line that moves on a terminal, else one line a step."""
    from rich.console import Console

    console, began = Console(stderr=True, highlight=False, markup=False), time.monotonic()
    if not console.is_terminal:
        yield lambda step: console.print(f"{time.monotonic() - began:4.0f} s  {step}")
        return
    with console.status("") as status:
        yield lambda step: status.update(f"{time.monotonic() - began:4.0f} s  {step}")


@contextmanager
def _ending(debug: bool) -> Iterator[None]:
    """Every way to end, with its exit code; the containers are gone by then."""

    def end(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted; all containers are removed", err=True)
        sys.exit(130)
    except KitError as error:
        click.echo(f"error: {error}" if not isinstance(error, ProfileError) else str(error), err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        click.echo(f"internal error: {type(error).__name__}: {error}; --debug shows where", err=True)
        sys.exit(3)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KitError(f"{path}: {error}") from error
