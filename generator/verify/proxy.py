"""What Docker Compose and nginx would refuse, or read otherwise than it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from ..profile.document import LOADER

#: A quoted string, a comment to the end of its line, or one of nginx's own signs.
_WORDS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\#[^\n]*|[{};]|[^\s{};]+""")


def compose_problems(text: str) -> Iterator[str]:
    """The file is YAML, and each $ in it begins a variable with a default or stands for itself."""
    try:
        document = yaml.load(text, Loader=LOADER)  # noqa: S506
    except yaml.YAMLError as error:
        yield f"not YAML: {error}"
        return
    if not isinstance(document, dict) or not document.get("services"):
        yield "no services"
        return
    for value in _strings(document):
        rest = re.sub(r"\$\$|\$\{[A-Z_]+:-[^{}$]*\}", "", value)
        if "$" in rest:
            yield f"$ in {value!r}: Compose would read a variable; write $$"


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(name)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def nginx_problems(text: str) -> Iterator[str]:
    """Blocks are closed, and no directive runs into the next one for want of its semicolon."""
    depth, words = 0, 0
    for match in _WORDS.finditer(text):
        word, line = match[0], text.count("\n", 0, match.start()) + 1
        if word.startswith("#"):
            continue
        if word in ("{", "}", ";"):
            if words == 0 and word != "}":
                yield f"line {line}: {word} without a directive"
            if words and word == "}":
                yield f"line {line}: a directive without its semicolon"
            depth += {"{": 1, "}": -1, ";": 0}[word]
            words = 0
            if depth < 0:
                yield f"line {line}: }} without its block"
                return
        else:
            words += 1
    if depth or words:
        yield "the last block or directive does not end"
