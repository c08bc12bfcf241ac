"""`generate`, `check` and `explain`: profiles to files, to a diff, to numbers with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ..errors import KitError, printable
from ..output.drift import Bundle, Change
from ..output.paths import output_root, require_inputs
from ..output.write import find_drift, write_bundles
from ..pipeline import read_plans
from ..plan.plan import Plan
from ..render.render import render, runtime_files
from ..verify.files import verify
from . import options
from .progress import READING, waiting

_COLOURS = {"created": "green", "changed": "yellow", "removed": "red"}


@click.command()
@options.profiles
@options.output
@options.overrides
@click.option("--check", is_flag=True, help="As the subcommand check.")
@click.option("--explain", is_flag=True, help="As the subcommand explain.")
@options.as_json
@options.strict
@options.schema
@click.option("--force", is_flag=True, help="Overwrite files that the generator did not make.")
@options.debug
def generate(
    profiles: tuple[str, ...],
    output: str,
    overrides: tuple[str, ...],
    check: bool,
    explain: bool,
    as_json: bool,
    strict: bool,
    schema: bool,
    force: bool,
) -> int:
    """Generate the gunicorn configuration, Dockerfile and Kubernetes manifests of each PROFILE (a YAML file).

    Exit codes: 0 good, 1 drift with --check, 2 a bad profile, argument or target, 3 an error of the kit itself.
    """
    if explain or as_json:
        return _explain(read_plans(profiles, overrides), as_json)
    root = output_root(output)
    bundles = _bundles(_read(profiles, overrides, root), root, schema, strict)
    if check:
        return _report_drift(_find_drift(root, bundles))
    with waiting(f"writing below {root}"):  # of another run, which is waited for, this one may be the second
        changes = write_bundles(root, bundles, force)
    for change in changes:
        click.secho(f"{change.verb:9} {change.path}", fg=_COLOURS.get(change.verb))
    return 0


@click.command()
@options.profiles
@options.output
@options.overrides
@options.strict
@options.schema
@options.json_faults
@options.debug
def check(profiles: tuple[str, ...], output: str, overrides: tuple[str, ...], strict: bool, schema: bool) -> int:
    """Write nothing; print a diff and exit 1 where a generated file of a PROFILE is not up to date.

    Exit codes: 0 up to date, 1 drift, 2 a bad profile, argument or target, 3 an error of the kit itself.
    """
    root = output_root(output)
    return _report_drift(_find_drift(root, _bundles(_read(profiles, overrides, root), root, schema, strict)))


@click.command()
@options.profiles
@options.overrides
@options.as_json
@click.option("--number", metavar="NAME", help="All about one number or setting: workers, keepalive, ...")
@options.debug
def explain(profiles: tuple[str, ...], overrides: tuple[str, ...], as_json: bool, number: str | None) -> int:
    """Write nothing; print each number of a PROFILE with its reason."""
    plans = read_plans(profiles, overrides)
    if number is not None:
        from ..plan.explain import story

        for plan in plans:
            click.echo(story(plan, number))
        return 0
    return _explain(plans, as_json)


def _read(profiles: tuple[str, ...], overrides: tuple[str, ...], root: Path) -> list[Plan]:
    with waiting(READING):
        return read_plans(profiles, overrides, root)


def _find_drift(root: Path, bundles: list[Bundle]) -> list[Change]:
    with waiting(f"comparing below {root}"):
        return find_drift(root, bundles)


def _bundles(plans: list[Plan], root: Path, schema: bool, strict: bool) -> list[Bundle]:
    """All files of these plans, verified; the app's own must lie below ``root``."""
    for plan in plans:
        _warn(plan)
    hazards = list(dict.fromkeys(str(hazard) for plan in plans for hazard in plan.project.hazards))
    if hazards and strict:
        raise KitError("\n".join(hazards))
    for hazard in hazards:
        click.secho(f"warning: {hazard}", fg="yellow", err=True)
    require_inputs(root, _inputs(plans))
    bundles = [Bundle("docker/runtime", runtime_files())]
    for plan in plans:
        with waiting(f"rendering and verifying {plan.name}"):
            bundles.append(bundle := Bundle(plan.folder, render(plan)))
            verify(bundle.files, plan.kubernetes.minors if schema else (), plan.kubernetes.is_foreign)
    return bundles


def _inputs(plans: Iterable[Plan]) -> Iterator[tuple[str, bool, str]]:
    """The app's own files that the images are built of: (path, is a folder, the setting that names it)."""
    for plan in plans:
        profile = plan.profile
        yield profile.app.path, True, f"{profile.place('app.path')}: app.path"
        if requirements := profile.app.requirements:
            yield requirements, False, f"{profile.place('app.requirements')}: app.requirements"


def _warn(plan: Plan) -> None:
    """Say loudly what nobody should find out in production."""
    if not plan.server.production:
        click.secho(f"warning: {plan.name}: {plan.server.summary}", fg="yellow", bold=True, err=True)
    for text in (*plan.times.warnings, *plan.probes.warnings):
        click.secho(f"warning: {plan.name}: {text}", fg="yellow", err=True)
    if plan.server.legacy:
        click.secho(f"warning: {plan.name}: {plan.server.summary}", fg="yellow", err=True)


def _explain(plans: list[Plan], as_json: bool) -> int:
    from ..plan import explain as texts

    if as_json:
        click.echo(texts.as_json(plans))
    else:
        texts.print_tables(plans)
    return 0


def _report_drift(changes: list[Change]) -> int:
    drift = [change for change in changes if change.verb != "unchanged"]
    for change in drift:
        # The old side is what lies there, whoever wrote it.
        click.echo(printable(change.diff() or f"{change.path}: {change.verb}\n", "\n\t"), nl=False)
    if drift:
        click.echo(f"{len(drift)} of {len(changes)} files are not up to date: run generate", err=True)
    return 1 if drift else 0
