"""Generated from the definitions themselves: profiles/schema.json, and parts of README.md and docs/*.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..audit.audit import audit
from ..audit.finding import Finding
from ..audit.kinds import findings_page
from ..audit.sources import Source
from ..errors import FAULT_KINDS, ProfileError, TargetError
from ..output.drift import Change
from ..pipeline import plan_profile
from ..profile.formats import memory_text
from ..profile.records import Setting, json_schema
from ..profile.schema import SETTINGS, Profile
from ..project.hazards import KINDS
from ..runtime.sizing import Rule
from ..servers import SERVERS
from ..servers.server import PYTHONS, UNBOOTED, Cell
from .seed import SEED, copied


def schema() -> str:
    """JSON schema of a profile, for editors; the generator itself checks more than a schema can say."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Profile", **json_schema(Profile)}
    found["properties"]["server"]["enum"] = sorted(SERVERS)
    versions = sorted({version for server in SERVERS.values() for version in server.pythons})
    python = found["properties"]["python"]
    kept = {name: python[name] for name in ("description", "default")}
    found["properties"]["python"] = {"enum": [*versions, *(float(version) for version in versions)], **kept}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def settings_table() -> str:
    """Every setting of a profile: what it takes, its default, and why it is there."""
    rows = ["| setting | takes | default | |", "| --- | --- | --- | --- |"]
    for path, one in SETTINGS.items():
        default = "required" if one.is_required else _default(one)
        rows.append(f"| `{path}` | {_cell(one.type.allowed)} | {default} | {one.description} |")
    return "\n".join(rows)


def _default(one: Setting) -> str:
    if one.default is None or one.default == ():
        return "null" if one.default is None else "none"
    return f"`{str(one.default).lower() if isinstance(one.default, bool) else one.type.show(one.default)}`"


