"""A shell command's words with their places, and the starts of gunicorn among them."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import cast

from ..errors import Mark
from .expansion import MAX_DEPTH, MAX_EXPANDED, SETTING, Variables, closing_quote, expand, expansion_end
from .given import Span
from .placed import Placed, plain
from .wrapping import ASSIGNMENT, GUNICORN, KEYWORDS, base_name, position_of_gunicorn


@dataclass(frozen=True)
class Word:
    """One word as the shell passes it on, and where it stands; ``variable`` is one without a known value in it."""

    text: str
    span: Span
    variable: str | None = None
    #: Whether it ends a command, and how: `&&`, `;`, `|`, a line's end.
    breaks: bool = False
    #: Whether it begins with an unknown variable outside quotes, or "$@", so that it may be no word or several.
    several: bool = False


SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh")
#: Programs that take a shell's script behind `-c`.
_RUN_SCRIPTS = (*SHELLS, "su", "runuser")
#: How many words may stand between a shell and its script: sh -e -u -o pipefail -c.
_MAX_OPTIONS = 12
_REDIRECTION = re.compile(r"<<<|<<-?|&>>?|>>|>&-?|<&-?|>\||<>|[<>]")
_DELIMITER = re.compile(r"""[ \t]*(?:'([^'\n]*)'|"([^"\n]*)"|\\?([\w.-]+))""")
_LINE = re.compile(r"[^\n]+")
_CONTINUED = re.compile(r"\\\r?\n")
_BLANK = re.compile(r"[^\S\n]+")
_SPACE = re.compile(r"\s+")
_ORDINARY = re.compile(r"[^\s'\"\\;|&$`#()<>]+")


def split(text: str, mark: Mark, environment: Variables) -> list[Word]:
    """The words of a shell's script that begins at ``mark``."""
    return script_words(plain(text, mark), environment)


def script_words(text: Placed, environment: Variables, depth: int = 0) -> list[Word]:
    """The words of a shell's script: lines are commands, variables are expanded, a script behind `sh -c` is read."""
    return _Splitter(text, environment, environment, True, depth).words


def line_words(text: Placed, environment: Variables, expanded: Variables | None = None, depth: int = 0) -> list[Word]:
    """The words of a line that no shell reads; variables only of ``expanded``, but a script behind `sh -c` has all."""
    return _Splitter(text, expanded, environment, False, depth).words


def list_words(items: Iterable[Placed], environment: Variables) -> list[Word]:
    """The words of a list; the one behind `sh -c` is a shell's script."""
    words: list[Word] = []
    for item in items:
        if _takes_script(words):
            words += _as_script(item, environment, 0)
            continue
        text, unknown = expand(item.text, None)
        words.append(Word(text, item.span(0, len(item.text)), unknown))
    return words


def _as_script(text: Placed, environment: Variables, depth: int) -> list[Word]:
    """A script's words as commands of their own: what follows it is the script's arguments."""
    edge = Word(";", text.span(0, 0), breaks=True)
    return [edge, *script_words(text, environment, depth + 1), edge]


def _takes_script(words: Sequence[Word]) -> bool:
    """Whether the next word of a command is the script of `sh -c`."""
    if not words or re.fullmatch(r"-[a-z]*c", words[-1].text) is None:
        return False
    for number in range(len(words) - 2, max(-1, len(words) - _MAX_OPTIONS), -1):
        if words[number].breaks or base_name(words[number].text) in GUNICORN:
            return False  # gunicorn's own -c names its configuration
        if base_name(words[number].text) in _RUN_SCRIPTS:
            return True
    return False


#: Any number of words, though it stands between double quotes: "$@", "${@:2}", "${ARGS[@]}".
_LIST = re.compile(r"\$(?:@|\{@|\{\w+\[@)")
#: What a backslash escapes between double quotes.
_ESCAPED = re.compile(r'\\(["\\$`])')


