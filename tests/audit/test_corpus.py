"""Configurations in the manner of public ones, each with what is to be found beside its lines, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gunicorn import config

from generator.audit.audit import audit
from generator.audit.kinds import KINDS
from generator.audit.names import refused
from generator.audit.sources import Source
from generator.profile.gunicorn_settings import known_settings

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.txt"))


@dataclass(frozen=True)
class Case:
    """Files, and the codes and gaps that a line's mark (`#! K110`, `#?`) expects there."""

    title: str
    sources: tuple[Source, ...]
    findings: frozenset[tuple[str, int, str]]
    gaps: frozenset[tuple[str, int]]


def cases() -> Iterator[Case]:
    for path in CORPUS:
        for part in re.split(r"^##### ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            title, _, body = part.partition("\n")
            sources, findings, gaps = [], set(), set()
            for file in re.split(r"^=== ", body, flags=re.MULTILINE)[1:]:
                name, _, text = file.partition("\n")
                lines = []
                for number, line in enumerate(text.rstrip("\n").split("\n"), start=1):
                    bare, _, codes = line.partition("  #! ")
                    findings |= {(name, number, code) for code in codes.split()}
                    if bare.endswith("  #?"):
                        bare = bare.removesuffix("  #?")
                        gaps.add((name, number))
                    lines.append(bare)
                sources.append(Source(name, "\n".join(lines) + "\n"))
            yield Case(title, tuple(sources), frozenset(findings), frozenset(gaps))


CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_everything_wrong_is_found_and_nothing_right(case: Case) -> None:
    report = audit(case.sources)
    found = {(one.span.mark.file, one.span.mark.line, one.code) for one in report.findings}
    assert found == case.findings
    assert {(one.span.mark.file, one.span.mark.line) for one in report.unseen} == case.gaps


def test_the_corpus_is_large_and_shows_every_kind() -> None:
    assert len(CASES) >= 40
    shown = {code for case in CASES for _, _, code in case.findings}
    assert KINDS.keys() == shown
    assert len([case for case in CASES if not case.findings]) >= 15


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_each_place_is_where_the_text_stands(case: Case) -> None:
    texts = {source.name: source.text.split("\n") for source in case.sources}
    for one in audit(case.sources).findings:
        line = texts[one.span.mark.file][one.span.mark.line - 1]
        if one.code in ("K101", "K102", "K121", "K125", "K202"):
            marked = line[one.span.mark.column - 1 : one.span.mark.column - 1 + one.span.width]
            assert re.fullmatch(r"[\w-]+(=\S+)?|--?\S+ \S+", marked), (marked, line)
            # The whole name: nothing of it before the place or behind it.
            assert not re.search(r"[\w-]$", line[: one.span.mark.column - 1]), (marked, line)
            assert not re.match(r"[\w-]", line[one.span.mark.column - 1 + one.span.width :]), (marked, line)


#: A text with the place of its finding between « and ».
PLACES = [
    ("K101", "gunicorn.conf.py", "x = 1; «worker» = 2\n"),
    ("K103", "Procfile", "web: gunicorn -w 2 «--worker» 4 app:app\n"),
    ("K103", "Procfile", "web: gunicorn app:app «--bind»\n"),
    ("K103", "start.sh", "exec gunicorn \\\n  --bind :80 \\\n  «--levell=info» app:app\n"),
    ("K104", "gunicorn.conf.py", "名前, «workers» = 1, 'many'\n"),
    ("K104", "Procfile", "web: gunicorn «-w many» app:app\n"),
    ("K104", "Procfile", "web: gunicorn «--threads=many» app:app\n"),
    ("K104", "Dockerfile", 'FROM a\nCMD ["gunicorn", "-b", "0.0.0.0:80", "«-w", "many»", "a:b"]\n'),
    ("K104", "a.service", "[Service]\nExecStart=-/usr/bin/gunicorn «-w 'a b'» app:app\n"),
    ("K116", "gunicorn.conf.py", "bind = ':80'\n«worker_class» = 'eventlet'\n"),
    ("K116", "Procfile", "web: gunicorn app:app «-k eventlet»\n"),
    ("K116", "compose.yaml", "services:\n  a:\n    image: b\n    command: gunicorn -b :80 «-k eventlet» a:b\n"),
    ("K120", "Dockerfile", 'FROM a\nCMD ["«gunicorn»", "app:app"]\n'),
    ("K120", "Dockerfile", "FROM a\nENV A=$B\nCMD exec gunicorn «--bind 127.0.0.1:80» app:app\n"),
    ("K120", "Dockerfile", "FROM a\nCMD exec /venv/bin/gunicorn «-b '127.0.0.1:80'» -k sync app:app\n"),
    ("K201", "Dockerfile", "FROM a\nCMD «/venv/bin/gunicorn» -b :80 app:app\n"),
]


@pytest.mark.parametrize(("code", "name", "marked"), PLACES)
def test_a_place_is_exact(code: str, name: str, marked: str) -> None:
    before, _, rest = marked.partition("«")
    inner, _, _ = rest.partition("»")
    text = marked.replace("«", "").replace("»", "")
    (span,) = [one.span for one in audit([Source(name, text)]).findings if one.code == code]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    assert (span.mark.line, span.mark.column, span.width) == (line, column, len(inner))


VALUES = [0, 1, -1, 2.5, True, False, None, "", "4", "0x2", "-", "yes", "true", "TRUE", [], ["a"], [1], {}, {"a": 1}]


@pytest.mark.parametrize("name", sorted(known_settings()))
def test_values_are_refused_exactly_where_gunicorn_refuses_them(name: str) -> None:
    row = known_settings()[name]
    if row["type"] == "hook" or name in ("chdir", "group", "user"):
        return
    for value in VALUES:
        try:
            config.Config().set(name, value)
            imported = True
        except (ValueError, TypeError, AttributeError, config.ConfigError):
            imported = False
        if imported:
            assert refused(name, row, value) is None, value
        elif row["type"] in ("bool", "dict") or row.get("only_text") or row["type"] == "int":
            assert refused(name, row, value) is not None or name.startswith("http2_"), value