def servers_table() -> str:
    """What each server is for, as the capability table has it."""
    columns = (
        "`server:`",
        "what it is",
        "workers",
        "threads",
        "preloads",
        "a worker",
        "a connection",
        "proxy in front",
    )
    rows = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for server in SERVERS.values():
        cells = [
            f"`{server.name}`",
            server.summary,
            _rule(server.workers),
            _rule(server.threads) if server.threads else "–",
            "yes" if server.preload_app else "no",
            memory_text(server.worker_memory_bytes),
            f"{server.connection_memory_bytes / 1024:g} KiB",
            "needed" if server.needs_proxy else "not needed",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _rule(rule: Rule) -> str:
    """In words; a bound that no number of CPUs reaches is left out."""
    if not rule.per_cpu:
        return str(rule.plus)
    plus = f" + {rule.plus}" if rule.plus else ""
    least = f", at least {rule.at_least}" if rule.at_least > rule.per_cpu + rule.plus else ""
    most = f", at most {rule.at_most}" if rule.at_most else ""
    return f"{rule.per_cpu} x CPU{plus}{least}{most}"


def pythons_table() -> str:
    """Server by Python: what the tests boot, what is only generated, and what is refused, with the reasons."""
    rows = ["| `python:` | " + " | ".join(f"`{name}`" for name in SERVERS) + " |", "| --- |" + " --- |" * len(SERVERS)]
    for python in PYTHONS:
        status = "generated" if python in UNBOOTED else "booted"
        cells = [status if python in server.pythons else "**refused**" for server in SERVERS.values()]
        rows.append(f'| `"{python}"` | ' + " | ".join(cells) + " |")
    reasons = [
        f"{python} is generated from the same lock and templates, but booted by no test: {why}."
        for python, why in UNBOOTED.items()
    ]
    reasons += [f"{server.name}: {server.pythons_refused}." for server in SERVERS.values() if server.pythons_refused]
    return "\n".join([*rows, "", *reasons])


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


def error_kinds() -> str:
    """Every kind of fault by its code: what it means, and what to do."""
    parts = []
    for kind in FAULT_KINDS.values():
        parts += [f"### {kind.code}", "", f"**{kind.title}**: {kind.why}.", "", f"Do: {kind.remedy}.", ""]
    return "\n".join(parts).rstrip()


def hazards_table() -> str:
    """What bites in production, as the messages say it."""
    rows = ["| name | where | why | do |", "| --- | --- | --- | --- |"]
    rows += [f"| `{kind.name}` | {kind.where} | {_cell(kind.why)} | {_cell(kind.remedy)} |" for kind in KINDS]
    return "\n".join(rows)


def seed_table() -> str:
    """Each line of the copied configurations: what `audit` finds in it, and what stands for it here."""
    rows = ["| in the copied configuration | what it does there | here |", "| --- | --- | --- |"]
    found = seed_findings()
    for line in SEED:
        truth = line.truth or "; ".join(map(_reason, found[line.text]))
        rows.append(f"| `{_cell(line.text)}` | {_cell(truth)} | {_cell(line.here)} |")
    return "\n".join(rows)


def _reason(one: Finding) -> str:
    return f"{one.text} ([{one.code}](findings.md#{one.code.lower()})): {one.reason.rstrip('.')}"


def seed_findings() -> dict[str, list[Finding]]:
    """What `audit` finds in each line of the two copied configurations, a code once a line."""
    found: dict[str, list[Finding]] = {line.text: [] for line in SEED}
    for server in ("gevent", "meinheld"):
        source = Source("gunicorn_config.py", copied(server))
        lines = source.text.splitlines()
        for one in audit([source]).findings:
            line = found[lines[one.span.mark.line - 1]]
            line += [one] if one.code not in [other.code for other in line] else []
    return found


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


def _measured_excerpt(root: Path) -> str:
    """Three rows of the first table of gunicorn as others configure it."""
    text = (root / "docs/measurements.md").read_text(encoding="utf-8").partition("<!-- measured: gunicorn -->")[2]
    table = text[text.index("\n| ") + 1 :].partition("\n\n")[0].splitlines()
    rows = ("| this kit, gevent |", "| the copied configuration, gevent |", "| gunicorn -k gevent, ")
    return "\n".join([*table[:2], *(row for name in rows for row in table[2:] if row.startswith(name))])


#: A profile with a fault of each kind, and the messages that it gets.
_BAD_PROFILE = """\
name: Shop
app: {module: shop.wsgi, path: ../shop}
server: gevnet
conections: 1200
resources: {cpu: 2 cores, memory: 1Gi}
env: {DB_PASSWORD: hunter2}
"""


def real_apps(root: Path) -> str:
    """The profile of each application of tests/apps/real/, as the tests boot it."""
    profiles = sorted((root / "tests/apps/real").glob("*/profile.yaml"))
    named = [(path.parent.name, path.read_text(encoding="utf-8")) for path in profiles]
    return "\n".join(f"**{name}**\n\n```yaml profile\n{text}```\n" for name, text in named)


def hooks(root: Path) -> str:
    """The hooks of each application of tests/apps/ that a library needs, as the tests boot it."""
    files = [*sorted(root.glob("tests/apps/hooks-*/hooks.py")), *sorted(root.glob("tests/apps/real/*/hooks.py"))]
    named = [(path.parent.name.removeprefix("hooks-"), path.read_text(encoding="utf-8")) for path in files]
    return "\n".join(f"**{name}**\n\n```python\n{text}```\n" for name, text in named)


def beside(root: Path) -> str:
    """What an application of tests/apps/real/ has beside it in Compose, as the tests start it."""
    texts = [path.read_text(encoding="utf-8") for path in root.glob("tests/apps/real/psycopg/beside.yaml")]
    return "\n".join(f"```yaml\n{text}```" for text in texts)


def _faults() -> str:
    try:
        plan_profile(_BAD_PROFILE, "shop.yaml")
    except ProfileError as error:
        faults = error.faults
    return f"```text\n{ProfileError(faults)}\n```"


#: What makes each generated part, from the definitions and from the files below a checkout's root.
PARTS: Mapping[str, Callable[[Path], str]] = {
    "profile": _profile_beside_output,
    "configuration": _plan_excerpt,
    "settings": lambda _: settings_table(),
    "servers": lambda _: servers_table(),
    "pythons": lambda _: pythons_table(),
    "honoured": lambda _: honoured_table(),
    "seed": lambda _: seed_table(),
    "measured": _measured_excerpt,
    "bad_profile": lambda _: f"```yaml\n{_BAD_PROFILE}```",
    "error_kinds": lambda _: error_kinds(),
    "hazards": lambda _: hazards_table(),
    "faults": lambda _: _faults(),
    "real_apps": real_apps,
    "hooks": hooks,
    "beside": beside,
    "findings": lambda _: findings_page(),
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
    pages = sorted(path.relative_to(root).as_posix() for path in (root / "docs").glob("*.md"))
    for path in ("profiles/schema.json", "README.md", "README.zh.md", *pages):
        file = root / path
        if not file.is_file():
            raise TargetError(f"{path}: no such file below {root}; docs is for a checkout of the kit, see --output")
        old = file.read_text(encoding="utf-8")
        new = schema() if path.endswith(".json") else renewed(path, old, root)
        found.append(Change(path, "unchanged" if old == new else "changed", old, new))
    return found
