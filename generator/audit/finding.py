"""One thing found, at its place."""

from __future__ import annotations

from dataclasses import dataclass

from .given import Span
from .kinds import KINDS, Kind


@dataclass(frozen=True)
class Finding:
    """A finding: its code, where it stands, what was found there, and, where it differs, why and what to do."""

    code: str
    span: Span
    text: str
    why: str = ""
    fix: str = ""

    @property
    def kind(self) -> Kind:
        """Its row of the table."""
        return KINDS[self.code]

    @property
    def reason(self) -> str:
        """Why it matters: of the case, else of the kind."""
        return self.why or self.kind.why

    @property
    def remedy(self) -> str:
        """What to do: in the case, else of the kind."""
        return self.fix or self.kind.fix
