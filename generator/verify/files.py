"""What the consumers of the output accept, checked before anything is written; it repairs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..errors import KitError, OwnFault
from ..profile.gunicorn_settings import known_settings
from .manifest import manifest_problems
from .proxy import compose_problems, nginx_problems


def verify(files: Mapping[str, str], minors: tuple[str, ...] = (), patched: bool = False) -> None:
    """Raise OwnFault with everything that a consumer of these files would refuse.

    ``minors`` are the Kubernetes versions whose schemas are used. What is wrong with a manifest that the profile
    ``patched`` is the profile's doing: then it is a KitError.
    """
    problems: list[str] = []
    for path, text in files.items():
        if path.endswith("gunicorn.conf.py"):
            problems += [f"{path}: {problem}" for problem in configuration_problems(text)]
        elif path.endswith("/compose.yaml"):
            problems += [f"{path}: {problem}" for problem in compose_problems(text)]
        elif path.endswith("/nginx.conf"):
            problems += [f"{path}: {problem}" for problem in nginx_problems(text)]
        elif path.startswith("k8s/"):
            problems += [f"{path}: {problem}" for problem in manifest_problems(text, minors)]
    if problems:
        raise (KitError if patched else OwnFault)("\n".join(problems))


def configuration_problems(text: str) -> Iterator[str]:
    """gunicorn ignores a name that it does not know without a word, so every public name must be a setting."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        yield f"not Python: {error}"
        return
    for node in tree.body:
        for name in _bound_names(node):
            if not name.startswith("_") and name not in known_settings():
                yield f"line {node.lineno}: gunicorn has no setting {name}"


def _bound_names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.FunctionDef):
        yield node.name
