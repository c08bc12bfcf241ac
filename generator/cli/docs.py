"""`docs`: print a page; in the kit's own checkout, renew what is generated in them."""

from __future__ import annotations

import click

from ..docs.generate import changes, schema
from ..docs.read import read
from ..errors import printable
from ..output.paths import output_root
from ..output.write import write_changes
from . import options


@click.command()
@click.argument("topic", required=False)
@click.option("--check", is_flag=True, help="Write nothing; print a diff and exit 1 where a file is not up to date.")
@click.option("--schema", "only_schema", is_flag=True, help="Print a profile's JSON schema, for your editor.")
@click.option("--output", default=".", metavar="DIR", help="The kit's checkout.")
@options.debug
def docs(topic: str | None, check: bool, only_schema: bool, output: str) -> int:
    """Print the page TOPIC of the documentation (settings, servers, ...), or what a code (K006) means.

    Without TOPIC, in the kit's own checkout, renew what is generated in the documentation, and profiles/schema.json.

    Exit codes: 0 good, 1 drift with --check, 2 no such page, or no checkout of the kit.
    """
    if topic is not None:
        click.echo(read(printable(topic)), nl=False)
        return 0
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
