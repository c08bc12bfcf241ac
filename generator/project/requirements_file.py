"""The grammar of pip's requirements files: lines to requirements and options, each with its place. Reads no file."""

from __future__ import annotations

import argparse
import codecs
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from packaging.requirements import InvalidRequirement, Requirement

#: As pip reads them: with these marks at the start, else UTF-8.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_ARCHIVE = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_PATH = re.compile(r"(?P<path>[^\[;]*?)(?P<extras>\[[^\]]*\])?\s*(?P<marker>;.*)?")


class LineError(ValueError):
    """The line is not one that pip reads; the message says why."""


@dataclass(frozen=True)
class Line:
    """One logical line: a requirement of some kind, options, or both."""

    number: int
    text: str
    #: A named requirement: ``flask>=3``, ``x @ https://…``.
    named: Requirement | None = None
    #: A path or an address without a name: ``./libs/x``, ``git+https://…``, ``wheels/x.whl``.
    unnamed: str = ""
    extras: str = ""
    has_marker: bool = False
    editable: bool = False
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    #: Whether the logical line is one physical line.
    single: bool = True
    variables: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What an unnamed requirement, or a named one with an address, points to."""
        return (self.named.url or "") if self.named else self.unnamed


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LineError(message)


def _options() -> _Parser:
    """Every option that pip takes in a requirements file."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-r", "--requirement", action="append", default=[])
    parser.add_argument("-c", "--constraint", action="append", default=[])
    parser.add_argument("-e", "--editable")
    parser.add_argument("-i", "--index-url", "--pypi-url", dest="index")
    parser.add_argument("--extra-index-url", action="append", default=[])
    parser.add_argument("-f", "--find-links", action="append", default=[])
    for flag in ("--no-index", "--prefer-binary", "--require-hashes", "--pre"):
        parser.add_argument(flag, action="store_true")
    for other in ("--no-binary", "--only-binary", "--trusted-host", "--use-feature", "--hash"):
        parser.add_argument(other, action="append")
    for other in ("--config-settings", "--config-setting", "-C", "--global-option"):
        parser.add_argument(other, action="append")
    return parser


_PARSER = _options()


def decode(data: bytes) -> str:
    """The text of a requirements file. Raises UnicodeDecodeError."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    return data.decode("utf-8")


def logical_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number of the first line, text, and whether it is one line, without comments; as pip joins and cuts them."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            first = first if parts else number
            parts.append(line.removesuffix("\\"))
            continue
        whole = "".join([*parts, f" {line}" if is_comment else line])
        found = _COMMENT.sub("", whole).strip()
        if found:
            yield (first if parts else number), found, not parts
        parts = []


def parse_line(number: int, text: str, single: bool = True) -> Line:
    """One logical line, comments gone. Raises LineError."""
    variables = tuple(sorted(set(_VARIABLE.findall(text))))
    words, options = _split(text)
    try:
        given = _PARSER.parse_args(shlex.split(options))
    except ValueError as error:  # LineError, and shlex's own for a quote that is never closed
        raise LineError(str(error)) from error
    indexes = (*([given.index] if given.index else []), *given.extra_index_url)
    shared: dict[str, Any] = {
        "requirements": tuple(given.requirement),
        "constraints": tuple(given.constraint),
        "find_links": tuple(given.find_links),
        "indexes": indexes,
        "single": single,
        "variables": variables,
    }
    if given.editable is not None and words:
        raise LineError("a requirement and -e in one line")
    spec = given.editable if given.editable is not None else words
    if not spec:
        return Line(number, text, **shared)
    editable = given.editable is not None
    return Line(number, text, **_requirement(spec, editable), editable=editable, **shared)


def _split(text: str) -> tuple[str, str]:
    """The requirement and the options that follow it, as pip parts them: at the first word that begins with -."""
    words = text.split(" ")
    cut = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:cut]).strip(), " ".join(words[cut:])


def _requirement(text: str, editable: bool) -> dict[str, Any]:
    head = text.split(";", maxsplit=1)[0].strip()
    is_address = re.match(r"[a-z]+(\+[a-z]+)?:", head, re.IGNORECASE) is not None
    is_path = ("@" not in head and (editable or "/" in head or "\\" in head)) or head.startswith(".")
    is_named = re.match(r"[A-Za-z0-9._-]+\s*(\[[^\]]*\])?\s*@", head) is not None
    if is_address or is_path or (not is_named and head.split("[")[0].lower().endswith(_ARCHIVE)):
        if is_address:
            return {"unnamed": text, "has_marker": " ;" in text}
        match = _PATH.fullmatch(text)
        if match is None:
            raise LineError("not a path")
        return {
            "unnamed": match["path"].strip(),
            "extras": match["extras"] or "",
            "has_marker": match["marker"] is not None,
        }
    try:
        return {"named": Requirement(text)}
    except InvalidRequirement as error:
        raise LineError(str(error).splitlines()[0]) from error
