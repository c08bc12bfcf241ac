"""The documentation as it comes with the kit: a page, or the section of one code."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import KitError

_PACKAGE = Path(__file__).resolve().parents[1]
#: In a wheel the pages lie inside the package, in a checkout beside it.
PAGES = next(folder for folder in (_PACKAGE / "documentation", _PACKAGE.parent / "docs") if folder.is_dir())


def read(topic: str) -> str:
    """The page of that name, or what the codes' pages say of a code such as K006. Raises KitError for anything else."""
    pages = {path.stem: path for path in sorted(PAGES.glob("*.md"))}
    if topic in pages:
        return pages[topic].read_text(encoding="utf-8")
    if re.fullmatch(r"[Kk]\d{3}", topic):
        for page in ("errors", "findings"):
            section = re.search(
                rf"^### {topic.upper()}\b.*?(?=^#|^<a |^<!-- end|\Z)",
                pages[page].read_text(encoding="utf-8"),
                re.MULTILINE | re.DOTALL,
            )
            if section:
                return f"{section[0].rstrip()}\n"
    raise KitError(f"{topic[:40]!r} is no page; there are {', '.join(pages)}, and each code, for example K006")
