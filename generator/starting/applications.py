"""Flask applications in a folder, found as `flask run` finds them, but by the syntax of the files alone."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import KitError, Mark
from ..files import read_regular

#: Classes whose instances are WSGI applications of Flask's kind.
_CLASSES = ("flask.Flask", "flask.app.Flask", "apiflask.APIFlask", "flask_openapi3.OpenAPI")
#: Names that Flask looks for, in its order.
_NAMES = ("app", "application")
FACTORIES = ("create_app", "make_app")
#: Calls that give an application of another framework.
_CALLS = ("django.core.wsgi.get_wsgi_application",)
#: A class whose instances have their Flask application as ``server``, which modules pass on: ``server = app.server``.
_SERVED = ("dash.Dash", "dash.dash.Dash")
#: Folders without the app's own modules.
_ASIDE = {"tests", "test", "docs", "examples", "migrations", "alembic", "node_modules", "site-packages", "build",
          "dist", "docker", "k8s", "__pycache__"}  # fmt: skip
_MAX_FILES, _MAX_DEPTH = 2000, 5
#: Of one file, and of all: what is a tree of statements takes 30 times its text, and 400 times where that is `a` only.
_MAX_BYTES, _MAX_TOTAL = 512 * 1024, 16 * 1024 * 1024


@dataclass(frozen=True)
class Application:
    """One way to start the app: the module, its attribute or factory call, and where that stands."""

    module: str
    name: str
    mark: Mark
    #: Folder that the module is imported from, relative to the project's.
    folder: str

    @property
    def target(self) -> str:
        """What a server is told: ``shop:create_app()``."""
        return f"{self.module}:{self.name}"


def _line_of(module: Module, name: str) -> int:
    """Where a module makes or imports what a target names: of `create_app()` the function's line."""
    name = name.partition("(")[0]
    for node in _statements(module.tree.body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [one.id for one in targets if isinstance(one, ast.Name)]
        names += [alias.asname or alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)]
        if name in (*names, getattr(node, "name", "")):
            return node.lineno
    return 1


def application_at(module: Module, name: str) -> Application:
    """What is named of a module, whatever it is."""
    return Application(module.name, name, Mark(module.path, _line_of(module, name)), module.folder)


def factory_call(name: str) -> tuple[str, list[Any] | dict[str, Any]]:
    """A call with literal arguments as the profile has it: the call without them, and what they are."""
    try:
        call = ast.parse(name, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return name, []
        values = [ast.literal_eval(one) for one in call.args]
        named = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords if one.arg is not None}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return name, []
    if (values and named) or len(named) < len(call.keywords):
        return name, []  # the profile's own message says what to write
    return f"{call.func.id}()", values or named


