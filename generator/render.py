"""The one Jinja environment: a plan to {path: text}. It decides nothing and writes nothing."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from .plan import Plan
from .runtime.sizing import MIB, Number, Rule
from .words import memory_quantity

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
LOCKS = ROOT / "generator" / "locks"
CACHE = ROOT / "build" / "templates"
RUNTIME = ROOT / "generator" / "runtime"


def render(plan: Plan) -> dict[str, str]:
    """Every file of one profile, by its path below the output root."""
    family = f"docker/{plan.server.family}"
    configuration = plan.server.configuration
    proxy = _render("k8s/parts/nginx.conf.j2", plan) if plan.profile.kubernetes.proxy else ""
    plan = replace(plan, configuration=_render(f"{family}/{configuration}.j2", plan), proxy_configuration=proxy)
    files = {f"{plan.folder}/{configuration}": plan.configuration}
    for folder in ("docker/common", family, f"{family}/{plan.server.name}"):
        for name in _templates_below(folder):
            if (target := f"{plan.folder}/{name.removesuffix('.j2')}") not in files:
                files[target] = _render(f"{folder}/{name}", plan)
    if plan.server.production:
        manifest = "---\n".join(_render(f"k8s/{kind}.yaml.j2", plan) for kind in plan.kubernetes.kinds)
        files[plan.manifest] = _patched(manifest, plan)
    return dict(sorted(files.items()))


def _patched(manifest: str, plan: Plan) -> str:
    if not plan.profile.kubernetes.patches:
        return manifest
    from .patches import apply_patches  # its YAML library takes as long as all others

    return apply_patches(manifest, plan.profile.kubernetes.patches)


@cache
def runtime_files() -> Mapping[str, str]:
    """The runtime's own source, copied verbatim once per output tree."""
    return {f"docker/runtime/{path.name}": path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("*.py"))}


@cache
def _templates_below(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (TEMPLATES / folder).glob("*") if path.is_file()))


def _render(template: str, plan: Plan) -> str:
    if not template.endswith(".j2"):
        return (TEMPLATES / template).read_text()
    return _environment().get_template(template).render(plan=plan)


def _bytecode_cache() -> FileSystemBytecodeCache | None:
    """Compiling the templates takes as long as all imports; their bytecode is kept (by content) in the checkout."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return FileSystemBytecodeCache(str(CACHE)) if os.access(CACHE, os.W_OK) else None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, LOCKS]),
        bytecode_cache=_bytecode_cache(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(
        comment=comment,
        dockerfile=dockerfile_word,
        indent_block=indent_block,
        json=json_text,
        mib=mebibytes,
        number=number,
        py=repr,
        quantity=memory_quantity,
        rule=rule,
        yaml=yaml_scalar,
    )
    return environment


def yaml_scalar(value: Any) -> str:
    """A YAML scalar: plain only where YAML 1.1 and 1.2 both read it as the same text, else double-quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)*|[0-9]+(m|Ki|Mi|Gi|Ti)|/[A-Za-z0-9._/-]*", value)
    if plain and value.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null"):
        return str(value)
    quoted = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda m: f"\\u{ord(m[0]):04x}", quoted)


def dockerfile_word(value: str) -> str:
    """A double-quoted Dockerfile word, in which nothing is expanded. Newlines and NUL cannot be written there."""
    if re.search(r"[\r\n\x00]", value):
        raise ValueError("a Dockerfile word cannot hold a newline or NUL")
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def json_text(value: Any) -> str:
    """JSON, as Docker's exec forms are."""
    return json.dumps(value, ensure_ascii=False)


def comment(text: str) -> str:
    """A sentence as comment lines of the generated files' width."""
    return textwrap.fill(text, 110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def number(value: Number) -> str:
    """A derived number as a comment: what it is at the profile's own limits, and why."""
    return comment(f"{value.value}: {value.reason}.")


def rule(value: int | Rule | None) -> str:
    """A count or a CPU rule as a Python literal."""
    return repr(asdict(value)) if isinstance(value, Rule) else repr(value)


def mebibytes(value: int) -> str:
    """Bytes as a Python expression that shows the MiB."""
    return f"{value // MIB} * 1024 * 1024" if value % MIB == 0 else repr(value)


def indent_block(text: str, width: int) -> str:
    """Every line that is not empty moved right, for a block scalar."""
    return "\n".join(" " * width + line if line else line for line in text.rstrip("\n").split("\n"))
