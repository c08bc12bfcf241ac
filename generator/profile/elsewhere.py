"""Where a setting belongs that stands in the wrong section, or that another tool calls by another name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .gunicorn_settings import known_settings, no_place
from .records import Record, settings
from .schema import GUNICORN_NAMES, Profile

#: What Kubernetes, Compose and others call it, in snake case, and the settings that it becomes. With a section before
#: it a name is meant there only, and wins over a setting of that name elsewhere.
OTHER_NAMES = {
    "annotations": ("kubernetes.pod_annotations", "kubernetes.service_annotations", "kubernetes.route.annotations"),
    "apt_packages": ("app.runtime_packages", "app.build_packages"),
    "autoscaling": ("kubernetes.min_replicas", "kubernetes.max_replicas"),
    "command": ("app.before_start", "jobs.command"),
    "client_max_body_size": ("proxy_max_body",),
    "container_name": ("name",),
    "container_port": ("port",),
    "cpus": ("resources.cpu",),
    "dependencies": ("app.requirements",),
    "domain": ("kubernetes.route.host",),
    "entrypoint": ("app.wrapper", "app.before_start"),
    "env_file": ("env_secrets",),
    "environment": ("env",),
    "expose": ("port",),
    "health.path": ("health.readiness_path", "health.liveness_path"),
    "health.timeout": ("kubernetes.patches",),
    "healthcheck": ("health.readiness_path", "health.liveness_path"),
    "hostname": ("kubernetes.route.host",),
    "hpa": ("kubernetes.min_replicas", "kubernetes.max_replicas"),
    "ingress": ("kubernetes.route.kind", "kubernetes.route.host"),
    "jobs.env": ("env",),
    "jobs.resources.limits": ("jobs.resources.cpu", "jobs.resources.memory"),
    "jobs.resources.requests": ("jobs.resources.cpu_request", "jobs.resources.memory"),
    "kubernetes.annotations": (
        "kubernetes.pod_annotations",
        "kubernetes.service_annotations",
        "kubernetes.route.annotations",
    ),
    "kubernetes.port": ("kubernetes.service_port", "port"),
    "kubernetes.route.port": ("kubernetes.service_port",),
    "kubernetes.volumes.path": ("kubernetes.volumes.mount_path",),
    "lifecycle": ("kubernetes.pre_stop_seconds",),
    "limits": ("resources.cpu", "resources.memory"),
    "liveness_probe": ("health.liveness_path",),
    "mem_limit": ("resources.memory",),
    "migrations": ("app.before_start",),
    "network_policy": ("kubernetes.allowed_namespaces", "kubernetes.allowed_cidrs", "kubernetes.egress"),
    "ports": ("port", "kubernetes.service_port"),
    "pre_stop": ("kubernetes.pre_stop_seconds",),
    "priority_class_name": ("kubernetes.priority_class",),
    "probes": ("health.readiness_path", "health.liveness_path"),
    "python_version": ("python",),
    "pythonpath": ("app.python_path",),
    "readiness_probe": ("health.readiness_path",),
    "requests": ("resources.cpu_request", "resources.memory"),
    "secrets": ("env_secrets",),
    "service": ("kubernetes.service_port",),
    "service_account": ("kubernetes.service_account_annotations",),
    "startup_probe": ("health.startup_seconds",),
    "target_port": ("port",),
    "termination_grace_period_seconds": ("graceful_timeout",),
    "tls": ("kubernetes.route.tls_secret",),
    "volume_mounts": ("volumes",),
    "volumes.path": ("volumes.mount_path",),
}


def _records(record: type[Record], items: bool, above: str = "") -> Iterator[tuple[str, type[Record]]]:
    yield above.removesuffix("."), record
    for name, one in settings(record).items():
        if (inner := one.type.record or (one.type.item if items else None)) is not None:
            yield from _records(inner, items, f"{above}{name}.")


#: Every section by its path, "" being the profile itself.
SECTIONS = dict(_records(Profile, items=False))
#: The same with the items of lists and mappings, each by its list's path.
RECORDS = dict(_records(Profile, items=True))


def remedy_of(path: Sequence[str]) -> str | None:
    """What to do about an unknown name that is a setting of another section, or another tool's word for one."""
    *above, given = path
    if above == ["gunicorn"] and given in known_settings():
        return None
    section = _section(above)
    if section is None:
        return None
    # Kubernetes writes nodeSelector, other tools node-selector.
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", given[:60]).lower()
    if section in RECORDS and name in settings(RECORDS[section]):
        return f"write {name}"
    is_item = section in RECORDS and section not in SECTIONS
    if others := OTHER_NAMES.get(f"{section}.{name}") or (() if is_item else OTHER_NAMES.get(name)):
        return f"write {', '.join(others)}"
    if homes := _homes(section, name, is_item):
        places = " and ".join(f"in {home}" if home else "at the top level of a profile" for home in homes)
        return f"{name} stands {places}: move it {'there' if len(homes) == 1 else 'to the one that is meant'}"
    if is_item or not (given in known_settings() or given in GUNICORN_NAMES):
        return None
    remedy = no_place(given, GUNICORN_NAMES, suggest=False)
    return remedy or f"{given} is a setting of gunicorn's own: move it below gunicorn"


def _section(above: Sequence[str]) -> str | None:
    """The path of a section without its items' numbers and names; None of a mapping that is no section."""
    record: type[Record] = Profile
    names = []
    steps = iter(above)
    for name in steps:
        names.append(name)
        kind = settings(record)[name].type
        if kind.item is not None:
            next(steps)
        elif kind.record is None:
            return name if names == ["gunicorn"] else None
        record = kind.record or kind.item
    return ".".join(names)


def _homes(section: str, name: str, is_item: bool) -> list[str]:
    """Sections that have the setting: those below the one where it stands, or else all; of an item, those below it."""
    every = [path for path, record in (RECORDS if is_item else SECTIONS).items() if name in settings(record)]
    below = [path for path in every if path.startswith(f"{section}.")]
    return below if below or is_item else every
