"""`prove`: boot a profile's image under its own limits and measure what it claims."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from ..errors import KitError
from ..files import read_regular
from ..output.paths import output_root
from ..pipeline import read_plans
from ..proof.env_file import Given, hidden, read_given
from ..proof.kubectl import Kubectl
from ..proof.log import file_of, write_log
from ..proof.page import proof_page
from ..proof.prove import Findings, run_on_cluster, run_proof
from ..proof.report import About, make_report, print_table, write_report
from ..proof.request import make_request
from . import options
from .pages import page_beside
from .progress import READING, progress, waiting

#: Of --request: the load client sends it whole from memory, once a connection.
MAX_REQUEST_BYTES = 16 * 1024**2


@click.command()
@click.argument("profile")
@click.option("--output", default=".", metavar="DIR", help="Root below which app and build/proof/ lie.")
@options.overrides
@click.option("--image", metavar="IMAGE", help="Prove this image instead of building one.")
@click.option("--base-image", metavar="IMAGE", help="BASE_IMAGE of the builds, instead of the profile's.")
@click.option("--path", metavar="PATH", help="Path to request (default: / of the app).")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header too.")
@click.option("--request", "request_file", metavar="FILE", help="A whole HTTP request to send: line, headers, body.")
@options.env_file
@click.option("--quick", is_flag=True, help="Fewer and shorter steps: under a minute instead of six.")
@click.option("--kubernetes", is_flag=True, help="Prove the manifests on a cluster: kubectl's.")
@click.option("--context", metavar="NAME", help="With --kubernetes: kubectl's context (default: its current one).")
@click.option("--kubeconfig", metavar="FILE", help="With --kubernetes: kubectl's configuration (default: its own).")
@click.option("--namespace", metavar="NAME", help="With --kubernetes: an existing namespace, for its Secrets.")
@click.option("--rate", default=50.0, show_default=True, help="With --kubernetes: requests a second under load.")
@options.debug
def prove(
    profile: str,
    output: str,
    overrides: tuple[str, ...],
    image: str | None,
    base_image: str | None,
    path: str | None,
    headers: tuple[str, ...],
    request_file: str | None,
    env_file: str | None,
    quick: bool,
    kubernetes: bool,
    context: str | None,
    kubeconfig: str | None,
    namespace: str | None,
    rate: float,
) -> int:
    """Prove what PROFILE (a YAML file) claims: boot its image under its own limits, load it, measure.

    Needs a Docker engine; sends requests to 127.0.0.1 inside a container only, and leaves no container behind. Writes
    build/proof/<profile>.json and, with the extra `pages`, .html; where a claim fails, the end of the container's log
    too, as .log. The server should expect this load: use an app without a live database. Its images, kit-proof-*,
    stay, since the next run builds upon them; what removes them:

    docker image rm $(docker image ls --filter 'reference=kit-proof-*' --format '{{.Repository}}:{{.Tag}}')

    With --kubernetes it needs kubectl instead, and an image that the nodes can pull or have: it applies the manifests
    (but for Ingress and HTTPRoute), restarts, deletes and evicts their pods under a load on the Service, and removes
    all of it again.

    Exit codes: 0 all claims hold, 1 one does not, 2 a bad profile, argument or engine, 3 an error of the kit itself.
    """
    end_on_signals()
    text = read_text(request_file) if request_file else None
    with waiting(READING):
        (plan,) = read_plans((profile,), overrides, Path(output))
    if path is None and text is None:
        path = f"{plan.profile.app.mount or ''}/"
    request = make_request(path, headers, text, request_file or "", plan.probes.host)
    found, began, at = Findings(), time.monotonic(), datetime.now(UTC)
    _only_with_kubernetes(kubernetes, {"--context": context, "--kubeconfig": kubeconfig, "--namespace": namespace})
    if env_file and kubernetes:
        raise KitError("--env-file: not with --kubernetes, where pods have the Secrets of --namespace")
    given = Given() if kubernetes else read_given(env_file, plan)
    with progress() as begin, hidden(given.secrets):
        if kubernetes:
            kubectl = Kubectl(_kubectl(context, kubeconfig))
            run_on_cluster(kubectl, plan, image, namespace, request, rate, quick, begin, found)
        else:
            run_proof(plan, output_root(output), request, image, base_image, quick, given, begin, found)
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
    written = write_report(report, output_root(output), "-kubernetes" if kubernetes else "")
    print_table(found.claims, f"{plan.name}: {about.seconds:.0f} s on {about.engine}, kernel {found.machine['kernel']}")
    click.echo(str(written))
    if not kubernetes:
        write_log(found.log, log := file_of(output_root(output), plan.name))
        if found.log:
            click.echo(str(log))
    page_beside(written, lambda: proof_page(report, plan))
    return 0 if report["passed"] else 1


def _only_with_kubernetes(kubernetes: bool, options: Mapping[str, str | None]) -> None:
    given = [name for name, value in options.items() if value]
    if given and not kubernetes:
        raise KitError(f"{', '.join(given)}: of use with --kubernetes only")


def _kubectl(context: str | None, kubeconfig: str | None) -> tuple[str, ...]:
    """The command, with the options that choose the cluster."""
    chosen = {"--context": context, "--kubeconfig": kubeconfig}
    return ("kubectl", *(f"{name}={value}" for name, value in chosen.items() if value))


def end_on_signals() -> None:
    """End by an exception on SIGTERM and SIGHUP, as on Ctrl-C, so that every container is removed on the way out.

    When the command is over the handlers are those from before, for whoever called it in a process of their own.
    """

    def end(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}

    @click.get_current_context().call_on_close
    def _restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)


def read_text(path: str) -> str:
    """A file of --request. Raises KitError."""
    try:
        return read_regular(Path(path), MAX_REQUEST_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise KitError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KitError(f"{path}: not UTF-8 at byte {error.start}") from error
