"""The command line: arguments, printing, exit codes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

from .errors import KitError, ProfileError
from .output.write import Bundle, Change, apply_changes, plan_changes, require_inputs
from .pipeline import read_plans
from .plan.plan import Plan
from .render.render import render, runtime_files
from .verify.files import verify

_COLOURS = {"created": "green", "changed": "yellow", "removed": "red"}


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="python -m generator prove PROFILE boots one and measures what it claims; prove --help tells more.",
)
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...")
@click.option("--output", default=".", metavar="DIR", help="Root of the output and the build context.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a setting: resources.cpu=4.")
@click.option("--check", is_flag=True, help="Write nothing; print a diff and exit 1 where files are not up to date.")
@click.option("--explain", is_flag=True, help="Write nothing; print each number with its reason.")
@click.option("--json", "as_json", is_flag=True, help="As --explain, but print JSON.")
@click.option("--schema/--no-schema", default=True, help="Ask the Kubernetes schemas too, or leave that out.")
@click.option("--force", is_flag=True, help="Overwrite files that the generator did not make.")
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error.")
def main(
    profiles: tuple[str, ...],
    output: str,
    overrides: tuple[str, ...],
    check: bool,
    explain: bool,
    as_json: bool,
    schema: bool,
    force: bool,
    debug: bool,
) -> None:
    """Generate the gunicorn configuration, Dockerfile and Kubernetes manifests of each PROFILE (a YAML file).

    Exit codes: 0 good, 1 drift with --check, 2 a bad profile, argument or target, 3 an error of the kit itself.
    """
    try:
        plans = read_plans(profiles, overrides)
        if explain or as_json:
            _explain(plans, as_json)
            return
        for plan in plans:
            _warn(plan)
        root = Path(output)
        inputs = [(plan.profile.app.path, True) for plan in plans]
        inputs += [(path, False) for plan in plans if (path := plan.profile.app.requirements)]
        require_inputs(root, inputs)
        bundles = [Bundle("docker/runtime", runtime_files()), *(Bundle(plan.folder, render(plan)) for plan in plans)]
        for plan, bundle in zip(plans, bundles[1:], strict=True):
            verify(bundle.files, plan.kubernetes.minors if schema else (), bool(plan.profile.kubernetes.patches))
        changes = plan_changes(root, bundles, force=force or check)
        if check:
            sys.exit(_report_drift(changes))
        apply_changes(root, changes)
        for change in changes:
            click.secho(f"{change.verb:9} {change.path}", fg=_COLOURS.get(change.verb))
    except KitError as error:
        click.echo(f"error: {error}" if not isinstance(error, ProfileError) else str(error), err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        click.echo(f"internal error: {type(error).__name__}: {error}; --debug shows where", err=True)
        sys.exit(3)


def _warn(plan: Plan) -> None:
    """Say loudly what nobody should find out in production."""
    if not plan.server.production:
        click.secho(f"warning: {plan.name}: {plan.server.summary}", fg="yellow", bold=True, err=True)
    if plan.server.legacy:
        click.secho(f"warning: {plan.name}: {plan.server.summary}", fg="yellow", err=True)


def _explain(plans: list[Plan], as_json: bool) -> None:
    from .plan import explain

    if as_json:
        click.echo(explain.as_json(plans))
    else:
        explain.print_tables(plans)


def _report_drift(changes: list[Change]) -> int:
    drift = [change for change in changes if change.verb != "unchanged"]
    for change in drift:
        click.echo(change.diff() or f"{change.path}: {change.verb}\n", nl=False)
    if drift:
        click.echo(
            f"{len(drift)} of {len(changes)} files are not up to date: run the generator without --check", err=True
        )
    return 1 if drift else 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without UTF-8 must not end a run halfway through its output
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:2] == ["prove"]:
        from .proof.prove import prove  # with all that containers take, which generating does not need

        prove(sys.argv[2:], prog_name="python -m generator prove")
    main(prog_name="python -m generator")
