"""Pages for a readiness probe, among the routes that the app's own files state."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..errors import Mark
from .applications import Module

#: What such pages are called, the best first; a page for liveness alone says nothing about requests.
_PAGES = ("/readyz", "/ready", "/readiness", "/health/ready", "/healthz", "/health", "/healthcheck", "/health-check",
          "/_health", "/ping")  # fmt: skip


def readiness_page(modules: Iterable[Module]) -> tuple[str, Mark] | None:
    """The best page and where its route stands, or None."""
    own = list(modules)
    prefixed = any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "register_blueprint"
        and any(word.arg in ("url_prefix", None) for word in node.keywords)
        for module in own
        for node in ast.walk(module.tree)
    )
    found = {path: mark for module in own for path, mark in _routes(module, prefixed)}
    best = next((path for path in (p for page in _PAGES for p in (page, f"{page}/")) if path in found), None)
    return (best, found[best]) if best else None


def _routes(module: Module, prefixed: bool) -> Iterator[tuple[str, Mark]]:
    """Paths that are sure: of the application itself, or of a blueprint where none has a prefix."""
    owners = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and _is_owner(module, node.value, prefixed):
            owners |= {one.id for one in node.targets if isinstance(one, ast.Name)}
    owners |= {name for name, full in module.imports.items() if name == "app" and full.endswith(".app")}
    for node in ast.walk(module.tree):
        for one in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and _allows_get(one):
                owner, first = one.func.value, one.args[0] if one.args else None
                if isinstance(owner, ast.Name) and owner.id in owners and isinstance(first, ast.Constant):
                    yield str(first.value), Mark(module.path, one.lineno)


def _is_owner(module: Module, value: ast.expr, prefixed: bool) -> bool:
    if module.is_flask(value):
        return True
    if prefixed or not isinstance(value, ast.Call) or module.full(value.func) != "flask.Blueprint":
        return False
    return not any(word.arg in ("url_prefix", "subdomain", None) for word in value.keywords)


def _allows_get(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    if call.func.attr == "get":
        return True
    words = {word.arg: word.value for word in call.keywords}
    methods = words.get("methods")
    allowed = ast.unparse(methods).upper() if methods else "GET"
    return call.func.attr == "route" and "GET" in allowed and not {"subdomain", "host"} & words.keys()
