"""`docs`: the kit's own generated documentation."""

from __future__ import annotations

import click

from ..docs.generate import changes, schema
from ..output.paths import output_root
from ..output.write import write_changes
from . import options


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; print a diff and exit 1 where a file is not up to date.")
@click.option("--schema", "only_schema", is_flag=True, help="Print a profile's JSON schema, for your editor.")
@click.option("--output", default=".", metavar="DIR", help="The kit's checkout.")
@options.debug
def docs(check: bool, only_schema: bool, output: str) -> int:
    """Renew what is generated in the kit's own documentation, and profiles/schema.json.

    Exit codes: 0 good, 1 drift with --check, 2 no checkout of the kit.
    """
    if only_schema:
        click.echo(schema(), nl=False)
        return 0
    root = output_root(output)
    found = changes(root)
    if check:
        drift = [change.diff() for change in found if change.verb != "unchanged"]
        click.echo("".join(drift), nl=False)
        return 1 if drift else 0
    write_changes(root, found)
    for change in found:
        click.echo(f"{change.verb:9} {change.path}")
    return 0
