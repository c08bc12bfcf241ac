"""`audit`: what is wrong with the configuration, command line and containers that somebody has."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from ..audit.audit import audit as look
from ..audit.execute import run_configuration
from ..audit.report import Report
from ..audit.show import as_github, as_json, as_sarif
from ..audit.sources import COMMAND_LINE, Source
from ..errors import KitError, printable
from ..files import read_regular
from ..version import __version__
from . import options
from .excerpt import excerpt
from .progress import waiting

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_MAX_BYTES = 1024 * 1024


class Separated(click.Command):
    """A command that keeps what stands after `--` apart."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, words = args, []
        if "--" in args:
            at = args.index("--")
            own, words = args[:at], args[at + 1 :]
        ctx.meta["words"] = words
        return super().parse_args(ctx, own)


@click.command(cls=Separated, options_metavar="[OPTIONS]")
@click.argument("files", nargs=-1, metavar="[FILE...] [-- gunicorn ...]")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif", "github"]), default="text")
@click.option(
    "--execute",
    is_flag=True,
    help="Run the configurations too, each in a process without network; refused where that cannot be had.",
)
@options.debug
@click.pass_context
def audit(ctx: click.Context, files: tuple[str, ...], form: str, execute: bool) -> int:
    """Find what is wrong with gunicorn configurations, Procfiles, Dockerfiles, Compose files, manifests, shell scripts,
    supervisord's programs and systemd's units.

    Nothing is executed; what cannot be known without that is said. A finding is ignored by a comment beside or above
    its line: # kit: ignore[K101] and the reason. Exit codes: 0 no errors, 1 errors, 2 a file cannot be read.
    """
    words = ctx.meta["words"]
    if not files and not words:
        raise click.UsageError(f"name files{_among(Path())}, or a command line after --", ctx)
    sources = [read_source(name) for name in files]
    with waiting("running the configurations" if execute else "reading the configurations"):
        report = look(sources, words, beside, run_configuration if execute else None)
    texts = {source.name: source.text for source in sources} | {COMMAND_LINE: " ".join(words)}
    if form == "json":
        click.echo(as_json(report))
    elif form == "sarif":
        click.echo(as_sarif(report, __version__))
    elif form == "github":
        for line in as_github(report):
            click.echo(line)
    else:
        _print(report, texts)
    return 1 if report.has_errors else 0


def read_source(name: str) -> Source:
    """One file's text. Raises KitError where it cannot be read."""
    if Path(name).is_dir():
        raise KitError(f"{name}: a folder, not a file; name files{_among(Path(name))}")
    try:
        content = read_regular(Path(name), _MAX_BYTES)
    except FileNotFoundError as error:
        raise KitError(f"{name}: {error.strerror}") from error
    try:
        return Source(name, content.decode("utf-8-sig"))  # gunicorn takes a BOM as well
    except UnicodeDecodeError as error:
        raise KitError(f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


#: What may lie in a project and say how gunicorn is started; the first of a kind counts.
_STARTING = ("Dockerfile", "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", "Procfile")
_CONFIGURATIONS = ("gunicorn.conf.py", "gunicorn_conf.py", "gunicorn_config.py")
_MANIFESTS = ("k8s", "kubernetes", "manifests", "deploy")
_NAMED = 10


def lying_in(folder: Path) -> list[str]:
    """Files of a folder that may start the server: of the kinds of `_STARTING`, and manifests."""
    found = [str(folder / name) for name in _STARTING if (folder / name).is_file()]
    composes = [name for name in found if "compose" in Path(name).name]
    found = [name for name in found if name not in composes[1:]]
    for below in _MANIFESTS:
        found += sorted(str(path) for path in (folder / below).glob("*.y*ml") if path.is_file())
    return found


def _among(folder: Path) -> str:
    """Those of a folder, for a message, its configurations first."""
    found = [str(folder / name) for name in _CONFIGURATIONS if (folder / name).is_file()] + lying_in(folder)
    return f", for example {shlex.join(found[:_NAMED])}" if found else ""


def beside(origin: str, path: str) -> Source | None:
    """A file that another one names, in that one's folder or, for a command line, in this one; None without it.

    A link that leads out of the folder is not followed: what is quoted of it would be somebody's ~/.aws/credentials.
    """
    folder = Path() if origin == COMMAND_LINE else Path(origin).parent
    relative = Path(path)
    if relative.is_absolute() or ".." in relative.parts:
        return None
    place = folder / relative
    is_own = place.is_file() and place.resolve().is_relative_to(folder.resolve())
    return read_source(str(place)) if is_own else None


def _print(report: Report, texts: dict[str, str]) -> None:
    for one in report.findings:
        colour = _COLOURS[one.kind.severity]
        head = click.style(f"{one.kind.severity}[{one.code}]", fg=colour, bold=True)
        click.echo(f"{one.span.mark}: {head}: {printable(one.text)}")
        text = texts.get(one.span.mark.file) or _text(one.span.mark.file)
        if shown := excerpt(text, one.span.mark, one.span.width, colour):
            click.echo(shown)
        click.echo(f"    why: {printable(one.reason)}\n    do:  {printable(one.remedy)}\n    see: {one.kind.anchor}\n")
    for gap in report.unseen:
        click.echo(f"{gap.span.mark}: not seen: {printable(gap.text)}")
    click.echo(_summary([one.kind.severity for one in report.findings], len(report.unseen)))


def _text(name: str) -> str:
    """The text of a configuration that was found beside another file."""
    return read_source(name).text if Path(name).is_file() else ""


def _summary(severities: Sequence[str], unseen: int) -> str:
    counts = [f"{severities.count(name)} {name}{'s' * (severities.count(name) != 1)}" for name in _COLOURS]
    return ", ".join([*counts, f"{unseen} not seen"])
