"""Generated from the definitions themselves: profiles/schema.json and the tables of the README."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..errors import TargetError
from ..output.write import Change
from ..plan.texts import memory_quantity
from ..profile.field_type import FieldType
from ..profile.schema import CpuRule, Profile
from ..servers import SERVERS
from ..servers.server import Cell
from .seed import SEED


def schema() -> str:
    """JSON schema of a profile, for editors; the generator itself checks more than a schema can say."""
    found = Profile.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["properties"]["server"]["enum"] = sorted(SERVERS)
    versions = sorted({version for server in SERVERS.values() for version in server.pythons})
    # Unquoted, an editor reads 3.13 as a number; the generator takes the text as it is written.
    found["properties"]["python"] = {"enum": [*versions, *(float(v) for v in versions)], "default": "3.13"}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def settings_table() -> str:
    """Every setting of a profile: what it takes, its default, and why it is there."""
    rows = ["| setting | takes | default | |", "| --- | --- | --- | --- |"]
    for path, field in _fields(Profile, ""):
        default = "required" if field.is_required() else _default(field)
        rows.append(f"| `{path}` | {_allowed(field)} | {default} | {field.description} |")
    return "\n".join(rows)


def _fields(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _allowed(field: FieldInfo) -> str:
    kinds = [kind for kind in _kinds(field) if isinstance(kind, FieldType)]
    rule = " or a CPU rule" if CpuRule in get_args(field.annotation) or "CpuRule" in str(field.annotation) else ""
    return _cell(kinds[0].allowed + rule) if kinds else "a mapping"


def _kinds(field: FieldInfo) -> Iterator[Any]:
    yield from field.metadata
    for argument in get_args(field.annotation):
        yield from getattr(argument, "__metadata__", ())


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default == ():
        return "null" if default is None else "none"
    if any(isinstance(kind, FieldType) and kind.allowed.startswith("memory") for kind in field.metadata):
        return f"`{memory_quantity(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def servers_table() -> str:
    """What each server is for, as the table of truths has it."""
    rows = ["| `server:` | what it is | workers | threads | a worker | a connection | proxy in front |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- |")
    for server in SERVERS.values():
        threads = f"{server.threads.per_cpu} x CPU" if server.threads else "–"
        need = "needed" if server.needs_proxy else "not needed"
        memory = f"{memory_quantity(server.worker_memory_bytes)}"
        each = f"{server.connection_memory_bytes / 1024:g} KiB"
        plus = f" + {server.workers.plus}" if server.workers.plus else ""
        least = f", at least {server.workers.at_least}" if server.workers.at_least > 1 else ""
        workers = f"{server.workers.per_cpu} x CPU{plus}{least}"
        rows.append(f"| `{server.name}` | {server.summary} | {workers} | {threads} | {memory} | {each} | {need} |")
    return "\n".join(rows)


def honoured_table() -> str:
    """Setting by server: honoured, ignored or harmful; refused unless honoured. Says how many cells are unprobed."""
    names = sorted({name for server in SERVERS.values() for name in server.settings})
    rows = ["| setting | " + " | ".join(f"`{name}`" for name in SERVERS) + " |"]
    rows.append("| --- |" + " --- |" * len(SERVERS))
    for name in names:
        cells = [server.settings.get(name) for server in SERVERS.values()]
        rows.append(f"| `{name}` | " + " | ".join(_verdict(cell) for cell in cells) + " |")
    every = [cell for server in SERVERS.values() for cell in server.settings.values()]
    refused = sum(cell.verdict != "honoured" for cell in every)
    unprobed = sum(cell.shown_by.startswith("unprobed") for cell in every)
    counts = (
        f"{len(every) - refused - unprobed} are shown on a booted container, {refused} are refused by the generator"
    )
    rows += ["", f"Of {len(every)} cells {counts}, {unprobed} are unprobed (`generator/servers/` says why)."]
    return "\n".join(rows)


def _verdict(cell: Cell | None) -> str:
    return "" if cell is None else {"honoured": "yes", "ignored": "ignored", "harmful": "**harmful**"}[cell.verdict]


def seed_table() -> str:
    """Each line of the copied configuration, and what becomes of it."""
    rows = ["| in the copied configuration | what it does there | here |", "| --- | --- | --- |"]
    rows += [f"| `{_cell(line.text)}` | {_cell(line.truth)} | {_cell(line.here)} |" for line in SEED]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _profile_beside_output(root: Path) -> str:
    profile = (root / "profiles/large.yaml").read_text()
    return f"```yaml\n{profile.rstrip()}\n```"


def _plan_excerpt(root: Path) -> str:
    """The part of the generated configuration that shows derived numbers with their reasons."""
    text = (root / "docker/large/gunicorn.conf.py").read_text()
    start, end = text.index("# --- How many ---"), text.index("# --- How long ---")
    return f"```python\n{text[start:end].rstrip()}\n```"


#: What makes each generated part, from the definitions and from the files below a checkout's root.
PARTS: Mapping[str, Callable[[Path], str]] = {
    "profile": _profile_beside_output,
    "configuration": _plan_excerpt,
    "settings": lambda _: settings_table(),
    "servers": lambda _: servers_table(),
    "honoured": lambda _: honoured_table(),
    "seed": lambda _: seed_table(),
}


def renewed(name: str, text: str, root: Path) -> str:
    """A document with every generated part renewed. Raises TargetError for a part that nobody makes."""

    def part(match: re.Match[str]) -> str:
        if match[1] not in PARTS:
            raise TargetError(f"{name}: no part is called {match[1]}")
        return f"<!-- generated: {match[1]} -->\n{PARTS[match[1]](root)}\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->.*?<!-- end -->", part, text, flags=re.DOTALL)


def changes(root: Path) -> list[Change]:
    """What renewing the documentation of the checkout at ``root`` would change. Raises TargetError elsewhere."""
    found = []
    for path in ("profiles/schema.json", "README.md"):
        file = root / path
        if not file.is_file():
            raise TargetError(f"{path}: no such file below {root}; docs is for a checkout of the kit, see --output")
        old = file.read_text(encoding="utf-8")
        new = schema() if path.endswith(".json") else renewed(path, old, root)
        found.append(Change(path, "unchanged" if old == new else "changed", old, new))
    return found
