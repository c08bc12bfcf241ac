"""What the fast tests share: a minimal profile, its plan, and the strings that most often break generated files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from generator.errors import Fault, ProfileError
from generator.pipeline import plan_profile
from generator.plan.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = tuple(sorted([*ROOT.glob("profiles/*.yaml"), *ROOT.glob("profiles/servers/*.yaml")]))

#: The shortest profile that is accepted; its settings stand in lines 1 to 5, so that what a test adds begins at 6.
MINIMAL = """\
name: web
app: {module: "flask_server:app", path: docker/app}
server: gevent
connections: 1200
resources: {cpu: 1, memory: 512Mi}
"""

#: Legal as an environment variable's value (one line, no NUL), and each known to break some quoting.
HOSTILE_STRINGS = (
    "",
    " ",
    "  leading and trailing  ",
    "\ttabs\tinside\t",
    "'",
    '"',
    "it's",
    'a "quoted" word',
    "'''",
    '"""',
    "\\",
    "ends with a backslash\\",
    "ends with two\\\\",
    '\\"',
    "\\n is no newline",
    "$HOME",
    "${HOME}",
    "${PATH:-x}",
    "$$",
    "$(rm -rf /)",
    "$$(PATH)",
    "\\$HOME",
    "`id`",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# gone #}",
    "{{ plan.profile.env }}",
    "%(h)s %s %%",
    "#",
    "# not a comment",
    "a #b",
    "---",
    "...",
    "- item",
    "? key",
    "key: value",
    "[a, b]",
    "{a: b}",
    "&anchor *alias !tag",
    "!!python/object/apply:os.system [id]",
    "| literal",
    "> folded",
    "@at",
    "null",
    "~",
    "true",
    "off",
    "no",
    "010",
    "0x1F",
    "1e3",
    "1_000",
    "12:30:45",
    "2001-01-01",
    ".inf",
    "<<",
    "=",
    "RUN id",
    "FROM scratch",
    "<<EOF",
    "--from=builder",
    "a b=c",
    "grüße, 世界, مرحبا",
    "🦄👩‍👩‍👧",
    "line\u2028separator",
    "paragraph\u2029separator",
    "next\u0085line",
    "\ufeffbyte order mark",
    "no\u00a0break",
    "escape \x1b[31mred\x1b[0m",
    "bell\x07 delete\x7f C1\x9b",
    "form\x0cfeed vertical\x0btab",
    "\x1c\x1d\x1e\x1f",
    "\ufffe\uffff",
    "x" * 10_000,
    '\\"$' * 3_000,
)
#: A Dockerfile word cannot hold these: refused wherever one would end up there.
UNWRITABLE_STRINGS = ("a\nRUN id", "a\rb", "a\x00b", "\n", "a\n")


def yaml_quoted(text: str) -> str:
    """A YAML double-quoted scalar that any parser reads back as ``text``."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if " " <= character <= "~":
        return f"\\{character}" if character in '"\\' else character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plan_of(extra: str = "", *overrides: str, base: str = MINIMAL) -> Plan:
    """The plan of the minimal profile with more lines and ``--set`` overrides; raises ProfileError."""
    return plan_profile(base + extra, "web.yaml", overrides)


def faults_of(extra: str = "", *overrides: str, base: str = MINIMAL) -> tuple[Fault, ...]:
    """All faults of a profile that must be refused."""
    try:
        plan_of(extra, *overrides, base=base)
    except ProfileError as error:
        return error.faults
    raise AssertionError(f"accepted: {extra!r} {overrides}")


def places(faults: Sequence[Fault]) -> list[tuple[str, str]]:
    """(file:line:column, field path) of each fault."""
    return [(str(fault.mark), fault.path) for fault in faults]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(instruction, rest) of each logical line, as Docker reads it: comments go, a backslash at the end continues."""
    found, open_line = [], ""
    for line in dockerfile.split("\n"):
        if line.lstrip(" \t").startswith("#") or (not open_line and not line.strip()):
            continue
        if (stripped := line.rstrip(" \t")).endswith("\\"):
            open_line += stripped[:-1]
            continue
        word, _, rest = (open_line + line).lstrip(" \t").partition(" ")
        found.append((word, rest))
        open_line = ""
    assert not open_line
    return found


def assignments(rest: str) -> dict[str, str]:
    """The names and values of an ENV or LABEL line, by the rules of Docker's own lexer for double-quoted words."""
    values, i = {}, 0
    while i < len(rest):
        if rest[i] in " \t":
            i += 1
            continue
        name, i = rest[i : rest.index("=", i)], rest.index("=", i) + 1
        assert rest[i] == '"', f"unquoted value of {name}"
        i, value = i + 1, ""
        while rest[i] != '"':
            assert rest[i] != "$" or rest[i + 1] == "{", "an expansion"
            if rest[i] == "\\" and rest[i + 1] in '"$\\':
                i += 1
            value, i = value + rest[i], i + 1
        values[name], i = value, i + 1
    return values
