"""A gunicorn configuration's text to what it gives, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..errors import Mark, lines_of
from ..profile.gunicorn_settings import known_settings
from .given import Given, Run, Span, Unseen
from .values import Scope, Value, evaluate

#: Functions whose effect a reader of the text must know.
_PATCHES = ("gevent.monkey.patch_all",)


class Unreadable(Exception):
    """The text is no Python; carries the place."""

    def __init__(self, span: Span, message: str) -> None:
        super().__init__(message)
        self.span = span


def read_configuration(text: str, file: str, environment: Mapping[str, str | None] | None = None) -> Run:
    """What a configuration gives to gunicorn. ``environment`` is what is known of it. Raises Unreadable."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        raise Unreadable(Span(Mark(file, line, column)), getattr(error, "msg", None) or str(error)) from error
    reader = _Reader(file, text, tree, Scope(environment or {}))
    try:
        reader.walk(tree.body)
    except RecursionError:
        reader.run.partial = True
        reader.run.unseen.append(Unseen(Span(Mark(file)), "statements that are nested too deeply to follow"))
    return reader.run


#: What modules call their application or its factory, as Flask looks for it.
_APPS = ("app", "application", "create_app", "make_app")


def app_of(run: Run) -> Span | None:
    """Where a file makes an application, if it sets nothing of gunicorn's: somebody took it for a configuration."""
    own = [one for one in run.given if one.how != "imported"]
    if any(one.name in known_settings() for one in own):
        return None
    return next((one.span for one in own if one.name in _APPS), None)


class _Reader:
    """Follows the statements of a module in order, both ways where a condition cannot be known."""

    def __init__(self, file: str, text: str, tree: ast.Module, scope: Scope) -> None:
        self.file, self.scope, self.run = file, scope, Run()
        self.lines = lines_of(text)
        loads = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
        self.reads = {node.id for node in loads}

    def walk(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value)
            case ast.AnnAssign(value=ast.expr() as given):
                self._assign(node.target, given)
            case ast.AugAssign(target=ast.Name(id=own)):
                name = ast.Name(own, ast.Load())
                whole = ast.copy_location(ast.BinOp(name, node.op, node.value), node)
                self._assign(node.target, whole)
            case ast.If():
                self._branch(node)
            case ast.Try() | ast.With() | ast.For() | ast.While():
                self._block(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                offset = 6 if isinstance(node, ast.AsyncFunctionDef | ast.ClassDef) else 4
                offset += 4 if isinstance(node, ast.AsyncFunctionDef) else 0
                span = Span(Mark(self.file, node.lineno, node.col_offset + offset + 1), len(node.name))
                self._bind(node.name, Value(function=True), span, "function")
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Expr(value=ast.Call() as call):
                self._call(call)

    def _assign(self, target: ast.expr, expression: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            values = expression.elts if isinstance(expression, ast.Tuple | ast.List) else []
            for number, part in enumerate(target.elts):
                if len(values) == len(target.elts):
                    self._assign(part, values[number])
                elif isinstance(part, ast.Name):
                    self._bind(part.id, Value(unseen="it is one of several values"), self._span(part), "assigned")
            return
        if not isinstance(target, ast.Name):
            return
        value = evaluate(expression, self.scope)
        self._bind(target.id, value, self._span(target), "assigned")

    def _bind(self, name: str, value: Value, span: Span, how: str) -> None:
        self.scope.names[name] = value
        self.scope.imports.pop(name, None)
        self.run.given.append(Given(name, value, span, how, name in self.reads))

    def _branch(self, node: ast.If) -> None:
        # A chain of elif is followed without recursion: each lies in the one above.
        unknown = []
        while True:
            test = evaluate(node.test, self.scope)
            if test.known and test.value:
                if test.variable is not None:
                    self._aside(node.orelse)
                last = node.body
                break
            if not test.known:
                unknown.append(node)
            elif test.variable is not None:
                self._aside(node.body)
            last = node.orelse
            if len(last) != 1 or not isinstance(last[0], ast.If):
                break
            node = last[0]
        before = dict(self.scope.names)
        self.walk(last)
        for branch in reversed(unknown):
            self.scope.names = before | {
                name: Value(unseen="it depends on a condition") for name in self.scope.names.keys() - before.keys()
            }
            self.walk(branch.body)

    def _aside(self, body: Iterable[ast.stmt]) -> None:
        """Look at statements that the environment's defaults leave out: their names, not what they decide."""
        names, imports, given = dict(self.scope.names), dict(self.scope.imports), len(self.run.given)
        try:
            self.walk(body)
        finally:
            self.scope.names, self.scope.imports = names, imports
            self.run.given[given:] = [replace(one, otherwise=True) for one in self.run.given[given:]]

    def _block(self, node: ast.Try | ast.With | ast.For | ast.While) -> None:
        if isinstance(node, ast.For):
            for part in ast.walk(node.target):
                if isinstance(part, ast.Name):
                    self._bind(part.id, Value(unseen="it is a loop's variable"), self._span(part), "assigned")
        if any(_calls(node, name) for name in (("globals", "locals") if isinstance(node, ast.For) else ("locals",))):
            self.run.unseen.append(Unseen(self._span(node), "names are set through globals() or locals()"))
        self.walk(node.body)
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                known = set(self.scope.names) | set(self.scope.imports)
                # What the handler sets instead of what could be imported is a second way, not a mistake of the first.
                self.walk([one for one in handler.body if not _sets_only(one, known)])
            self.walk(node.finalbody)
        self.walk(getattr(node, "orelse", []))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            span = Span(Mark(self.file, alias.lineno, alias.col_offset + 1), len(alias.name))
            if alias.name == "*":
                module = getattr(node, "module", "") or "."
                self.run.unseen.append(Unseen(span, f"everything that {module} exports may be a setting"))
                continue
            if isinstance(node, ast.Import):
                full = alias.name if alias.asname else alias.name.partition(".")[0]
            else:
                full = f"{node.module or ''}.{alias.name}"
            name = alias.asname or alias.name.partition(".")[0]
            self.scope.imports[name] = full
            self.run.ours |= full.startswith("kit_runtime.")
            self.scope.names.pop(name, None)
            self.run.given.append(Given(name, Value(unseen=f"it is imported: {full}"), span, "imported", True))

    def _call(self, call: ast.Call) -> None:
        name = self.scope.dotted(call.func)
        if name in _PATCHES or name.endswith("monkey.patch_all"):
            self.run.patched = True
        elif name in ("exec", "eval", "globals.update", "locals.update") or _calls(call.func, "globals"):
            self.run.unseen.append(Unseen(self._span(call), f"what {ast.unparse(call.func)[:40]}() sets"))

    def _span(self, node: ast.expr | ast.stmt) -> Span:
        # ast counts bytes, a reader counts characters.
        line = self.lines[node.lineno - 1] if node.lineno <= len(self.lines) else ""
        column = len(line.encode()[: node.col_offset].decode(errors="replace"))
        end = node.end_col_offset if node.end_lineno == node.lineno else len(line.encode())
        width = len(line.encode()[node.col_offset : end].decode(errors="replace"))
        return Span(Mark(self.file, node.lineno, column + 1), max(width, 1))


def _calls(node: ast.AST, name: str) -> bool:
    """Whether a function of that name is called anywhere in it."""
    called = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return any(isinstance(one, ast.Name) and one.id == name for one in called)


def _sets_only(node: ast.stmt, known: set[str]) -> bool:
    return isinstance(node, ast.Assign) and all(isinstance(one, ast.Name) and one.id in known for one in node.targets)
