"""Expressions of a configuration, evaluated from their syntax alone: literals and the idioms people use."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What counts the node's CPUs, whatever the container's quota.
CPU_COUNTS = ("multiprocessing.cpu_count", "os.cpu_count", "os.process_cpu_count", "psutil.cpu_count")
#: What stands for a CPU count that nobody knows here, so that arithmetic on it goes on.
_SOME_CPUS = 4
_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "len": len, "min": min, "max": max, "round": round,
    "abs": abs, "list": list, "tuple": tuple, "dict": dict, "set": set, "sorted": sorted,
    "math.ceil": lambda x: -int(-x // 1), "math.floor": lambda x: int(x // 1),
    "os.path.join": lambda *parts: "/".join(part.rstrip("/") for part in parts),
}  # fmt: skip
_METHODS = ("lower", "upper", "strip", "lstrip", "rstrip", "split", "format", "join", "get", "replace", "startswith")
#: A literal like "x" * 10**9 must not take the audit's memory.
_LARGEST = 100_000


@dataclass(frozen=True)
class Value:
    """What an expression is: its ``value``, unless ``unseen`` says what kept it from being known."""

    value: Any = None
    unseen: str = ""
    #: Whether it follows the node's CPUs without a bound; ``value`` is then that of a few.
    cpus: bool = False
    #: The environment variable whose default this is, or None.
    variable: str | None = None
    #: Environment variables that it was made of, known ones too.
    reads: frozenset[str] = frozenset()
    #: Whether a function or a lambda.
    function: bool = False

    @property
    def known(self) -> bool:
        """Whether ``value`` is what gunicorn will see, as far as the text tells."""
        return not (self.unseen or self.cpus or self.function)


@dataclass
class Scope:
    """Names of a configuration so far, what its imports stand for, and the environment that is known."""

    environment: Mapping[str, str] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)

    def dotted(self, node: ast.expr) -> str:
        """The full name that an expression like ``mp.cpu_count`` stands for, or an empty text."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, node.id if node.id not in self.names else "")
        if isinstance(node, ast.Attribute) and (above := self.dotted(node.value)):
            return f"{above}.{node.attr}"
        return ""


class _Unseen(Exception):
    """The expression cannot be evaluated; the message says what stands in the way."""


def evaluate(node: ast.expr, scope: Scope) -> Value:
    """The value of an expression. Calls nothing of the configuration's own and imports nothing."""
    marks = _Marks()
    if isinstance(node, ast.Lambda):
        return Value(function=True)
    if isinstance(node, ast.Name) and node.id in scope.names:
        return scope.names[node.id]
    try:
        value = _value(node, scope, marks)
    except _Unseen as error:
        return Value(unseen=str(error))
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        return Value(unseen=f"it raises {type(error).__name__} with what is known here")
    return Value(value, cpus=marks.cpus, variable=marks.variable, reads=frozenset(marks.reads))


@dataclass
class _Marks:
    """What was met on the way to a value."""

    cpus: bool = False
    variable: str | None = None
    reads: set[str] = field(default_factory=set)


def _value(node: ast.expr, scope: Scope, marks: _Marks) -> Any:
    def inner(part: ast.expr) -> Any:
        return _value(part, scope, marks)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return _named(scope.names.get(node.id), node.id, marks)
        case ast.List() | ast.Tuple() | ast.Set():
            return [inner(item) for item in node.elts]
        case ast.Dict():
            if None in node.keys:
                raise _Unseen("a mapping is unpacked into it")
            return {inner(key): inner(value) for key, value in zip(node.keys, node.values, strict=True) if key}
        case ast.JoinedStr():
            return "".join(str(inner(part)) for part in node.values)
        case ast.FormattedValue():
            shown = inner(node.value)
            return format(shown, "".join(map(str, map(inner, node.format_spec.values)))) if isinstance(
                node.format_spec, ast.JoinedStr
            ) else shown  # fmt: skip
        case ast.BinOp():
            return _small(_operator(node.op)(*_bounded(node.op, inner(node.left), inner(node.right))))
        case ast.UnaryOp():
            value = inner(node.operand)
            return {ast.Not: lambda: not value, ast.USub: lambda: -value, ast.UAdd: lambda: value}[type(node.op)]()
        case ast.BoolOp():
            return _either(node, inner)
        case ast.Compare():
            left = inner(node.left)
            for sign, part in zip(node.ops, node.comparators, strict=True):
                right = inner(part)
                if not _operator(sign)(left, right):
                    return False
                left = right
            return True
        case ast.IfExp():
            return inner(node.body if inner(node.test) else node.orelse)
        case ast.Subscript():
            if scope.dotted(node.value) == "os.environ":
                return _variable(inner(node.slice), scope, marks, missing=True)
            return inner(node.value)[inner(node.slice)]
        case ast.Call():
            return _called(node, scope, marks)
    raise _Unseen(f"{ast.unparse(node)[:60]} is not a literal")