@dataclass
class Module:
    """One Python file of the project."""

    path: str
    #: Its dotted name, and the folder that it is imported from.
    name: str
    folder: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)

    def full(self, node: ast.expr) -> str:
        """What an expression like ``flask.Flask`` stands for, by the file's imports."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and (above := self.full(node.value)):
            return f"{above}.{node.attr}"
        return ""

    def is_flask(self, node: ast.expr | None) -> bool:
        """Whether an expression makes an application: a call of Flask or of a class of this file made from it."""
        if not isinstance(node, ast.Call):
            return False
        own = {one.name for one in self.tree.body if isinstance(one, ast.ClassDef)
               and any(self.full(base) in _CLASSES for base in one.bases)}  # fmt: skip
        return self.full(node.func) in (*_CLASSES, *own)


def modules(root: Path) -> list[Module]:
    """Every Python file below ``root`` that is the project's own and that this Python can read."""
    found = []
    left = _MAX_TOTAL
    for path in _files(root):
        try:
            content = read_regular(root / path, min(left, _MAX_BYTES))
            left -= len(content)
            tree = ast.parse(content)
        except (KitError, OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # Python 2, a template, no text: nothing that a server could import
        parts = list(Path(path).with_suffix("").parts)
        above = len(parts) - 1
        while above and (root.joinpath(*parts[:above]) / "__init__.py").is_file():
            above -= 1
        names = [part for part in parts[above:] if part != "__init__"]
        if names and all(name.isidentifier() for name in names):
            folder = "/".join(parts[:above]) or "."
            one = Module(path, ".".join(names), folder, tree)
            one.imports = dict(_imports(one))
            found.append(one)
    return found


def _files(root: Path) -> Iterator[str]:
    count = 0
    for folder, below, files in os.walk(root):
        here = Path(folder).relative_to(root)
        deep = len(here.parts) >= _MAX_DEPTH
        below[:] = sorted(name for name in below if not deep and _is_own(Path(folder, name)))
        for name in sorted(files):
            if name.endswith(".py") and count < _MAX_FILES:
                count += 1
                yield (here / name).as_posix()


def _is_own(folder: Path) -> bool:
    return not (folder.name.startswith(".") or folder.name in _ASIDE or (folder / "pyvenv.cfg").exists())


def _imports(module: Module) -> Iterator[tuple[str, str]]:
    package = module.name.split(".") if module.path.endswith("__init__.py") else module.name.split(".")[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    alias.asname or alias.name.partition(".")[0],
                    alias.name if alias.asname else alias.name.partition(".")[0],
                )
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            above = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield alias.asname or alias.name, f"{above}.{alias.name}"


def applications(found: list[Module]) -> list[Application]:
    """Every application, the likeliest first; those before `likeliest` ends are equally likely."""
    own = {one.name: one for one in found}
    every = [application for module in found for application in _of(module, own)]
    return sorted(every, key=lambda one: (*likelihood(one), one.target))


def likelihood(one: Application) -> tuple[int, int]:
    """How far from where `flask run` looks first; smaller is likelier."""
    last = one.module.rpartition(".")[2]
    package = one.mark.file.endswith("__init__.py")
    place = 2 if package else {"wsgi": 0, "app": 1, "application": 1}.get(last, 3)
    return place, one.module.count(".")


def _of(module: Module, own: dict[str, Module]) -> Iterator[Application]:
    """What Flask would take of one module: app or application, else its only instance, else a factory."""
    instances = dict(_instances(module, own))
    chosen = next((name for name in _NAMES if name in instances), None)
    names = [chosen] if chosen else list(instances)
    for name in names:
        yield Application(module.name, name, Mark(module.path, instances[name]), module.folder)
    if names:
        return
    for factory in FACTORIES:
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == factory and _is_callable_bare(node):
                yield Application(module.name, f"{factory}()", Mark(module.path, node.lineno), module.folder)
                return


def _is_callable_bare(node: ast.FunctionDef) -> bool:
    """Whether it can be called without arguments and returns something."""
    given = node.args
    needed = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    named = any(default is None for default in given.kw_defaults)
    returns = any(isinstance(one, ast.Return) and one.value is not None for one in ast.walk(node))
    return needed == 0 and not named and returns


def _instances(module: Module, own: dict[str, Module]) -> Iterator[tuple[str, int]]:
    """Names of the module that are applications, with their lines."""
    for node in _statements(module.tree.body):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _gives_app(module, node.value):
                yield from ((one.id, node.lineno) for one in targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                source, _, attribute = module.imports.get(name, "").rpartition(".")
                if name in _NAMES and source in own and own[source] is not module:
                    made = [one for one in _statements(own[source].tree.body) if isinstance(one, ast.Assign)]
                    if any(_names(one, attribute) and _gives_app(own[source], one.value) for one in made):
                        yield name, node.lineno


def _names(node: ast.Assign, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in node.targets)


def _gives_app(module: Module, value: ast.expr | None) -> bool:
    if module.is_flask(value):
        return True
    if isinstance(value, ast.Attribute) and value.attr == "server" and isinstance(value.value, ast.Name):
        return any(
            _names(one, value.value.id) and isinstance(one.value, ast.Call) and module.full(one.value.func) in _SERVED
            for one in _statements(module.tree.body)
            if isinstance(one, ast.Assign)
        )
    called = module.full(value.func) if isinstance(value, ast.Call) else ""
    return called in _CALLS or called.rpartition(".")[2] in FACTORIES


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that an import runs, those under a condition too, but not those of `python file.py`."""
    for node in body:
        if isinstance(node, ast.If) and "__main__" not in ast.unparse(node.test):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _statements([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.With):
            yield from _statements(node.body)
        elif not isinstance(node, ast.If):
            yield node