class _Splitter:
    """Reads a text once, from left to right."""

    def __init__(
        self,
        source: Placed,
        expanded: Variables | None,
        environment: Variables,
        is_script: bool,
        depth: int,
    ) -> None:
        self.source, self.text = source, source.text
        #: What the text itself sets, None where that is not known, before what is known without it.
        self.set: dict[str, str | None] = {}
        self.expanded = (
            None if expanded is None else ChainMap(self.set, cast(MutableMapping[str, str | None], expanded))
        )
        self.environment = environment if self.expanded is None else self.expanded
        self.is_script, self.depth = is_script, depth
        self.words: list[Word] = []
        self.begun, self.sign = 0, ""  # the current command's first word, and what stands before it
        self.variables = _Variables()
        self.room = MAX_EXPANDED
        self.open_parentheses = 0
        self.redirects = False
        self.delimiters: list[str] = []
        #: Where a line of that text stands last: what none below ends is no here-document, as in (( 1 << A )).
        self.last = {line[0].strip(): line.start() for line in _LINE.finditer(self.text)} if is_script else {}
        self._next_word()
        at = 0
        while at < len(self.text):
            at = self._step(at)
        self._close(len(self.text))
        self._end_command()

    def _next_word(self) -> None:
        self.pieces: list[str] = []
        self.start: int | None = None
        self.unknown: str | None = None
        self.several = False
        #: What the shell hands on unexpanded, with its positions: a script, where the word is one.
        self.raw: list[tuple[str, Sequence[int]]] = []

    def _close(self, end: int) -> None:
        if self.start is None:
            return
        if self.redirects:
            self.redirects = False
        elif self.depth < MAX_DEPTH and _takes_script(self.words):
            self.words += _as_script(self.source.made_of(self.raw, end), self.environment, self.depth)
        else:
            span = self.source.span(self.start, end)
            self.words.append(Word("".join(self.pieces), span, self.unknown, several=self.several))
        self._next_word()

    def _break(self, sign: str, at: int) -> int:
        self._close(at)
        self._end_command()
        self.words.append(Word(sign, self.source.span(at, at + len(sign)), breaks=True))
        self.begun, self.sign = len(self.words), sign
        self.redirects = False
        return at + len(sign)

    def _end_command(self) -> None:
        """What the command assigns is known to those that follow."""
        if self.is_script and self.expanded is not None:
            for sign, command in _signed(self.words[self.begun :]):
                self.set.update(self.variables.follow(sign or self.sign, command))

    def _add(self, piece: str, at: int, end: int, raw: str | None = None, positions: Sequence[int] = ()) -> int:
        self.start = at if self.start is None else self.start
        self.pieces.append(piece)
        self.raw.append((piece if raw is None else raw, positions or range(at, at + len(piece))))
        return end

    def _step(self, at: int) -> int:
        """Read one piece; returns where the next begins."""
        text, char = self.text, self.text[at]
        if (blank := (_BLANK if self.is_script else _SPACE).match(text, at)) is not None:
            self._close(at)
            return blank.end()
        if char == "\n":
            return self._here_documents(self._break("\n", at))
        if (end := self._quoted(at)) > at:
            return end
        if self.is_script and (end := self._syntax(at)) > at:
            return end
        if char in ";|&":
            return self._break(text[at : at + 2] if text[at : at + 2] in ("&&", "||") else char, at)
        match = _ORDINARY.match(text, at)
        return self._add(match[0] if match else char, at, match.end() if match else at + 1)

    def _quoted(self, at: int) -> int:
        """The end of an escape, a quoted text or an expansion; ``at`` where none begins."""
        text, char = self.text, self.text[at]
        if char == "\\":
            if (continued := _CONTINUED.match(text, at)) is not None:
                if not self.is_script:
                    self._close(at)
                return continued.end()
            return self._add(text[at + 1 : at + 2], at, at + 2, None, range(at + 1, min(at + 2, len(text))))
        if char == "'" and (end := text.find("'", at + 1)) >= 0:
            return self._add(text[at + 1 : end], at, end + 1, None, range(at + 1, end))
        if char == '"' and (end := closing_quote(text, at + 1)) >= 0:
            return self._double(at, end)
        if char in "$`" and (end := expansion_end(text, at)) > at + 1:
            return self._expansion(at, end)
        return at

    def _syntax(self, at: int) -> int:
        """The end of a comment, a redirection or a parenthesis of a subshell; ``at`` where none begins."""
        char = self.text[at]
        if char == "#" and self.start is None:
            end = self.text.find("\n", at)
            return len(self.text) if end < 0 else end
        if char in "<>" or self.text.startswith("&>", at):
            return self._redirection(at)
        if char == "(" and self.start is None:
            self.open_parentheses += 1
            return self._break("(", at)
        if char == ")" and self.open_parentheses:
            self.open_parentheses -= 1
            return self._break(")", at)
        return at

    def _redirection(self, at: int) -> int:
        sign = _REDIRECTION.match(self.text, at)
        assert sign is not None
        if self.start is not None and "".join(self.pieces).isdigit():
            self._next_word()  # 2>file: the number is no word
        else:
            self._close(at)
        named = _DELIMITER.match(self.text, sign.end()) if sign[0] in ("<<", "<<-") else None
        if named is not None:
            self.delimiters.append(next(one for one in named.groups() if one is not None))
            return named.end()
        self.redirects = not sign[0].endswith("-")
        return sign.end()

    def _here_documents(self, at: int) -> int:
        """Behind the documents whose beginning stands on the line above."""
        for delimiter in self.delimiters:
            while at <= self.last.get(delimiter, -1):
                end = self.text.find("\n", at)
                end = len(self.text) if end < 0 else end
                line, at = self.text[at:end].strip(), end + 1
                if line == delimiter:
                    break
        self.delimiters.clear()
        return min(at, len(self.text))

    def _expansion(self, at: int, end: int) -> int:
        written = self.text[at:end]
        value, unknown = self._expanded(written)
        if self.expanded is None and unknown is None:
            return self._add(written, at, end)
        self.unknown = self.unknown or unknown
        is_assigned = bool(self.pieces) and ASSIGNMENT.match("".join(self.pieces[:1])) is not None
        fields = value.split()
        if unknown is not None or is_assigned or len(fields) < 2 or _takes_script(self.words):
            self.several |= unknown is not None and not self.pieces
            if value.strip() or self.pieces or is_assigned:
                self._add(value if is_assigned else value.strip(), at, end, written, range(at, end))
            return end
        for number, one in enumerate(fields):
            if number or value[0].isspace():
                self._close(end)
            self._add(one, at, end, written, range(at, end))
        if value[-1].isspace():
            self._close(end)
        return end

    def _expanded(self, written: str) -> tuple[str, str | None]:
        value, unknown = expand(written, self.expanded, self.room)
        if ":=" in written and self.expanded is not None:
            for match in SETTING.finditer(written):
                if not self.expanded.get(match[1]):
                    self.set[match[1]] = match[2]
        self.room -= max(0, len(value) - len(written))
        return value, unknown

    def _double(self, at: int, end: int) -> int:
        inner = self.text[at + 1 : end]
        value, unknown = self._expanded(inner)
        self.unknown = self.unknown or unknown
        self.several |= unknown is not None and not self.pieces and _LIST.match(inner) is not None
        escapes = {at + 1 + match.start() for match in _ESCAPED.finditer(inner)}
        positions = [place for place in range(at + 1, end) if place not in escapes]
        return self._add(_ESCAPED.sub(r"\1", value), at, end + 1, _ESCAPED.sub(r"\1", inner), positions)


