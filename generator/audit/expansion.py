"""Variables in a text: a shell's expansions, and what Compose and Kubernetes replace before it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .placed import Placed

#: Variables by name; None where one is set to what is not known.
Variables = Mapping[str, str | None]
#: Characters of all values together that one text takes in: ENV A=$A$A, sixty times, is more than any machine has.
MAX_EXPANDED = 64 * 1024
#: How deep scripts in scripts, and defaults in defaults, are followed.
MAX_DEPTH = 8
#: Marks the name of a variable that is replaced before a shell sees it, by Compose from its host: the container's own
#: of that name does not stand for it, so it is looked up under a name that no environment has.
_OUTSIDE = "\ue000"
_NAME = re.compile(rf"{_OUTSIDE}?[A-Za-z_]\w*")
_SPECIAL = re.compile(r"[0-9@*#?$!-]")
_IN_QUOTES = re.compile(r'["\\`]|\$[({]')
#: What may end an expansion, by how it begins.
_CLOSES = {
    "(": (")", re.compile(r"\\.|'[^']*'|[()]", re.DOTALL)),
    "{": ("}", re.compile(r"\\.|'[^']*'|[{}]", re.DOTALL)),
}
#: A part of a text that a template replaces, Helm's or another's, before anybody reads it.
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
#: An expansion that also sets its variable, to a plain text.
SETTING = re.compile(r"\$\{([A-Za-z_]\w*):=([^{}$`]*)\}")


def closing_quote(text: str, at: int) -> int:
    """Where a double quote ends that began before ``at``, or -1; one inside `$(...)` does not end it."""
    while (match := _IN_QUOTES.search(text, at)) is not None:
        if match[0] == '"':
            return match.start()
        at = match.start() + 2 if match[0] == "\\" else expansion_end(text, match.start())
    return -1


def expansion_end(text: str, at: int) -> int:
    """Where the expansion ends that begins at a `$` or a backtick; behind that character where none does."""
    if text[at] == "`":
        end = text.find("`", at + 1)
        return len(text) if end < 0 else end + 1
    following = text[at + 1 : at + 2]
    if following in _CLOSES:
        (closing, signs), depth = _CLOSES[following], 0
        for match in signs.finditer(text, at + 1):
            depth += (match[0] == following) - (match[0] == closing)
            if not depth:
                return match.end()
        return len(text)
    if (name := _NAME.match(text, at + 1)) is not None:
        return name.end()
    return at + 2 if _SPECIAL.match(following) else at + 1


def expand(
    text: str, environment: Variables | None, room: int = MAX_EXPANDED, depth: int = 0
) -> tuple[str, str | None]:
    """The text with variables replaced by known values or their defaults; and the first that is not known, or for
    whose value there is no room. Without an environment nothing is replaced, and only what is from outside unknown."""
    pieces: list[str] = []
    missing: str | None = None
    at = 0
    while (match := _BEGINS.search(text, at)) is not None:
        pieces.append(text[at : match.start()])
        at = match.start() + 2
        if match[0] == "\\":
            pieces.append(text[match.start() : at])
            continue
        at = expansion_end(text, match.start())
        written = text[match.start() : at]
        if at == match.start() + 1 or (environment is None and _OUTSIDE not in written):
            pieces.append(written)
            continue
        value, unknown = _value_of(written, environment or {}, room, depth)
        if len(value) > room:
            value, unknown = written, unknown or written
        room -= len(value)
        missing = missing or unknown
        pieces.append(value)
    pieces.append(text[at:])
    return "".join(pieces), missing


_BEGINS = re.compile(r"\\|\$|`")
_PARAMETER = re.compile(rf"\$\{{({_NAME.pattern})(?:(:?[-=])(.*))?\}}", re.DOTALL)


def _value_of(written: str, environment: Variables, room: int, depth: int) -> tuple[str, str | None]:
    """The value of one expansion as it is written, or the same text and what is not known in it."""
    shown = written.replace(_OUTSIDE, "")
    if written[0] == "`" or written.startswith("$("):
        return shown, "$(...)"
    name, sign, default = written[1:], "", None
    if written.startswith("${"):
        match = _PARAMETER.fullmatch(written)
        if match is None:  # ${A:?must be set}, ${A%/}, ${#A}
            inner = re.match(r"\$\{[#!]?(\w+)[:?]", shown)
            known = environment.get(inner[1]) if inner and "?" in shown else None
            return (known, None) if known else (shown, inner[1] if inner else shown)
        name, sign, default = match[1], match[2] or "", match[3]
    found = environment.get(name)
    if found is not None and not (sign.startswith(":") and not found):
        return found, None
    if default is None or depth >= MAX_DEPTH:
        return shown, name.replace(_OUTSIDE, "")
    return expand(default, environment, room, depth + 1)


def interpolated(text: Placed, environment: Variables | None = None) -> Placed:
    """What Compose makes of a text: `$$` is a dollar, variables are the host's, of which only defaults are known.

    With an ``environment``, what Kubernetes makes of it: `$(NAME)` of the container's own variables.
    """
    pieces: list[tuple[str, Sequence[int]]] = []
    at = 0
    while (found := _REPLACED.search(text.text, at)) is not None:
        start = found.start()
        pieces.append((text.text[at:start], range(at, start)))
        if found[0] != "$":
            value, at = outside("template"), found.end()
        else:
            value, at = (_compose if environment is None else _kubernetes)(text.text, start, environment or {})
        pieces.append((value, [start] * len(value) if value != text.text[start:at] else range(start, at)))
    pieces.append((text.text[at:], range(at, len(text.text))))
    return text.made_of(pieces, len(text.text))


_REPLACED = re.compile(rf"\$|{_TEMPLATE.pattern}")


def _compose(text: str, at: int, _: Variables) -> tuple[str, int]:
    if text.startswith("$$", at):
        return "$", at + 2
    end = expansion_end(text, at)
    written = text[at:end]
    if not re.match(r"\$\{?[A-Za-z_]", written):
        return written, end
    value, unknown = expand(written, {})
    if unknown is None:
        return value, end
    return f"${{{_OUTSIDE}{unknown if re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*', unknown) else 'HOST'}}}", end


def _kubernetes(text: str, at: int, environment: Variables) -> tuple[str, int]:
    if text.startswith("$$", at):
        return "$", at + 2
    match = _REFERENCE.match(text, at)
    if match is None or match[1] not in environment:
        return "$", at + 1
    value = environment[match[1]]
    return outside(match[1]) if value is None else value, match.end()


_REFERENCE = re.compile(r"\$\(([\w.-]+)\)")


def outside(name: str) -> str:
    """The text of a variable of that name, which nobody here knows."""
    return f"${{{_OUTSIDE}{name}}}"
