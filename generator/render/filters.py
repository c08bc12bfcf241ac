"""Values as text of the generated files: each syntax has its own way to quote, and nothing else writes it."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from dataclasses import asdict
from typing import Any

from ..runtime.sizing import MIB, Number, Rule


def yaml_scalar(value: Any) -> str:
    """A YAML scalar: plain only where YAML 1.1 and 1.2 both read it as the same text, else double-quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)*|[0-9]+(m|Ki|Mi|Gi|Ti)|/[A-Za-z0-9._/-]*", value)
    if plain and value.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null"):
        return str(value)
    quoted = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda m: f"\\u{ord(m[0]):04x}", quoted)


def yaml_block(value: Any, width: int) -> str:
    """Any value of a profile as YAML in block style, every line moved right; an empty mapping or list in flow style."""
    return "\n".join(" " * width + line for line in _block_lines(value))


def _block_lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, inner in value.items() for line in _entry(f"{yaml_scalar(str(key))}:", inner)]
    if isinstance(value, list) and value:
        return [line for inner in value for line in _item(inner)]
    if value is None or isinstance(value, dict | list | float):
        return [json.dumps(value)]
    return [yaml_scalar(value)]


def _entry(key: str, value: Any) -> list[str]:
    lines = _block_lines(value)
    if isinstance(value, dict | list) and value:
        return [key, *(f"  {line}" for line in lines)]
    return [f"{key} {lines[0]}"]


def _item(value: Any) -> list[str]:
    first, *rest = _block_lines(value)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def dockerfile_word(value: str) -> str:
    """A double-quoted Dockerfile word, in which nothing is expanded. Newlines and NUL cannot be written there."""
    if re.search(r"[\r\n\x00]", value):
        raise ValueError("a Dockerfile word cannot hold a newline or NUL")
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def shell_word(value: str) -> str:
    """One word of a shell command in a Dockerfile's RUN, where nothing but the shell reads it."""
    return shlex.quote(value)


def json_text(value: Any) -> str:
    """JSON, as Docker's exec forms are."""
    return json.dumps(value, ensure_ascii=False)


def compose_scalar(value: str) -> str:
    """A YAML scalar of a Compose file, in which $ begins a variable and $$ stands for one $."""
    return yaml_scalar(value.replace("$", "$$"))


def compose_variable(value: str, name: str) -> str:
    """A variable of a Compose file with its default."""
    if "}" in value:
        raise ValueError("a default cannot hold }")
    return json.dumps(f"${{{name}:-{value.replace('$', '$$')}}}", ensure_ascii=False)


def comment(text: str) -> str:
    """A sentence as comment lines of the generated files' width."""
    return textwrap.fill(text, 110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def number(value: Number) -> str:
    """A derived number as a comment: what it is at the profile's own limits, and why."""
    return comment(f"{value.value}: {value.reason}.")


def rule(value: int | Rule | None) -> str:
    """A count or a CPU rule as a Python literal."""
    return repr(asdict(value)) if isinstance(value, Rule) else repr(value)


def binary(value: int) -> str:
    """Bytes as a Python expression that shows the MiB, or the KiB."""
    if value % MIB == 0:
        return f"{value // MIB} * 1024 * 1024"
    return f"{value // 1024} * 1024" if value % 1024 == 0 else repr(value)


def indent_block(text: str, width: int) -> str:
    """Every line that is not empty moved right, for a block scalar."""
    return "\n".join(" " * width + line if line else line for line in text.rstrip("\n").split("\n"))