def commands(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The single commands of a line."""
    yield from (command for _, command in _signed(words))


def _signed(words: Sequence[Word]) -> Iterator[tuple[str, list[Word]]]:
    """The single commands, each with what stands before it."""
    found: list[Word] = []
    sign = ""
    for word in words:
        if not word.breaks:
            found.append(word)
            continue
        if found:
            yield sign, found
            found, sign = [], word.text
        elif word.text not in ("\n", "(", ")"):
            sign = word.text
    if found:
        yield sign, found


@dataclass(frozen=True)
class Command:
    """A start of gunicorn: its own word, its arguments, variables set before it, and whether `exec` stands there."""

    word: Word
    arguments: tuple[Word, ...]
    variables: Mapping[str, str]
    replaced: bool
    #: Whether the kit's runtime starts it, with a configuration at a fixed path.
    ours: bool = False
    #: Variables set before it to what is not known.
    unknown: frozenset[str] = field(default_factory=frozenset)
    #: A script that is read before it, `. ./env`, so that any variable may be set.
    sourced: Word | None = None


#: Options with which gunicorn says something and ends.
_ENDS_AT_ONCE = ("--check-config", "--print-config", "--version", "-v", "--help", "-h")


def script_of(words: Sequence[Word]) -> Word | None:
    """The file of a script that the first command runs, where it is seen to be one."""
    first = next(commands(words), [])
    if len(first) > 1 and base_name(first[0].text) in SHELLS and not first[1].text.startswith("-"):
        return first[1]
    return next((word for word in first if word.text.endswith(".sh")), None)


def find_gunicorn(words: Sequence[Word]) -> Command | None:
    """The first command that starts gunicorn, or None."""
    return next(iter(all_gunicorns(words)), None)


def all_gunicorns(words: Sequence[Word]) -> list[Command]:
    """Every command that starts gunicorn, with the variables that the commands before it export.

    The bare word is a start only where no other is: it may be a pattern of `case`.
    """
    state = _Variables()
    found = []
    for sign, one in _signed(words):
        command = _start(one, state)
        if command is not None:
            found.append(command)
        state.follow(sign, one)
    return [one for one in found if one.arguments] or found[:1]


def _start(words: Sequence[Word], state: _Variables) -> Command | None:
    position = position_of_gunicorn(words)
    if position is None or any(word.text in _ENDS_AT_ONCE for word in words[position + 1 :]):
        return None
    matches = [(ASSIGNMENT.fullmatch(word.text), word) for word in words[:position]]
    own = {match[1]: None if word.variable else match[2] for match, word in matches if match}
    exported = {**state.exported, **own}
    known = {key: value for key, value in exported.items() if value is not None}
    unknown = frozenset(exported.keys() - known.keys())
    before = {base_name(word.text) for word in words[:position]}
    replaced = not before.isdisjoint(("exec", "set"))  # set -- gunicorn ..., which exec "$@" below starts
    arguments, ours = tuple(words[position + 1 :]), "kit_runtime" in before
    return Command(words[position], arguments, known, replaced, ours, unknown, state.sourced)


_CHANGED = re.compile(r"([A-Za-z_]\w*)\+?=")
_CONDITIONAL = {"if": 1, "case": 1, "for": 1, "while": 1, "until": 1, "fi": -1, "esac": -1, "done": -1}


@dataclass
class _Variables:
    """A script's variables so far: a value, or None where it cannot be known."""

    own: dict[str, str | None] = field(default_factory=dict)
    exported: dict[str, str | None] = field(default_factory=dict)
    all_exported: bool = False
    depth: int = 0
    sourced: Word | None = None
    tested: bool = False
    #: Of each open brace whether it is a function's, which may be called or not.
    functions: list[bool] = field(default_factory=list)

    def follow(self, sign: str, command: Sequence[Word]) -> list[tuple[str, str | None]]:
        """Take over what one command sets, and return it; under a condition, that is not known."""
        first = command[0].text
        self._nest(first, command)
        is_sure = not self.depth and not any(self.functions) and sign != "||" and not (sign == "&&" and self.tested)
        self.tested = first in ("[", "[[", "test") or (sign == "&&" and self.tested)
        if first in (".", "source") and base_name(command[-1].text) != "activate":  # of a virtual environment: PATH
            self.sourced = command[1] if len(command) > 1 else command[0]
        if first == "set" and len(command) > 1 and (command[1].text in ("-a", "+a") or command[-1].text == "allexport"):
            self.all_exported = command[1].text.startswith("-")
        assigned, exports = _assigned(command)
        assigned = [(name, value if is_sure else None) for name, value in assigned]
        if not assigned:  # A+=b, A=(b), and what stands in the line of a function
            assigned = [(match[1], None) for word in command if (match := _CHANGED.match(word.text))]
        for name, value in assigned:
            self.own[name] = value
            if exports or self.all_exported or name in self.exported:
                self.exported[name] = value
        if exports:
            for word in command[1:]:
                if word.text in self.own:
                    self.exported[word.text] = self.own[word.text]
        return assigned

    def _nest(self, first: str, command: Sequence[Word]) -> None:
        self.depth = max(0, self.depth + _CONDITIONAL.get(first, 0))
        if any(word.text == "{" for word in command):
            self.functions.append(first.endswith("()") or first == "function")
        elif first == "}" and self.functions:
            self.functions.pop()


def _assigned(command: Sequence[Word]) -> tuple[list[tuple[str, str | None]], bool]:
    """The variables that a command does nothing but set, None where not known; and whether it exports them."""
    words = list(dropwhile(lambda word: word.text in KEYWORDS, command))
    exports = bool(words) and words[0].text in ("export", "declare", "typeset")
    if exports or (words and words[0].text in ("local", "readonly")):
        words = [word for word in words[1:] if "=" in word.text]
    found = [(match, word) for word in words if (match := ASSIGNMENT.fullmatch(word.text)) is not None]
    if len(found) != len(words):
        return [], exports
    return [(match[1], None if word.variable else match[2]) for match, word in found], exports
