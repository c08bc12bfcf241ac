"""The tutorial taken apart: the files that it shows, and the commands of its shell blocks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.fast_support import ROOT

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """Content by path: a line that is nothing but the path, and the block that follows."""
    return dict(re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def commands(program: str) -> list[list[str]]:
    """Words of the lines of shell blocks that begin with the program's name, without it."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line[1:] for line in lines if line[0] == program]


def profile() -> str:
    """What `new` is said to write."""
    (found,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def lay_out(folder: Path) -> None:
    """Write the app's files below the folder."""
    for path, text in files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
