"""kubernetes.patches: changes of the generated manifest that keep its comments; each ``why`` becomes one more."""

from __future__ import annotations

import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from ..errors import Fault, ProfileError
from ..profile.kubernetes import Patch
from .filters import comment, yaml_scalar

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
            faults.append(
                Fault(patch.mark, path, f"{patch.path!r} matches nothing", str(error.args[0]), "correct it", "K030")
            )
    if faults:
        raise ProfileError(faults)
    return _SEPARATOR.join(documents)


def _apply(documents: list[str], patch: Patch) -> list[str]:
    kind, *steps = [step.replace("~1", "/").replace("~0", "~") for step in patch.path.split("/")[1:]]
    place = _place([_key(text) for text in documents], kind, patch.name)
    head, document = "", _yaml().load(documents[place])
    container, indent = _descend(document, steps[:-1])
    if patch.op == "remove":
        _remove(container, _existing(container, steps[-1]))
        head = f"{comment(f'Without {patch.path}, by the profile: {patch.why}')}\n"
    else:
        key = _set(container, steps[-1], patch)
        note = comment(patch.why).replace("\n# ", "\n").removeprefix("# ")
        container.yaml_set_comment_before_after_key(key, before=note, indent=indent)
    out = io.StringIO()
    _yaml().dump(document, out)
    return [*documents[:place], head + out.getvalue(), *documents[place + 1 :]]


def _place(keys: list[tuple[str, str]], kind: str, name: str | None) -> int:
    """Which of the objects is meant."""
    kinds = [one for one, _ in keys]
    if kind not in kinds:
        raise LookupError(f"one of {', '.join(dict.fromkeys(kinds))}, then the field")
    if name is None:
        own = next((name for one, name in keys if one == "Deployment"), "")
        return keys.index((kind, own)) if (kind, own) in keys else kinds.index(kind)
    if (kind, name) not in keys:
        names = ", ".join(other for one, other in keys if one == kind)
        raise LookupError(f"with name one of {names}, where {name!r} stands")
    return keys.index((kind, name))


def _set(container: Any, step: str, patch: Patch) -> Any:
    """Add or replace one entry; its key or its number. The comment behind it stays behind it."""
    value = _quoted(patch.value)
    exists = patch.op == "replace" or (isinstance(container, CommentedMap) and step in container)
    key = _existing(container, step) if exists else _room(container, step)
    if exists:
        behind = _take(container, key)
        container[key] = value
    else:
        before = _last(container) if isinstance(container, CommentedMap) else key - 1
        behind = _take(container, before) if len(container) and before != -1 else None
        if isinstance(container, CommentedMap):
            container[key] = value
        else:
            container.insert(key, value)
    _give(container, key, behind)
    return key


def _remove(container: Any, key: Any) -> None:
    """Remove one entry with the comment that stood above it; the one behind it belongs to what follows."""
    behind = _take(container, key)
    keys = list(container) if isinstance(container, CommentedMap) else list(range(len(container)))
    place = keys.index(key)
    if place:
        _take(container, keys[place - 1])
    elif container.ca.comment:
        container.ca.comment[1] = None
    del container[key]
    if place:
        _give(container, keys[place - 1], behind)
    elif behind is not None and len(container):
        text = "\n".join(line.strip().removeprefix("# ") for line in behind.value.strip().splitlines())
        first = keys[1] if isinstance(container, CommentedMap) else 0
        container.yaml_set_comment_before_after_key(first, before=text, indent=behind.start_mark.column)


def _last(container: Any) -> Any:
    return list(container)[-1] if isinstance(container, CommentedMap) and container else len(container) - 1


def _slot(node: Any, key: Any) -> tuple[Any, Any, int]:
    """Where the library keeps the comment behind an entry: at the last scalar in it."""
    value = node[key]
    if isinstance(value, CommentedMap | CommentedSeq) and len(value):
        return _slot(value, _last(value))
    return node, key, 2 if isinstance(node, CommentedMap) else 0


def _take(node: Any, key: Any) -> Any:
    owner, name, index = _slot(node, key)
    entry = owner.ca.items.get(name)
    if entry is None:
        return None
    token, entry[index] = entry[index], None
    return token


def _give(node: Any, key: Any, token: Any) -> None:
    if token is not None:
        owner, name, index = _slot(node, key)
        empty = [None] * 4 if isinstance(owner, CommentedMap) else [None, None]
        owner.ca.items.setdefault(name, empty)[index] = token


def _key(text: str) -> tuple[str, str]:
    """Kind and name of an object, as its template writes them."""
    lines = text.splitlines()
    kind = next(line.removeprefix("kind: ") for line in lines if line.startswith("kind: "))
    name = next(
        line.removeprefix("  name: ") for line in lines[lines.index("metadata:") :] if line.startswith("  name: ")
    )
    return kind, name.strip('"')


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


def _room(container: Any, step: str) -> Any:
    """The key or the number of an entry to be added."""
    if isinstance(container, CommentedMap):
        return step
    if step != "-" and not (step.isdigit() and int(step) <= len(container)):
        raise LookupError(f"a number from 0 to {len(container)}, or - for the end, where {step!r} stands")
    return len(container) if step == "-" else int(step)


def _quoted(value: Any) -> Any:
    """The value with text quoted wherever a reader of YAML 1.1 would take it for something else."""
    if isinstance(value, dict):
        return CommentedMap({key: _quoted(item) for key, item in value.items()})
    if isinstance(value, list):
        return CommentedSeq([_quoted(item) for item in value])
    if isinstance(value, str) and yaml_scalar(value).startswith('"'):
        return DoubleQuotedScalarString(value)
    return value
