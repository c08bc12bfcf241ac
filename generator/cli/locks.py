"""`locks`: renew the locks of the server packages. For those who change the kit; it needs the registry."""

from __future__ import annotations

import click

from ..servers.lock import renew
from . import options
from .progress import waiting


@click.command()
@options.debug
def locks() -> int:
    """Renew the server packages' locks and the table of gunicorn's settings, in the kit's own folder.

    Needs pip, the registry and the kit's development requirements. Exit codes: 0 good, 2 pip finds no solution.
    """
    paths = renew()
    while True:
        with waiting("asking the registry for the next lock"):
            path = next(paths, None)
        if path is None:
            return 0
        click.echo(f"locked    {path}")
