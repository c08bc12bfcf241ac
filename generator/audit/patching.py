"""Whether a module patches the standard library for gevent, seen from its text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath


def patches(text: str) -> bool:
    """Whether a module calls gevent's patch_all, under whatever name it imports it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    names = {"gevent": "gevent"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.asname: one.name for one in node.names if one.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(_dotted(one, names) == "gevent.monkey.patch_all" for one in called)


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    base = names.get(node.id, "") if isinstance(node, ast.Name) else ""
    return ".".join([base, *reversed(parts)])


def modules_of(target: str, folders: Sequence[str]) -> Iterator[str]:
    """Where the module of an app, and the packages above it, may lie: all are imported before its name is looked up.

    ``folders`` are those that gunicorn is told to look in; ``src`` is where many projects have their packages.
    """
    parts = target.partition(":")[0].split(".")
    if not all(part.isidentifier() for part in parts):
        return
    for folder in dict.fromkeys(["", *folders, "src"]):
        for length in range(1, len(parts) + 1):
            path = PurePosixPath(folder, *parts[:length])
            yield from (f"{path}.py", f"{path}/__init__.py")
