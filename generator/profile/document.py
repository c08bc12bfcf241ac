"""YAML text to plain values that remember where they stand and how they were written.

Scalars stay text: the type of the field decides what ``off``, ``3.10`` or ``010`` mean, never YAML's own guess.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml

from ..errors import Fault, Mark, ProfileError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
#: libyaml's where it is installed, ten times as fast: one for all, since the two parsers differ in what they take.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Text(str):
    """A scalar's source text; ``plain`` when it stands unquoted, so that it may mean a number, a truth or null."""

    mark: Mark
    plain: bool

    def __new__(cls, text: str, mark: Mark, plain: bool) -> Text:
        self = super().__new__(cls, text)
        self.mark, self.plain = mark, plain
        return self

    @property
    def is_null(self) -> bool:
        """Whether it is YAML's null."""
        return self.plain and self in ("", "~", "null", "Null", "NULL")


class Block(dict[str, Any]):
    """A mapping with its own place and its keys' places."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.key_marks: dict[str, Mark] = {}


#: What parsers of YAML read differently: a byte order mark inside, and what ends a line in YAML 1.1 but not in 1.2.
_AMBIGUOUS = re.compile("(?!\\A)\ufeff|[\x85\u2028\u2029]")


class Items(list[Any]):
    """A sequence with its place."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark


def parse(text: str, file: str, shift: int = 0) -> Block:
    """The one document of ``text``. Raises ProfileError for what a profile may not use.

    ``shift`` is the number of characters before what the user wrote in the first line.
    """
    if found := _AMBIGUOUS.search(text):
        mark = Mark(file, text.count("\n", 0, found.start()) + 1)
        allowed = "the same text for every parser: a byte order mark at the start at most, and plain ends of lines"
        _refuse(
            mark, f"the character U+{ord(found[0]):04X}", allowed, "remove it, or escape it in double quotes", "K001"
        )
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        _refuse(Mark(file), "the file is over 256 KiB", "a profile of a few lines", "shorten it", "K001")
    try:
        return _Builder(file, shift).build(yaml.parse(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = _mark(file, place, shift) if place else Mark(file)
        _refuse(mark, f"not YAML: {error.problem or error.context}", "one YAML mapping", "correct the line", "K001")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        _refuse(
            Mark(file, line), "a character that YAML does not allow", "printable text", "remove or escape it", "K001"
        )


def parse_value(text: str, file: str) -> Any:
    """The value of ``--set``, by the same rules as in a file."""
    document = parse(f"value: {text}", file, shift=len("value: "))
    if len(document) != 1:
        _refuse(Mark(file), "more than one setting", "one value", "write one --set for each", "K007")
    return document["value"]


def _mark(file: str, place: Any, shift: int) -> Mark:
    return Mark(file, place.line + 1, max(1, place.column + 1 - (shift if place.line == 0 else 0)))


def _refuse(mark: Mark, given: str, allowed: str, remedy: str, code: str = "K002") -> NoReturn:
    raise ProfileError([Fault(mark, "", given, allowed, remedy, code)])


class _Builder:
    """Builds values from parser events, since composed nodes no longer show aliases and repeated documents."""

    def __init__(self, file: str, shift: int) -> None:
        self.file, self.shift = file, shift
        self.open: list[Block | Items] = []
        self.keys: list[Text | None] = []
        self.documents: list[Any] = []

    def build(self, events: Any) -> Block:
        for event in events:
            self._take(event)
        if not self.documents or not isinstance(self.documents[0], Block):
            _refuse(
                Mark(self.file),
                "no mapping at the top",
                "a YAML mapping of settings",
                "see `container-kit docs settings`",
                "K001",
            )
        document: Block = self.documents[0]
        return document

    def _take(self, event: Any) -> None:
        mark = _mark(self.file, event.start_mark, self.shift)
        if isinstance(event, yaml.DocumentStartEvent) and self.documents:
            _refuse(mark, "a second document", "one document a file", "put the second profile into a file of its own")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            _refuse(mark, "an anchor or alias", "plain values", "write the value out in both places")
        if getattr(event, "tag", None):
            _refuse(mark, f"a tag, {event.tag[:60]!r}", "plain values", "remove the tag; the field decides the type")
        if isinstance(event, yaml.ScalarEvent):
            self._add(Text(event.value, mark, plain=event.style is None or event.style == ""), mark)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self.open) >= MAX_DEPTH:
                _refuse(mark, "nested too deeply", f"at most {MAX_DEPTH} levels", "flatten it")
            container = Block(mark) if isinstance(event, yaml.MappingStartEvent) else Items(mark)
            self._add(container, mark)
            self.open.append(container)
            self.keys.append(None)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.open.pop()
            self.keys.pop()

    def _add(self, value: Any, mark: Mark) -> None:
        if not self.open:
            self.documents.append(value)
        elif isinstance(parent := self.open[-1], Items):
            parent.append(value)
        elif (key := self.keys[-1]) is None:
            self.keys[-1] = self._key(parent, value, mark)
        else:
            parent[key] = value
            self.keys[-1] = None

    def _key(self, parent: Block, value: Any, mark: Mark) -> Text:
        if not isinstance(value, Text):
            _refuse(mark, "a key that is not text", "a setting's name", "write the name as plain text")
        if value == "<<" and value.plain:
            _refuse(mark, "a merge key", "plain values", "write the settings out")
        if value in parent:
            first = parent.key_marks[value]
            _refuse(
                mark,
                f"{value[:60]!r} stands twice",
                "each key once",
                f"remove one; the first is in line {first.line}",
                "K003",
            )
        parent.key_marks[str(value)] = mark
        key: Text = value
        return key
