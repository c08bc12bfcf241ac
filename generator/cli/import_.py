"""`import`: from what already starts gunicorn to the profile that does the same."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import KitError
from ..importing.convert import convert
from ..starting.look import project_name
from . import options
from .audit import Separated, beside, lying_in, read_source
from .new import report, write_new
from .progress import READING, waiting

#: Stands in each manifest that the kit made.
_OURS = "app.kubernetes.io/managed-by: container-kit"


@click.command("import", cls=Separated, options_metavar="[OPTIONS]")
@click.argument("files", nargs=-1, metavar="[FILE...] [-- gunicorn ...]")
@click.option("--module", help="What the server imports, where no file says it: shop:app.")
@click.option("--name", help="Name of the profile. [the project's]")
@click.option("--file", help="Name of the profile's file. [<name>.yaml]")
@click.option("--alone", is_flag=True, help="Read only what is named, not what lies beside it.")
@options.debug
@click.pass_context
def import_(
    ctx: click.Context, /, files: tuple[str, ...], module: str | None, name: str | None, file: str | None, alone: bool
) -> int:
    """Write the profile that does what a gunicorn configuration, Procfile, Dockerfile, Compose file or manifest does.

    A Dockerfile, Compose file, Procfile or manifest beside them is read too. A comment says what was changed or left
    out, and why. Run it in the project's folder; nothing is executed, no file overwritten, and no secret copied.
    """
    words = ctx.meta["words"]
    names = [*files, *(one for one in ([] if alone else lying_in(Path())) if one not in files)]
    sources = [read_source(one) for one in names]
    sources = [one for one in sources if one.name in files or _OURS not in one.text]
    if not sources and not words:
        raise click.UsageError("name files, or a command line after --", ctx)
    given = {path: value for path, value in (("name", name), ("app.module", module)) if value is not None}
    root = Path()
    path = root / (file or f"{name or project_name(root)}.yaml")
    if path.exists():
        raise KitError(f"{path} is there already, and nothing was overwritten; name another with --file")
    with waiting(READING):
        written = convert(sources, words, beside, root, str(path), given)
    write_new(path, written.text)
    return report(ctx, path, root, written)
