"""Expressions of a configuration, evaluated from their syntax alone: literals and the idioms people use."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What counts the node's CPUs, whatever the container's quota.
CPU_COUNTS = ("multiprocessing.cpu_count", "os.cpu_count", "os.process_cpu_count", "psutil.cpu_count")
#: What stands for a CPU count that nobody knows here, so that arithmetic on it goes on.
_SOME_CPUS = 4


def _round(value: Any, digits: Any = None) -> Any:
    if isinstance(digits, int) and abs(digits) > _MOST_DIGITS:
        raise ValueError  # round(5, -20000000) calculates ten to that power
    return round(value, digits)


#: More than a number in a configuration has.
_MOST_DIGITS = 20
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
    "int": int, "float": float, "str": str, "bool": bool, "len": len, "min": min, "max": max, "round": _round,
    "abs": abs, "list": list, "tuple": tuple, "dict": dict, "set": set, "sorted": sorted,
    "math.ceil": lambda x: -int(-x // 1), "math.floor": lambda x: int(x // 1),
    "os.path.join": lambda *parts: "/".join(part.rstrip("/") for part in parts),
}  # fmt: skip
_METHODS = ("lower", "upper", "strip", "lstrip", "rstrip", "split", "format", "join", "get", "replace", "startswith")
#: A literal like "x" * 10**9 must not take the audit's memory.
_LARGEST = 2_000
#: Characters and items of a value with all that it holds, which names may repeat: a = [a, a], forty times.
_LARGEST_WHOLE = 100_000
_DEEPEST = 20


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

    #: Values by name; None where a variable is set to what is not known.
    environment: Mapping[str, str | None] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    #: Values that were measured, with their size and depth, by id: kept here, so that no other gets that id.
    measured: dict[int, tuple[Any, tuple[int, int]]] = field(default_factory=dict)

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
    except (
        ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError, MemoryError,
    ) as error:  # fmt: skip
        return Value(unseen=f"it raises {type(error).__name__} with what is known here")
    return Value(value, cpus=marks.cpus, variable=marks.variable, reads=frozenset(marks.reads))


@dataclass
class _Marks:
    """What was met on the way to a value."""

    cpus: bool = False
    variable: str | None = None
    reads: set[str] = field(default_factory=set)


def _value(node: ast.expr, scope: Scope, marks: _Marks) -> Any:
    evaluator = _EVALUATORS.get(type(node))
    if evaluator is None:
        raise _Unseen(f"{ast.unparse(node)[:60]} is not a literal")
    return evaluator(node, scope, marks)


def _constant(node: Any, _: Scope, __: _Marks) -> Any:
    if isinstance(node.value, int) and abs(node.value) > _LARGEST_NUMBER:
        raise _Unseen(_TOO_LARGE)  # Python refuses to write 5000 digits
    return node.value


def _items(node: Any, scope: Scope, marks: _Marks) -> list[Any]:
    found = [_value(item, scope, marks) for item in node.elts]
    _size(found, scope)
    return found


def _mapping(node: Any, scope: Scope, marks: _Marks) -> dict[Any, Any]:
    if None in node.keys:
        raise _Unseen("a mapping is unpacked into it")
    pairs = zip(node.keys, node.values, strict=True)
    found = {_value(key, scope, marks): _value(value, scope, marks) for key, value in pairs}
    _size(found, scope)
    return found


def _joined(node: Any, scope: Scope, marks: _Marks) -> str:
    found = ""
    for part in node.values:
        found = _small(found + str(_value(part, scope, marks)), scope)
    return found


def _formatted(node: Any, scope: Scope, marks: _Marks) -> str:
    shown = _value(node.value, scope, marks)
    _size(shown, scope)
    layout = _value(node.format_spec, scope, marks) if node.format_spec else ""
    if layout and re.search(r"[0-9]{4}", layout):
        raise _Unseen(_TOO_LARGE)
    return format(shown, layout)


def _binary(node: Any, scope: Scope, marks: _Marks) -> Any:
    sides = _value(node.left, scope, marks), _value(node.right, scope, marks)
    return _small(_operator(node.op)(*_bounded(node.op, *sides, scope)), scope)


def _unary(node: Any, scope: Scope, marks: _Marks) -> Any:
    value = _value(node.operand, scope, marks)
    if isinstance(node.op, ast.Not):
        return not value
    return -value if isinstance(node.op, ast.USub) else +value


def _either(node: Any, scope: Scope, marks: _Marks) -> Any:
    for part in node.values:
        value = _value(part, scope, marks)
        if bool(value) == isinstance(node.op, ast.Or):
            break
    return value


def _compared(node: Any, scope: Scope, marks: _Marks) -> bool:
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
        name = _value(node.left, scope, marks)
        if scope.dotted(node.comparators[0]) == "os.environ":
            return _is_set(name, scope, marks) == isinstance(node.ops[0], ast.In)
    left = _value(node.left, scope, marks)
    for sign, part in zip(node.ops, node.comparators, strict=True):
        right = _value(part, scope, marks)
        if not _operator(sign)(left, right):
            return False
        left = right
    return True


def _is_set(name: Any, scope: Scope, marks: _Marks) -> bool:
    """Whether a variable is set; one that nobody names is not, as its default would be taken."""
    marks.reads.add(str(name))
    if name not in scope.environment:
        marks.variable = str(name)
    return name in scope.environment


def _chosen(node: Any, scope: Scope, marks: _Marks) -> Any:
    return _value(node.body if _value(node.test, scope, marks) else node.orelse, scope, marks)


def _subscript(node: Any, scope: Scope, marks: _Marks) -> Any:
    if scope.dotted(node.value) == "os.environ":
        return _variable(_value(node.slice, scope, marks), scope, marks, missing=True)
    return _value(node.value, scope, marks)[_value(node.slice, scope, marks)]


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


def _operator(sign: ast.AST) -> Callable[[Any, Any], Any]:
    if type(sign) not in _OPERATORS:
        raise _Unseen(f"the operator {type(sign).__name__} is not evaluated")
    return _OPERATORS[type(sign)]


_LARGEST_NUMBER = 2**63
_TOO_LARGE = "it would be too large to evaluate here"


_WIDE = re.compile(r"%[^%]*?(?:\*|[0-9]{4})")


def _bounded(sign: ast.AST, left: Any, right: Any, scope: Scope) -> tuple[Any, Any]:
    """The operands, refused where the result would be huge."""
    if isinstance(sign, ast.Mod) and isinstance(left, str | bytes):
        layout = left.decode("latin-1") if isinstance(left, bytes) else left
        # A width of four digits, or one that the values give.
        if _WIDE.search(layout) or len(layout) * _size(right, scope) > _LARGEST_WHOLE:
            raise _Unseen(_TOO_LARGE)
    if isinstance(sign, ast.Mult) and any(isinstance(side, str | bytes | list | tuple) for side in (left, right)):
        sizes = [abs(side) if isinstance(side, int | float) else _size(side, scope) for side in (left, right)]
        if sizes[0] * sizes[1] > _LARGEST:
            raise _Unseen(_TOO_LARGE)
    return left, right


def _size(value: Any, scope: Scope) -> int:
    """Characters and items of a value with all that it holds. Raises _Unseen where that is too much or too deep."""
    return _measured(value, scope)[0]


def _measured(value: Any, scope: Scope) -> tuple[int, int]:
    """Size and depth of a value; nothing changes one here, so each is measured once."""
    if isinstance(value, str | bytes):
        return len(value) + 1, 0
    if not isinstance(value, list | tuple | set | dict):
        return 1, 0
    if id(value) not in scope.measured:
        size, depth = 1, 0
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            inner = _measured(one, scope)
            size, depth = size + inner[0], max(depth, inner[1])
            if size > _LARGEST_WHOLE or depth >= _DEEPEST:
                raise _Unseen(_TOO_LARGE)
        scope.measured[id(value)] = value, (size, depth + 1)
    return scope.measured[id(value)][1]


def _small(value: Any, scope: Scope) -> Any:
    is_long = isinstance(value, str | bytes | list | tuple) and len(value) > _LARGEST
    if is_long or (isinstance(value, int) and abs(value) > _LARGEST_NUMBER):
        raise _Unseen(_TOO_LARGE)
    _size(value, scope)
    return value


def _variable(name: Any, scope: Scope, marks: _Marks, default: Any = None, missing: bool = False) -> Any:
    marks.reads.add(str(name))
    if (known := scope.environment.get(name)) is not None:
        return known
    if missing or name in scope.environment:
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
    if name in ("os.environ.get", "os.getenv"):
        return _environment(node, scope, marks)
    if name == "min" and len(node.args) > 1 and not node.keywords:
        return min(_each(node.args, scope, marks))
    arguments = [_value(part, scope, marks) for part in node.args]
    words = {str(word.arg): _value(word.value, scope, marks) for word in node.keywords}
    if name == "dict" and not arguments:
        _size(words, scope)
        return words
    if name in _FUNCTIONS and not words:
        return _small(_FUNCTIONS[name](*arguments), scope)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        owner = _value(node.func.value, scope, marks)
        layout = node.func.attr == "format" and re.search(r"\{[^{}]*[:.\[]", str(owner))
        product = _size(owner, scope) * (_size(arguments, scope) + _size(words, scope))
        if isinstance(owner, str | dict | list) and not layout and product < _LARGEST_WHOLE * _LARGEST:
            return _small(getattr(owner, node.func.attr)(*arguments, **words), scope)
    raise _Unseen(f"{ast.unparse(node.func)[:60]}() is not called here")


def _environment(node: ast.Call, scope: Scope, marks: _Marks) -> Any:
    """A variable; its default is evaluated only where that decides, so that it leaves no marks on a known value."""
    words = {word.arg: word.value for word in node.keywords}
    parts = [*node.args, *(words[name] for name in ("key", "default")[len(node.args) :] if name in words)]
    name = _value(parts[0], scope, marks) if parts else None
    default = None
    if name not in scope.environment and len(parts) > 1:
        default = _value(parts[1], scope, marks)
    return _variable(name, scope, marks, default)


def _each(nodes: list[ast.expr], scope: Scope, marks: _Marks) -> list[Any]:
    """The operands of min(): cpu_count() * 2 + 1 has a bound where any other of them is none of the node's."""
    found, bounded, cpus = [], False, False
    for node in nodes:
        own = _Marks()
        found.append(_value(node, scope, own))
        bounded, cpus = bounded or not own.cpus, cpus or own.cpus
        marks.variable = own.variable or marks.variable
        marks.reads |= own.reads
    marks.cpus |= cpus and not bounded
    return found


_EVALUATORS: dict[type[ast.expr], Callable[[Any, Scope, _Marks], Any]] = {
    ast.Constant: _constant,
    ast.Name: lambda node, scope, marks: _named(scope.names.get(node.id), node.id, marks),
    ast.List: _items,
    ast.Tuple: _items,
    ast.Set: _items,
    ast.Dict: _mapping,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _either,
    ast.Compare: _compared,
    ast.IfExp: _chosen,
    ast.Subscript: _subscript,
    ast.Call: _called,
}
