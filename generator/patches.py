"""kubernetes.patches: changes of the generated manifest that keep its comments; each ``why`` becomes one more."""

from __future__ import annotations

import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from .errors import Fault, ProfileError
from .records import Patch
from .render import comment, yaml_scalar

_SEPARATOR = "---\n"


def apply_patches(manifest: str, patches: tuple[Patch, ...]) -> str:
    """The manifest with all patches applied, in their order. Raises ProfileError for each that matches nothing."""
    documents = re.split(rf"(?m)^{_SEPARATOR}", manifest)
    faults: list[Fault] = []
    for number, patch in enumerate(patches):
        try:
            documents = _apply(documents, patch)
        except LookupError as error:
            path = f"kubernetes.patches.{number}.path"
            faults.append(Fault(patch.mark, path, f"{patch.path!r} matches nothing", str(error.args[0]), "correct it"))
    if faults:
        raise ProfileError(faults)
    return _SEPARATOR.join(documents)


def _apply(documents: list[str], patch: Patch) -> list[str]:
    kind, *steps = [step.replace("~1", "/").replace("~0", "~") for step in patch.path.split("/")[1:]]
    kinds = [_kind(text) for text in documents]
    if kind not in kinds:
        raise LookupError(f"one of {', '.join(kinds)}, then the field")
    place = kinds.index(kind)
    head, document = "", _yaml().load(documents[place])
    container, indent = _descend(document, steps[:-1])
    if patch.op == "remove":
        del container[_existing(container, steps[-1])]
        head = f"{comment(f'Without {patch.path}, by the profile: {patch.why}')}\n"
    else:
        key = _add(container, steps[-1], patch.value) if patch.op == "add" else _existing(container, steps[-1])
        container[key] = _quoted(patch.value)
        note = comment(patch.why).replace("\n# ", "\n").removeprefix("# ")
        container.yaml_set_comment_before_after_key(key, before=note, indent=indent)
    out = io.StringIO()
    _yaml().dump(document, out)
    return [*documents[:place], head + out.getvalue(), *documents[place + 1 :]]


def _kind(text: str) -> str:
    return next(line.removeprefix("kind: ") for line in text.splitlines() if line.startswith("kind: "))


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 100_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _descend(node: Any, steps: list[str]) -> tuple[Any, int]:
    """The mapping or list that the steps lead to, and the column in which its entries stand."""
    column = 0
    for step in steps:
        node = node[_existing(node, step)]
        column += 2
    if not isinstance(node, CommentedMap | CommentedSeq):
        raise LookupError(f"a field of a mapping or list; /{'/'.join(steps)} is {node!r}")
    return node, column


def _existing(container: Any, step: str) -> Any:
    if isinstance(container, CommentedSeq) and step.isdigit() and int(step) < len(container):
        return int(step)
    if isinstance(container, CommentedMap) and step in container:
        return step
    if isinstance(container, CommentedSeq):
        raise LookupError(f"a number from 0 to {len(container) - 1} where {step!r} stands")
    there = ", ".join(map(str, container)) if isinstance(container, CommentedMap) else repr(container)
    raise LookupError(f"one of {there}, where {step!r} stands")


def _add(container: Any, step: str, value: Any) -> Any:
    """Make room for a new entry; its key or its number."""
    if isinstance(container, CommentedMap):
        return step
    if step != "-" and not (step.isdigit() and int(step) <= len(container)):
        raise LookupError(f"a number from 0 to {len(container)}, or - for the end, where {step!r} stands")
    index = len(container) if step == "-" else int(step)
    container.insert(index, value)
    return index


def _quoted(value: Any) -> Any:
    """The value with text quoted wherever a reader of YAML 1.1 would take it for something else."""
    if isinstance(value, dict):
        return CommentedMap({key: _quoted(item) for key, item in value.items()})
    if isinstance(value, list):
        return CommentedSeq([_quoted(item) for item in value])
    if isinstance(value, str) and yaml_scalar(value).startswith('"'):
        return DoubleQuotedScalarString(value)
    return value
