"""What audit found, in order, each once, without what a comment ignores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import Mark, lines_of
from .finding import Finding
from .given import Span, Unseen
from .kinds import KINDS
from .sources import COMMAND_LINE


@dataclass(frozen=True)
class Report:
    """What was found, and what could not be seen, each in the order of the sources."""

    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a finding is an error."""
        return any(finding.kind.severity == "error" for finding in self.findings)


def make_report(findings: Sequence[Finding], unseen: Iterable[Unseen], texts: Mapping[str, str]) -> Report:
    """Findings and gaps without duplicates, those that a comment ignores left out; ``texts`` by the sources' names."""
    order = {name: number for number, name in enumerate(texts)}
    beside_limit = {one.span for one in findings if one.code == "K111"}
    kept: dict[tuple[str, Span], Finding] = {}
    for one in findings:
        if not (one.code == "K110" and one.span in beside_limit):
            kept.setdefault((one.code, one.span), one)
    ignored, unreasoned = _ignores(texts)
    found = [one for one in kept.values() if not _is_ignored(one, ignored)]
    found += unreasoned

    def place(span: Span) -> tuple[int, int, int]:
        return order.get(span.mark.file, len(order)), span.mark.line, span.mark.column

    gaps = sorted(dict.fromkeys(unseen), key=lambda one: place(one.span))
    return Report(tuple(sorted(found, key=lambda one: (*place(one.span), one.code))), tuple(gaps))


_IGNORE = re.compile(r"#\s*kit:\s*ignore\[([A-Z0-9,\s]+)\][ \t]*([^\n]*)")


def _ignores(texts: Mapping[str, str]) -> tuple[dict[tuple[str, int], set[str]], list[Finding]]:
    """The codes that comments ignore, by file and line: the comment's own line, or the one below it if it is alone."""
    found: dict[tuple[str, int], set[str]] = {}
    wrong = []
    for name, text in texts.items():
        if name == COMMAND_LINE:
            continue
        for number, line in enumerate(lines_of(text), start=1):
            if (match := _IGNORE.search(line)) is None:
                continue
            codes = {code.strip() for code in match[1].split(",")}
            span = Span(Mark(name, number, match.start() + 1), len(match[0].rstrip()))
            unknown = sorted(codes - KINDS.keys())
            if not match[2].strip() or unknown:
                fault = f"there is no finding {', '.join(unknown)}" if unknown else "no reason follows"
                wrong.append(Finding("K290", span, fault))
                continue
            alone = not line[: match.start()].strip()
            found.setdefault((name, number + alone), set()).update(codes)
    return found, wrong


def _is_ignored(one: Finding, ignored: Mapping[tuple[str, int], Iterable[str]]) -> bool:
    return one.code in ignored.get((one.span.mark.file, one.span.mark.line), ())
