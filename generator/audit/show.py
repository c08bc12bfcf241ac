"""A report in the forms that other programs read: JSON, SARIF, GitHub's workflow commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ..errors import printable
from .finding import Finding
from .kinds import KINDS
from .report import Report

#: What each severity is called elsewhere.
_SARIF = {"error": "error", "warning": "warning", "note": "note"}
_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


def as_json(report: Report) -> str:
    """One object: the findings, and what could not be seen."""
    unseen = [{**_place(one.span.mark), "text": one.text} for one in report.unseen]
    return json.dumps({"findings": [_object(one) for one in report.findings], "unseen": unseen}, indent=2)


def _place(mark: Any) -> dict[str, Any]:
    return {"file": mark.file, "line": mark.line, "column": mark.column}


def _object(one: Finding) -> dict[str, Any]:
    words = {"code": one.code, "severity": one.kind.severity, "title": one.kind.title, "text": one.text}
    more = {"why": one.reason, "fix": one.remedy, "link": one.kind.anchor}
    return {**words, **_place(one.span.mark), "width": one.span.width, **more}


def as_sarif(report: Report, version: str) -> str:
    """SARIF 2.1.0, as code scanning takes it; ``version`` is the kit's."""
    used = sorted({one.code for one in report.findings})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": KINDS[code].title},
            "fullDescription": {"text": KINDS[code].why},
            "help": {"text": f"{KINDS[code].fix}; see {KINDS[code].anchor}"},
            "defaultConfiguration": {"level": _SARIF[KINDS[code].severity]},
        }
        for code in used
    ]
    results = [
        {
            "ruleId": one.code,
            "ruleIndex": used.index(one.code),
            "level": _SARIF[one.kind.severity],
            "message": {"text": f"{one.text}: {one.reason} Do: {one.remedy}."},
            "locations": [{"physicalLocation": _location(one)}],
        }
        for one in report.findings
    ]
    driver = {"name": "container-kit audit", "version": version, "rules": rules}
    log = {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json"}
    return json.dumps({**log, "runs": [{"tool": {"driver": driver}, "results": results}]}, indent=2)


def _location(one: Finding) -> dict[str, Any]:
    mark = one.span.mark
    region = {"startLine": mark.line, "startColumn": mark.column, "endColumn": mark.column + one.span.width}
    return {"artifactLocation": {"uri": quote(mark.file)}, "region": region}


def as_github(report: Report) -> Iterator[str]:
    """A workflow command for each finding, which GitHub shows beside the line."""
    for one in report.findings:
        mark = one.span.mark
        place = f"file={_property(mark.file)},line={mark.line},col={mark.column}"
        title = _property(f"{one.code} {one.kind.title}")
        message = _message(f"{one.text}: {one.reason} Do: {one.remedy}. {one.kind.anchor}")
        yield f"::{_GITHUB[one.kind.severity]} {place},title={title}::{message}"


def _message(text: str) -> str:
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
