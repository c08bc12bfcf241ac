"""Profiles with random changes: refused with a reason, or read as another YAML parser reads them."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from generator.errors import KitError, ProfileError
from generator.profile.document import Block, Items, parse
from tests import fuzz
from tests.fast_support import HOSTILE_STRINGS, ROOT, plan_of, yaml_quoted

PROFILES = [path.read_bytes() for path in sorted(ROOT.glob("profiles/**/*.yaml"))]
#: What has a meaning in YAML or in a profile.
TOKENS = [
    *(bytes((byte,)) for byte in b"\n :-?,[]{}#&*!|>'\"%@`\\~\t\r\0"),
    *(b"\n  ", b": ", b"- ", b"---\n", b"...\n", b"&a ", b"*a", b"<<: ", b"!!str ", b"|\n ", b">-\n ", b"\xc2\x85"),
    *(b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff", b"\\x", b"0x10", b"1e9", b"null", b"gunicorn: {", b"env: {A: "),
    *(b"kubernetes:\n  ", b"jobs: {a: {command: ", b"volumes: [{", b"server: pywsgi\n", b"port: ", b"[[[[[["),
    *(yaml_quoted(text).encode("utf-8", "surrogatepass") for text in HOSTILE_STRINGS),
]


def plain(value: Any) -> Any:
    if isinstance(value, Block):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, Items) else str(value)


def by_ruamel(text: str) -> Any:
    """As ruamel.yaml reads it, of YAML 1.1, scalars as text."""
    parser = YAML(typ="base", pure=True)
    parser.version = "1.1"
    return parser.load(text)


def by_python(text: str) -> Any:
    """As PyYAML's own parser reads it, which stands in where libyaml is missing."""
    return yaml.load(text, Loader=yaml.BaseLoader)


def test_a_changed_profile_is_refused_or_read() -> None:
    """No crash in any stage up to the plan, and no difference to another parser."""
    read = planned = 0
    for rng in fuzz.cases("profile", 400):
        text = changed(rng)
        try:
            found = parse(text, "web.yaml")
        except ProfileError as error:
            assert str(error)
            continue
        for reference in (by_ruamel, by_python):
            with suppress(
                YAMLError, yaml.YAMLError
            ):  # neither takes a tab between words, as libyaml and YAML itself do
                assert reference(text) == plain(found), (reference, text)
                read += 1
        try:
            plan_of(base=text)
            planned += 1
        except KitError as error:
            assert str(error) and "\x1b" not in str(error), text
    assert read > 100 and planned > 5, "else this test compares nothing"


def changed(rng: random.Random) -> str:
    """Bytes that are no UTF-8 are refused before they are text (tests/cli)."""
    return fuzz.mutated(rng, rng.choice(PROFILES), TOKENS).decode("utf-8", "replace")
