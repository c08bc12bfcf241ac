"""The measured figures in the profile itself: its comments stay, each figure gets one that says where it is from."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from ..errors import KitError, ProfileError
from ..files import read_regular
from ..pipeline import plan_profile
from ..profile.document import MAX_BYTES

#: What our comments begin with, by which a later run finds them.
MARK = "tune"


@dataclass(frozen=True)
class Setting:
    """One setting to write: dotted path, value (None: the setting goes), and the figure that it comes from."""

    path: str
    value: str | int | None
    why: str = ""  # without "; ", which separates comments


def written(text: str, file: str, settings: Sequence[Setting], root: Path) -> str:
    """The profile with these settings; what it says already stays as it stands, comments and order included.

    Raises KitError where the settings and the rest of the profile do not go together.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 2**31
    document = yaml.load(text)
    for setting in settings:
        _set(document, setting)
    stream = io.StringIO()
    yaml.dump(document, stream)
    made = stream.getvalue()
    try:
        plan_profile(made, file, (), root)
    except ProfileError as error:
        raise KitError(f"{file}: not written, since it would be wrong:\n{error}") from error
    return made


def _set(document: CommentedMap, setting: Setting) -> None:
    *above, name = setting.path.split(".")
    section: Any = document
    for part in above:
        if setting.value is None and part not in section:
            return
        section = section.setdefault(part, CommentedMap())
    if setting.value is None:
        section.pop(name, None)
        return
    section[name] = setting.value
    if section.fa.flow_style():
        # A mapping in braces has no room for a comment of its own: it stands behind the line, with the name.
        _comment(_holder(document, above), above[-1], f"{MARK} {name}: ", setting.why)
    else:
        _comment(section, name, f"{MARK}: ", setting.why)


def _holder(document: CommentedMap, above: Sequence[str]) -> Any:
    section: Any = document
    for part in above[:-1]:
        section = section[part]
    return section


def _comment(section: CommentedMap, name: str, mark: str, why: str) -> None:
    """Add to the comment behind the line; an earlier one of ours goes, whatever else stands there stays."""
    token = (section.ca.items.get(name) or (None, None, None))[2]
    first, newline, below = token.value.partition("\n") if token else ("", "", "")
    parts = [part for part in first.strip().removeprefix("#").strip().split("; ") if part and not part.startswith(mark)]
    text = "; ".join([*parts, f"{mark}{why}"])
    if token is None:
        section.yaml_add_eol_comment(text, name)
    else:
        # Comment lines between this setting and the next hang on the same token.
        token.value = f"# {text}{newline}{below}"


def replace(path: Path, text: str, before: str, settings: str) -> None:
    """Write the file whole or not at all, with its mode kept.

    Raises KitError, with the ``settings`` to write by hand, where it is no longer what it was ``before``: measuring
    takes minutes, in which somebody may have edited it.
    """
    if read_regular(path, MAX_BYTES) != before.encode():
        raise KitError(f"{path} was changed meanwhile, and nothing was written to it; it would be {settings}")
    mode = path.stat().st_mode
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.resolve().parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path.resolve())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
