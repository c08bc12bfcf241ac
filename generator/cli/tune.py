"""`tune`: find by an experiment which server, workers and threads serve an app best inside its own limits."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from ..errors import KitError
from ..files import read_regular
from ..output.paths import output_root
from ..profile.document import MAX_BYTES
from ..proof.env_file import hidden, read_given
from ..proof.log import file_of, write_log
from ..proof.request import make_request
from ..servers import SERVERS
from ..tune.candidates import find
from ..tune.page import tune_page
from ..tune.report import log_text, make_report, print_report, settings, write_report
from ..tune.tune import MAX_MINUTES, Findings, Order, candidate_of, run_tune
from ..tune.write import listed, replace, written
from . import options
from .pages import page_beside
from .progress import READING, progress, waiting
from .prove import end_on_signals, read_text

_SERVERS = [name for name, server in SERVERS.items() if server.production]


@click.command()
@click.argument("profile")
@click.option("--output", default=".", metavar="DIR", help="Root below which app and build/proof/ lie.")
@options.overrides
@click.option("--base-image", metavar="IMAGE", help="BASE_IMAGE of the builds, instead of the profile's.")
@click.option("--path", metavar="PATH", help="Path to request (default: / of the app).")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header too.")
@click.option("--request", "request_file", metavar="FILE", help="A whole HTTP request to send: line, headers, body.")
@options.env_file
@click.option(
    "--minutes",
    type=click.FloatRange(0.2, MAX_MINUTES),
    default=10.0,
    show_default=True,
    help="Time to measure in, once the images are built.",
)
@click.option(
    "--p99",
    type=click.FloatRange(0.1, 60_000),
    metavar="MS",
    help="What 99 % of the requests may take (default: 10 times the median of one alone).",
)
@click.option("--server", "servers", multiple=True, type=click.Choice(_SERVERS), help="Try this one only; repeatable.")
@click.option("--compare/--no-compare", default=True, help="Measure the copied configuration too, or leave it out.")
@click.option("--write", is_flag=True, help="Put the figures into PROFILE; its comments stay.")
@options.debug
def tune(
    profile: str,
    output: str,
    overrides: tuple[str, ...],
    base_image: str | None,
    path: str | None,
    headers: tuple[str, ...],
    request_file: str | None,
    env_file: str | None,
    minutes: float,
    p99: float | None,
    servers: tuple[str, ...],
    compare: bool,
    write: bool,
) -> int:
    """Find which server, workers and threads serve the app of PROFILE best, inside the profile's own CPU and memory.

    Boots candidates in turn, each holding the profile's connections, and raises the rate of requests until 1 % of them
    are too late, one fails or a queue grows. Of those that the figures do not tell apart the simplest is chosen; where
    the machine is too noisy to tell, none is. Measures what the profile assumes of the app, too. Writes
    build/proof/tune-<profile>.json and, with the extra `pages`, .html; where candidates do not serve, or answer errors,
    the end of their logs too, as .log.

    Needs a Docker engine; sends requests to 127.0.0.1 inside a container only, and leaves no container behind. The
    server should expect this load: use an app without a live database. Its images, kit-proof-*, stay, since the next
    run builds upon them; what removes them:

    docker image rm $(docker image ls --filter 'reference=kit-proof-*' --format '{{.Repository}}:{{.Tag}}')

    Exit codes: 0 a candidate was chosen, 1 none could be, 2 a bad profile, argument or engine, 3 an error of the kit.
    """
    end_on_signals()
    if write and overrides:
        raise KitError("--write and --set exclude each other: put the settings into the profile first")
    try:
        text = read_regular(Path(profile), MAX_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise KitError(f"{profile}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KitError(f"{profile}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    with waiting(READING):
        field = find(text, profile, overrides, Path(output), servers)
    own = field.candidates[0].plan
    request_text = read_text(request_file) if request_file else None
    if path is None and request_text is None:
        path = f"{own.profile.app.mount or ''}/"
    request = make_request(path, headers, request_text, request_file or "", own.probes.host)
    found, began, at = Findings(), time.monotonic(), datetime.now(UTC)
    given = read_given(env_file, own)
    order = Order(output_root(output), request, minutes, p99, base_image, compare, given)
    with progress() as begin, hidden(given.secrets):
        run_tune(field, order, begin, found)
    about = {
        "began": at.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "minutes": minutes,
    }
    report = make_report(own, field, request, found, about)
    print_report(report)
    report_file = write_report(report, order.root)
    click.echo(str(report_file))
    write_log(log_text(found.logs), log := file_of(order.root, f"tune-{own.name}"))
    if found.logs:
        click.echo(f"{log}: of candidates that did not serve, or answered errors")
    page_beside(report_file, lambda: tune_page(report, own))
    chosen = candidate_of(field.candidates, found.verdict)
    made = settings(own, chosen, found.verdict, found.facts)
    if write:
        replace(Path(profile), written(text, profile, made, Path(output)), text, listed(made))
        click.echo(f"wrote {', '.join(one.path for one in made if one.value is not None)} to {profile}")
        click.echo("what was generated from it has the old figures: run generate again")
    else:
        click.echo(f"--write would set: {listed(made)}")
    return 0 if chosen else 1