def _named(known: Value | None, name: str, marks: _Marks) -> Any:
    if known is None:
        raise _Unseen(f"{name} comes from elsewhere")
    if known.unseen:
        raise _Unseen(known.unseen)
    if known.function:
        raise _Unseen(f"{name} is a function")
    marks.cpus |= known.cpus
    marks.variable = known.variable or marks.variable
    marks.reads |= known.reads
    return known.value


def _either(node: ast.BoolOp, inner: Callable[[ast.expr], Any]) -> Any:
    for part in node.values:
        value = inner(part)
        if bool(value) == isinstance(node.op, ast.Or):
            return value
    return value


def _operator(sign: ast.AST) -> Callable[[Any, Any], Any]:
    if type(sign) not in _OPERATORS:
        raise _Unseen(f"the operator {type(sign).__name__} is not evaluated")
    return _OPERATORS[type(sign)]


def _bounded(sign: ast.AST, left: Any, right: Any) -> tuple[Any, Any]:
    """The operands, refused where the result would be huge."""
    sizes = [len(side) if isinstance(side, str | list) else abs(side) for side in (left, right) if not _is_other(side)]
    if isinstance(sign, ast.Mult) and any(isinstance(side, str | list) for side in (left, right)):
        product = 1
        for size in sizes:
            product *= size
        if product > _LARGEST:
            raise _Unseen("it would be too large to evaluate here")
    return left, right


def _is_other(side: Any) -> bool:
    return not isinstance(side, str | list | int | float)


def _small(value: Any) -> Any:
    if isinstance(value, str | list) and len(value) > _LARGEST or isinstance(value, int) and abs(value) > 2**63:
        raise _Unseen("it would be too large to evaluate here")
    return value


def _variable(name: Any, scope: Scope, marks: _Marks, default: Any = None, missing: bool = False) -> Any:
    marks.reads.add(str(name))
    if name in scope.environment:
        return scope.environment[name]
    if missing:
        raise _Unseen(f"the environment variable {name} is not known here")
    marks.variable = str(name)
    return default


def _called(node: ast.Call, scope: Scope, marks: _Marks) -> Any:
    name = scope.dotted(node.func)
    if name in CPU_COUNTS or (name == "len" and ast.unparse(node).endswith("sched_getaffinity(0))")):
        marks.cpus = True
        return _SOME_CPUS
    if any(isinstance(part, ast.Starred) for part in node.args) or any(word.arg is None for word in node.keywords):
        raise _Unseen("arguments are unpacked into a call")
    arguments = [_value(part, scope, marks) for part in node.args]
    if name in ("os.environ.get", "os.getenv"):
        words = {word.arg: _value(word.value, scope, marks) for word in node.keywords}
        default = arguments[1] if len(arguments) > 1 else words.get("default")
        key = arguments[0] if arguments else words.get("key")
        return _variable(key, scope, marks, default)
    if node.keywords and name != "dict":
        if not (isinstance(node.func, ast.Attribute) and node.func.attr == "format"):
            raise _Unseen(f"{ast.unparse(node)[:60]} is not evaluated")
    if name in _FUNCTIONS:
        capped = name == "min" and len(arguments) > 1
        if node.keywords:
            return {str(word.arg): _value(word.value, scope, marks) for word in node.keywords}
        result = _FUNCTIONS[name](*arguments)
        # min(cpu_count() * 2 + 1, 4) has a bound of its own.
        marks.cpus &= not capped
        return _small(result)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        owner = _value(node.func.value, scope, marks)
        if isinstance(owner, str | dict | list):
            words = {str(word.arg): _value(word.value, scope, marks) for word in node.keywords}
            if node.func.attr == "format" and ":" in str(owner):
                raise _Unseen("a format with its own layout is not evaluated")
            return _small(getattr(owner, node.func.attr)(*arguments, **words))
    raise _Unseen(f"{ast.unparse(node.func)[:60]}() is not called here")
