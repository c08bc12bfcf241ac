"""The command group: which subcommands there are, and what a command line without one means."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

from ..errors import nearest
from ..version import __version__
from . import interrupts
from .exits import exit_code, pipe_closed

#: What a command line runs that names no subcommand: `python -m generator profiles/large.yaml`.
DEFAULT = "generate"
#: Module of this package that defines each subcommand under its own name (Python's keywords with
#: an underscore); imported only when it is needed, so that
#: `generate` does not wait for what containers take. A new subcommand is a module and a line here.
COMMANDS = {
    "new": "new",
    "import": "import_",
    "generate": "generate",
    "check": "generate",
    "explain": "generate",
    "report": "report",
    "audit": "audit",
    "prove": "prove",
    "tune": "tune",
    "docs": "docs",
    "locks": "locks",
}
#: Options of the group itself; every other option belongs to a subcommand.
_OWN_OPTIONS = ("-h", "--help", "--version")


class Commands(click.Group):
    """A group that imports a subcommand when it is used, and turns every way to end into one exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (as above)
        if cmd_name not in COMMANDS:
            return None
        with interrupts.fatal():
            module = import_module(f".{COMMANDS[cmd_name]}", __package__)
        command: click.Command = getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)  # a shell asks what may come first: subcommands too
        first = args[0] if args else ""
        if first not in COMMANDS and first not in _OWN_OPTIONS:
            if first.isalpha() and not Path(first).exists() and (meant := nearest(first, list(COMMANDS))):
                raise click.UsageError(f"no subcommand or file is called {first!r}; did you mean {meant}?", ctx)
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interrupts.raised():
                return super().invoke(ctx)
        except BrokenPipeError:  # before click's own rule, which takes it for an ordinary error
            sys.exit(pipe_closed())

    def main(self, *args: Any, **extra: Any) -> Any:
        run: dict[str, bool] = {}
        try:
            code = super().main(*args, **extra | {"standalone_mode": False, "obj": run})
        except Exception as error:
            with interrupts.fatal():  # a second Ctrl-C, while this one is told
                code = exit_code(error, debug=run.get("debug", False), as_json=run.get("json", False))
        sys.exit(code or 0)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a COMMAND, generate runs: its options and profiles may follow straight away.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Turn a short YAML profile into a gunicorn configuration, a Dockerfile and Kubernetes manifests.

    Exit codes: 0 good; 1 drift, a failed claim, a finding or no choice; 2 bad input, or a file or stream that cannot be
    read or written; 3 an error of the kit itself; 130 interrupted.
    """
