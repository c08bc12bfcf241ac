"""Whether what the profile has the server import is there: its module, the name in it, and how that is called."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from symtable import Symbol, symtable

from .source import file_of, parse, read_module

#: What may bind names that cannot be read.
_BINDS_ANY = frozenset(("exec", "globals", "setattr", "vars", "locals"))
#: What applications and their factories are called.
_USUAL = ("app", "application", "create_app", "make_app")
#: Entries looked at for a module of that name anywhere in the app; a project with more is not looked through.
_MAX_ENTRIES = 5000


def fault(root: Path, bases: Sequence[str], target: str, distributions: Collection[str]) -> str | None:
    """What keeps ``module:name``, ``module:factory()`` or a module alone from being imported; None if nothing shows it.

    ``bases`` are the folders below ``root`` that modules are imported from, the app's own first; ``distributions`` the
    names of those that are installed, one of which may bring the module.
    """
    module, _, name = target.partition(":")
    file = file_of(root, bases, module)
    if file is None:
        return _missing(root, bases, module, distributions)
    content = read_module(root / file)
    tree = parse(content)
    if tree is None or not name:
        return None
    names = _Names(content, file, tree)
    attribute = name.removesuffix("()")
    if names.may_have_any or file_of(root, bases, f"{module}.{attribute}"):
        return None
    if attribute not in names.bound:
        near = get_close_matches(attribute, names.bound, 1) or [name for name in _USUAL if name in names.bound]
        return f"{file} has no {attribute}" + (f"; it has {near[0]}" if near else "")
    return _miscalled(names, file, attribute, is_called=name.endswith("()"))


def _missing(root: Path, bases: Sequence[str], module: str, distributions: Collection[str]) -> str | None:
    above, _, last = module.rpartition(".")
    package = file_of(root, bases, above) if above else None
    if package is not None:
        folder = (root / package).parent
        is_there = _is_below(folder, last, into=False)
    else:
        top = module.partition(".")[0]
        is_installed = any(top.lower().replace("_", "-") in name for name in distributions)
        folder = root / bases[0]
        # Which folders its packages lie in, the app's build says: elsewhere than looked for is there.
        is_there = is_installed or _is_below(folder, top, into=True)
    packages = (init.parent for init in folder.glob("*/__init__.py"))
    stems = {place.stem for place in (*folder.glob("*.py"), *packages)} - {"__init__"}
    beside = sorted(filter(str.isidentifier, stems))
    if is_there or not beside:  # without any module the app comes from elsewhere
        return None
    near = get_close_matches(last, beside, 1)
    return f"no module {module} below {bases[0]}" + (f"; {near[0]} is there" if near else "")


def _is_below(folder: Path, name: str, into: bool) -> bool:
    """Whether a module of that name lies there, compiled perhaps, or in a folder of it; who knows, of a large one."""
    waiting, left = [folder], _MAX_ENTRIES
    while waiting:
        try:
            entries = list(waiting.pop().iterdir())
        except OSError:
            continue
        left -= len(entries)
        if left < 0 or any(entry.name.partition(".")[0] == name for entry in entries):
            return True
        if into:
            waiting += [one for one in entries if one.is_dir() and not one.is_symlink() and one.name[0] != "."]
    return False


def _miscalled(names: _Names, file: str, attribute: str, is_called: bool) -> str | None:
    if is_called:
        is_application = attribute in names.applications
        return f"{attribute} of {file} is an application, no factory: write it without ()" if is_application else None
    function = names.functions.get(attribute)
    if function is None or function.args.vararg is not None:
        return None
    taken = len(function.args.posonlyargs) + len(function.args.args)
    # A server calls an application with two arguments, environ and start_response.
    is_application = taken >= 2 and taken > len(function.args.defaults)
    return None if is_application else f"{attribute} of {file} is a factory: write {attribute}()"


class _Names:
    """A module's names after its import."""

    def __init__(self, content: bytes, file: str, tree: ast.Module) -> None:
        table = symtable(content.decode("utf-8-sig", "replace"), file, "exec")
        self.bound = {one.get_name() for one in table.get_symbols() if _binds(one)}
        #: Whether it may have others: from shop import *, __getattr__, globals().
        nodes = list(ast.walk(tree))
        stars = (alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names)
        words = {node.id for node in nodes if isinstance(node, ast.Name)}
        self.may_have_any = "*" in stars or "__getattr__" in self.bound or not _BINDS_ANY.isdisjoint(words)
        self.bound |= {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        self.functions = {node.name: node for node in functions if not node.decorator_list}
        #: Those that are assigned Flask(...) and nothing else.
        self.applications = set(_applications(tree))


def _binds(symbol: Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _applications(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        made = node.value.func if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) else None
        if isinstance(node, ast.Assign) and made and ast.unparse(made).rpartition(".")[2] == "Flask":
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
