"""`new`: from an app's folder to a first profile; asks only for what cannot be seen there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..errors import KitError, Mark, ProfileError, printable
from ..plan.plan import Plan
from ..plan.texts import docker_size
from ..profile.document import parse_value
from ..profile.writing import Entry
from ..starting.applications import FACTORIES, Application, application_at
from ..starting.dependencies import table, text_of, toml_of
from ..starting.draft import CONNECTIONS, CPU, Written, app_entries, as_seen_from_above, settle
from ..starting.look import Found, look, place_of
from ..starting.procfile import left_out
from . import options
from .progress import READING, waiting

_SHORT = {
    "module": ("app.module", "What the server imports: shop:app, shop:create_app()."),
    "requirements": ("app.requirements", "Requirements file, pyproject.toml or lock file."),
    "server": ("server", "How the app is served: gevent, gthread, ..."),
    "connections": ("connections", f"Open connections that one container must hold. [{CONNECTIONS}]"),
    "cpu": ("resources.cpu", f"CPUs of one container. [{CPU}]"),
    "memory": ("resources.memory", "Memory of one container. [the least that holds the plan, from 512Mi]"),
    "python": ("python", "Python of the image."),
    "name": ("name", "Name of the profile, the image and the Kubernetes objects. [the project's]"),
}


def _short(command: click.Command) -> click.Command:
    for name, (_, text) in reversed(_SHORT.items()):
        command.params.insert(1, click.Option([f"--{name}"], help=text))
    return command


@click.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False))
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any other setting: port=5000.")
@click.option("--file", help="Name of the profile's file, in FOLDER. [<name>.yaml]")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: take the defaults.")
@options.debug
@click.pass_context
def new(
    ctx: click.Context, /, folder: str, settings: tuple[str, ...], file: str | None, yes: bool, **short: str
) -> int:
    """Write a first profile for the app in FOLDER, and print the next three commands.

    Finds the application as `flask run` does, its dependency file, its Python and its page for probes; nothing is
    executed, and no file overwritten. Asks for what cannot be seen, where there is a terminal.
    """
    given = {_SHORT[name][0]: value for name, value in short.items() if value is not None}
    given |= dict(_pair(text, ctx) for text in settings)
    root = Path(folder)
    with waiting(f"looking at {printable(folder)}"):
        found = look(root)
    interactive = is_terminal() and not yes
    app = _application(found, given, interactive)
    connections = given.get("connections") or (_prompt_connections() if interactive else CONNECTIONS)
    name = given.get("name", found.name)
    path = root / (file or f"{name}.yaml")
    entries = [
        Entry("name", name),
        *app_entries(root, found, app, given),
        Entry("connections", _plain(connections), "that one container must hold at once, each of them served"),
        Entry("resources.cpu", _plain(given.get("resources.cpu", CPU))),
        *(Entry(path, _plain(value)) for path, value in given.items() if path not in ("name", "app.module")),
    ]
    head = [
        "container-kit docs settings prints every setting; container-kit explain states each number with its reason."
    ]
    head += left_out(text_of(root / "Procfile"), "Procfile")
    with waiting(READING):
        written = settle(head, entries, str(path), root)
    own = [fault for fault in written.faults if fault.mark.file == str(path)]
    if own:
        raise ProfileError(own)
    if written.plan is None and (seen := as_seen_from_above(entries, root)) is not None:
        command = f"{ctx.find_root().command_path} {shlex.join(_new_from_above(*seen, given))}"
        remedy = f"nothing was written; in the folder above both this works: {command}"
        raise ProfileError(replace(fault, remedy=remedy) for fault in written.faults)
    write_new(path, written.text)
    code = report(ctx, path, root, written)
    for started in found.started_by:
        click.echo(f"note: {started} starts gunicorn: container-kit import takes its settings too", err=True)
    return code


def _new_from_above(above: Path, entries: Sequence[Entry], given: Mapping[str, str]) -> list[str]:
    """The words of `new` for the same app as part of the project of a folder above, with what was given here."""
    seen = {one.path: str(one.value) for one in entries if one.path in _SEEN_FROM_ABOVE}
    others = {**seen, **{path: value for path, value in given.items() if path not in seen and path != "app.module"}}
    module = given.get("app.module") or next(str(one.value) for one in entries if one.path == "app.module")
    settings = [word for path, value in others.items() for word in ("--set", f"{path}={value}")]
    return ["new", str(above), "--module", module, *settings]


#: What `new` might see otherwise in a folder with more than one app.
_SEEN_FROM_ABOVE = ("name", "app.path", "app.requirements", "app.python_path")


def is_terminal() -> bool:
    """Whether somebody is there to type a reply."""
    return sys.stdin.isatty()


def _pair(text: str, ctx: click.Context) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise click.UsageError(f"--set {text}: write PATH=VALUE, for example --set port=5000", ctx)
    return path, value


def _plain(text: str) -> Any:
    """The value of an option's text, by YAML's syntax alone: a number, a truth, null, a list, or else text as it is."""
    return _value(parse_value(text, "option"))


def _value(parsed: Any) -> Any:
    if isinstance(parsed, dict):
        return {str(key): _value(one) for key, one in parsed.items()}
    if isinstance(parsed, list):
        return [_value(one) for one in parsed]
    if not parsed.plain:
        return str(parsed)
    words = {"true": True, "false": False}
    if parsed.is_null or parsed in words:
        return words.get(parsed)
    return int(parsed) if re.fullmatch(r"0|[1-9][0-9]{0,17}", parsed) else str(parsed)


def _application(found: Found, given: Mapping[str, str], interactive: bool) -> Application:
    if (target := given.get("app.module")) is not None:
        module = target.partition(":")[0]
        fitting = [one for one in found.modules if one.name == module]
        # Of several apps in one repository, each may have its app.py.
        fitting.sort(key=lambda one: place_of(one.folder).path != given.get("app.path"))
        name = target.partition(":")[2]
        return application_at(fitting[0], name) if fitting else Application(module, name, Mark("--module"), ".")
    choices = found.applications
    if len(choices) == 1:
        return choices[0]
    if not choices:
        names = f"app, application, {' or '.join(FACTORIES)}"
        what = f"no Flask application: no module of this folder has {names}"
        if not interactive:
            raise KitError(f"{what}; name it with --module shop:app")
        click.echo(what)
        text = click.prompt("What the server imports, as module:name or module:factory()", type=str)
        return _application(found, {**given, "app.module": text}, False)
    listed = ", ".join(one.target for one in choices)
    if not interactive:
        raise KitError(f"several applications: {listed}; choose one with --module")
    click.echo("Several files make an application; the server imports one.")
    by_name = {one.target: one for one in choices}
    return by_name[click.prompt("Application", type=click.Choice(list(by_name)), default=choices[0].target)]


def _prompt_connections() -> str:
    click.echo("Browsers and proxies keep connections open; idle ones count too.")
    return str(click.prompt("Connections that one container must hold", default=int(CONNECTIONS), type=int))


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet. Raises KitError where one is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise KitError(f"{path} is there already, and nothing was overwritten; name another with --file") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def report(ctx: click.Context, path: Path, root: Path, written: Written) -> int:
    """What was written, what to correct first, and the next commands. The exit code is 2 where generate refuses it."""
    click.echo(f"created {printable(str(path))}")
    for fault in written.faults:
        click.echo(f"before generate: {fault}", err=True)
    program = ctx.find_root().command_path
    if written.plan is None:
        click.echo(f"next, once that is corrected:\n  {printable(_generate(program, path, root))}")
        return ProfileError.exit_code
    if written.plan.profile.app.requirements is None:
        do = _lock_command(root) or "set app.requirements"
        click.echo(f"note: no dependency file was found, so nothing is installed: {do}", err=True)
    click.echo("next:")
    for command in next_commands(program, written.plan, path, root):
        click.echo(f"  {printable(command)}")
    return 0


def _lock_command(root: Path) -> str:
    """What makes a file to install from, where the project names its packages in one that only its own tool reads."""
    if table(toml_of(root / "pyproject.toml"), "tool", "poetry", "dependencies"):
        return "poetry lock writes poetry.lock, which app.requirements can name"
    return "pipenv lock writes Pipfile.lock, which app.requirements can name" if (root / "Pipfile").is_file() else ""


def next_commands(program: str, plan: Plan, path: Path, root: Path) -> Sequence[str]:
    """Generate, build, run: the profile's own limits are the container's."""
    tag = f"{plan.name}:dev"
    profile = plan.profile
    limits = ["--cpus", plan.texts.cpu_text, "--memory", docker_size(profile.resources.memory)]
    build = ["docker", "build", "-f", str(root / plan.folder / "Dockerfile"), "-t", tag, str(root)]
    run = ["docker", "run", "--rm", *limits, "--read-only", "--tmpfs", "/tmp", "-p", f"{profile.port}:{profile.port}"]
    return _generate(program, path, root), shlex.join(build), shlex.join([*run, tag])


def _generate(program: str, path: Path, root: Path) -> str:
    away = [] if root == Path() else ["--output", str(root)]
    return f"{program} {shlex.join(['generate', *away, str(path)])}"


_short(new)
