"""The one Jinja environment: a plan to {path: text}. It decides nothing and writes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from ..plan.before_start import RELEASE_LENGTH
from ..plan.install import secret_variable
from ..plan.plan import Plan
from ..plan.texts import docker_size
from ..plan.volumes import is_read_only
from ..profile.formats import memory_text
from .filters import (
    binary,
    comment,
    compose_scalar,
    compose_variable,
    dockerfile_word,
    indent_block,
    json_text,
    number,
    rule,
    shell_word,
    yaml_block,
    yaml_scalar,
)

PACKAGE = Path(__file__).resolve().parents[1]
#: In a wheel the templates lie inside the package, in a checkout beside it.
INSTALLED = (PACKAGE / "templates").is_dir()
TEMPLATES = PACKAGE / "templates" if INSTALLED else PACKAGE.parent / "templates"
LOCKS = PACKAGE / "servers" / "locks"
RUNTIME = PACKAGE / "runtime"


def render(plan: Plan) -> dict[str, str]:
    """Every file of one profile, by its path below the output root."""
    family = f"docker/{plan.server.family}"
    configuration = plan.server.configuration
    pod = replace(plan, proxy=plan.proxy.in_a_pod(plan.profile.port))
    proxy = _render("docker/proxy/nginx.conf.j2", pod) if plan.profile.kubernetes.proxy else ""
    plan = replace(plan, configuration=_render(f"{family}/{configuration}.j2", plan), proxy_configuration=proxy)
    files = {f"{plan.folder}/{configuration}": plan.configuration}
    folders = ["docker/common", family, f"{family}/{plan.server.name}"]
    folders += [f"docker/project/{plan.install.tool}"] if plan.install.tool else []
    folders += ["docker/proxy"] if plan.server.production else []
    for folder in folders:
        for name in _templates_below(folder):
            if (target := f"{plan.folder}/{name.removesuffix('.j2')}") not in files:
                files[target] = _render(f"{folder}/{name}", plan)
    if plan.server.production:
        plan = _released(plan)
        manifest = "---\n".join(_render(f"k8s/{kind}.yaml.j2", plan) for kind in plan.kubernetes.kinds)
        files[plan.manifest] = _patched(manifest, plan)
    return dict(sorted(files.items()))


def _released(plan: Plan) -> Plan:
    """With the release's name: a hash of its Job, and of the patches that change it, for no Job can be changed."""
    if not plan.before_start.is_job:
        return plan
    patches = [patch for patch in plan.profile.kubernetes.patches if patch.path.startswith("/Job/")]
    text = _render("k8s/job.yaml.j2", plan) + "".join(f"{one.op} {one.path} {one.value!r}\n" for one in patches)
    release = sha256(text.encode()).hexdigest()[:RELEASE_LENGTH]
    return replace(plan, before_start=replace(plan.before_start, release=release))


def _patched(manifest: str, plan: Plan) -> str:
    if not plan.profile.kubernetes.patches:
        return manifest
    from .patches import apply_patches  # its YAML library takes as long as all others

    return apply_patches(manifest, plan.profile.kubernetes.patches)


@cache
def runtime_files() -> Mapping[str, str]:
    """The runtime's own source, copied verbatim once per output tree."""
    modules = sorted(RUNTIME.rglob("*.py"))
    return {f"docker/runtime/{m.relative_to(RUNTIME).as_posix()}": m.read_bytes().decode("utf-8") for m in modules}


@cache
def _templates_below(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (TEMPLATES / folder).glob("*") if path.is_file()))


def _render(template: str, plan: Plan) -> str:
    if not template.endswith(".j2"):
        return (TEMPLATES / template).read_text(encoding="utf-8")
    return _environment().get_template(template).render(plan=plan)


def cache_folder() -> Path:
    """Where compiled templates are kept: in a checkout its build/, else the user's cache."""
    if not INSTALLED:
        return PACKAGE.parent / "build" / "templates"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "container-kit" / "templates"


def _bytecode_cache() -> FileSystemBytecodeCache | None:
    """Compiling the templates takes as long as all imports; their bytecode is kept, by content, where that is possible.

    Bytecode is run: a folder that is not the user's own, or that others may write to, is not used.
    """
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return None
    private = found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return FileSystemBytecodeCache(str(folder)) if private and os.access(folder, os.W_OK) else None


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
    environment.tests["read_only"] = is_read_only
    environment.filters.update(
        comment=comment,
        compose=compose_scalar,
        compose_variable=compose_variable,
        secret_variable=secret_variable,
        dockerfile=dockerfile_word,
        indent_block=indent_block,
        json=json_text,
        binary=binary,
        number=number,
        py=repr,
        quantity=memory_text,
        rule=rule,
        shell=shell_word,
        size=docker_size,
        yaml=yaml_scalar,
        yaml_block=yaml_block,
    )
    return environment
