"""Read the CPU and memory limits of the cgroup that this process runs in, v1 or v2, up the whole path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .sizing import Limits, ceil_div

#: cgroup v1 writes "no limit" as the largest page-aligned number; nothing real comes near it.
_UNLIMITED = 1 << 60


def read_limits(
    root: Path = Path("/"),
    affinity: int | None = None,
    request_millicores: int | None = None,
    memory_bytes: int | None = None,
) -> Limits:
    """The smallest quota and memory limit on the way from this process' cgroup to the root of the tree.

    ``memory_bytes`` (``KIT_MEMORY_BYTES``) is what of the limit the server may count on, where the rest is for files.

    ``root`` is where /proc and /sys are found (recorded trees in tests); ``affinity`` defaults to the scheduler's mask.
    """
    mask = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quotas = [q for folder in _folders(root, "cpu") if (q := _quota(folder)) is not None]
    memory = [m for folder in _folders(root, "memory") if (m := _memory(folder)) is not None]
    memory += [] if memory_bytes is None else [memory_bytes]
    return Limits(
        affinity=mask,
        quota_millicores=min(quotas, default=None),
        request_millicores=request_millicores,
        memory_bytes=min(memory, default=None),
    )


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Every folder from the process' cgroup up to the mount point, for the hierarchy that has the controller."""
    paths: dict[str, str] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        paths.update(dict.fromkeys(names.split(","), path))
    for mount, mount_root, controllers in _mounts(root):
        name = "" if controllers is None else controller
        if (controllers is not None and controller not in controllers) or name not in paths:
            continue
        path = paths[name]
        # In a container the mount shows the container's own cgroup, which may be called / or its path on the host.
        above = mount_root.rstrip("/")
        inside = path[len(above) :] if f"{path}/".startswith(f"{above}/") else path
        folder = mount / inside.strip("/")
        while folder != mount:
            yield folder
            folder = folder.parent
        yield mount


def _mounts(root: Path) -> Iterator[tuple[Path, str, list[str] | None]]:
    """Mounted hierarchies: folder, the cgroup it shows, and its v1 controllers (None for v2)."""
    for line in _read(root / "proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        fields = left.split(" ")
        if kind == "cgroup2":
            yield root / fields[4].lstrip("/"), fields[3], None
        elif kind == "cgroup":
            yield root / fields[4].lstrip("/"), fields[3], options.split(",")


def _quota(folder: Path) -> int | None:
    """CPU quota of one cgroup in thousandths of a CPU, rounded up."""
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _read(folder / "cpu.cfs_quota_us").strip()
        period = _read(folder / "cpu.cfs_period_us").strip()
    if quota in ("", "max", "-1") or not period:
        return None
    return max(1, ceil_div(int(quota) * 1000, int(period)))


def _memory(folder: Path) -> int | None:
    text = (_read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")).strip()
    if text in ("", "max") or int(text) >= _UNLIMITED:
        return None
    return int(text)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
