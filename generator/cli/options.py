"""Options that several subcommands share."""

from __future__ import annotations

import click


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.find_root().obj["debug"] = value


def _remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    ctx.find_root().obj["json"] = value
    return value


profiles = click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...")
output = click.option("--output", default=".", metavar="DIR", help="Root of the output and the build context.")
overrides = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a setting: resources.cpu=4."
)
env_file = click.option(
    "--env-file",
    metavar="FILE",
    help="Variables for the app, NAME=value a line, and FILE.d with its secret files; none is ever shown.",
)
strict = click.option("--strict", is_flag=True, help="Warnings about the app end the command, with exit code 2.")
schema = click.option("--schema/--no-schema", default=True, help="Ask the Kubernetes schemas too, or leave that out.")
as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_remember_json,
    help="Print JSON; faults too, one a line.",
)
json_faults = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_remember_json,
    help="Print faults as JSON, one object a line.",
)
debug = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Show the traceback of an internal error.",
)
