"""Limits read from recorded cgroup trees: a container sees them nested, renamed, fractional or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.runtime.limits import read_limits
from generator.runtime.sizing import MIB, cpus

V2 = "30 24 0:26 {root} /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_CPU = "33 32 0:29 {root} /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:9 - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "34 32 0:30 {root} /sys/fs/cgroup/memory ro,nosuid master:10 - cgroup cgroup rw,memory"
V1_PIDS = "35 32 0:31 {root} /sys/fs/cgroup/pids ro,nosuid master:11 - cgroup cgroup rw,pids"
HYBRID_V2 = "36 32 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
OTHER = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n23 22 0:21 / /proc rw - proc proc rw"
UNLIMITED_V1 = "9223372036854771712"
CPU, MEMORY = "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory"


def tree(folder: Path, membership: str, mounts: list[str], files: Mapping[str, str]) -> Path:
    """A root folder with /proc and /sys as recorded."""
    texts = {"proc/self/cgroup": membership, "proc/self/mountinfo": "\n".join([OTHER, *mounts]), **files}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    return folder


def v1(membership: str) -> str:
    return f"9:name=systemd:{membership}\n5:pids:{membership}\n4:memory:{membership}\n3:cpu,cpuacct:{membership}"


def v1_files(path: str, quota: str, memory: str, period: str = "100000") -> dict[str, str]:
    return {
        f"{CPU}{path}/cpu.cfs_quota_us": quota,
        f"{CPU}{path}/cpu.cfs_period_us": period,
        f"{MEMORY}{path}/memory.limit_in_bytes": memory,
    }


def v2_files(path: str, quota: str | None, memory: str | None) -> dict[str, str]:
    given = {"cpu.max": quota, "memory.max": memory}
    return {f"sys/fs/cgroup{path}/{name}": text for name, text in given.items() if text is not None}


POD = "/kubepods.slice/pod7.slice/container1.scope"
V2_POD = V2.format(root="/")
V1_MOUNTS = [mount.format(root="/") for mount in (V1_CPU, V1_MEMORY, V1_PIDS)]
DOCKER = "/docker/abc"
DOCKER_MOUNTS = [mount.format(root=DOCKER) for mount in (V1_CPU, V1_MEMORY)]
GIB = str(1024**3)

# name: membership, mounts, files, expected quota in millicores, expected memory in MiB
CASES: dict[str, tuple[str, list[str], dict[str, str], int | None, int | None]] = {
    "v2, the container's namespace root": ("0::/", [V2_POD], v2_files("", "150000 100000", GIB), 1500, 1024),
    "v2, no limit": ("0::/", [V2_POD], v2_files("", "max 100000", "max"), None, None),
    "v2, root cgroup without the files": ("0::/", [V2_POD], {}, None, None),
    "v2, limit on the parent only": (
        f"0::{POD}",
        [V2_POD],
        v2_files(POD, "max 100000", "max") | v2_files("/kubepods.slice/pod7.slice", "50000 100000", str(256 * MIB)),
        500,
        256,
    ),
    "v2, smaller limit above": (
        f"0::{POD}",
        [V2_POD],
        v2_files(POD, "400000 100000", GIB) | v2_files("/kubepods.slice", "200000 100000", str(512 * MIB)),
        2000,
        512,
    ),
    "v2, smaller limit below": (
        f"0::{POD}",
        [V2_POD],
        v2_files(POD, "100000 100000", str(128 * MIB)) | v2_files("/kubepods.slice", "800000 100000", GIB),
        1000,
        128,
    ),
    "v2, CPU limited below and memory above": (
        f"0::{POD}",
        [V2_POD],
        v2_files(POD, "25000 100000", "max") | v2_files("/kubepods.slice", "max 100000", GIB),
        250,
        1024,
    ),
    "v2, controllers not delegated to the leaf": (
        f"0::{POD}",
        [V2_POD],
        {f"sys/fs/cgroup{POD}/cgroup.procs": "1"} | v2_files("/kubepods.slice", "300000 100000", GIB),
        3000,
        1024,
    ),
    "v2, another period": ("0::/", [V2_POD], v2_files("", "7500 50000", None), 150, None),
    "v2, a fraction is rounded up": ("0::/", [V2_POD], v2_files("", "33333 100000", None), 334, None),
    "v2, the smallest quota is not zero": ("0::/", [V2_POD], v2_files("", "1000 1000000", None), 1, None),
    "v2, the mount shows the container's cgroup under its path on the host": (
        "0::/system.slice/docker-abc.scope",
        [V2.format(root="/system.slice/docker-abc.scope")],
        v2_files("", "200000 100000", GIB),
        2000,
        1024,
    ),
    "v2, the path of the host is not visible inside": (
        "0::/system.slice/docker-abc.scope",
        [V2_POD],
        v2_files("", "200000 100000", GIB),
        2000,
        1024,
    ),
    "v2, outside of the namespace": ("0::/../other", [V2_POD], v2_files("", "100000 100000", GIB), 1000, 1024),
    "v1, docker: the mount's root is the path": (
        v1(DOCKER),
        DOCKER_MOUNTS,
        v1_files("", "150000", str(300 * MIB)),
        1500,
        300,
    ),
    "v1, a cgroup below the container's own": (
        v1(f"{DOCKER}/inner"),
        DOCKER_MOUNTS,
        v1_files("", "200000", GIB) | v1_files("/inner", "50000", str(64 * MIB)),
        500,
        64,
    ),
    "v1, a sibling whose name starts alike": (
        v1(f"{DOCKER}d"),
        DOCKER_MOUNTS,
        v1_files("", "200000", GIB) | v1_files("/d", "50000", str(64 * MIB)),
        2000,
        1024,
    ),
    "v1, no limit": (v1(DOCKER), DOCKER_MOUNTS, v1_files("", "-1", UNLIMITED_V1), None, None),
    "v1, no limit with 64 KiB pages": (v1("/"), V1_MOUNTS, v1_files("", "-1", "9223372036854710272"), None, None),
    "v1, limit on the parent only": (
        v1(POD),
        V1_MOUNTS,
        v1_files(POD, "-1", UNLIMITED_V1) | v1_files("/kubepods.slice", "250000", str(700 * MIB)),
        2500,
        700,
    ),
    "v1, another period": (v1("/"), V1_MOUNTS, v1_files("", "25000", GIB, period="50000"), 500, 1024),
    "v1, only memory mounted": (v1("/"), V1_MOUNTS[1:], v1_files("", "25000", GIB), None, 1024),
    "hybrid: v2 without controllers beside v1": (
        v1(DOCKER) + f"\n0::{DOCKER}",
        [*DOCKER_MOUNTS, HYBRID_V2],
        v1_files("", "50000", str(200 * MIB)) | {f"sys/fs/cgroup/unified{DOCKER}/cgroup.procs": "1"},
        500,
        200,
    ),
    "hybrid: memory in v2, CPU in v1": (
        f"3:cpu,cpuacct:{DOCKER}\n0::{DOCKER}",
        [DOCKER_MOUNTS[0], HYBRID_V2],
        {f"{CPU}/cpu.cfs_quota_us": "50000", f"{CPU}/cpu.cfs_period_us": "100000"}
        | {f"sys/fs/cgroup/unified{DOCKER}/memory.max": str(200 * MIB)},
        500,
        200,
    ),
    "no cgroups mounted": ("0::/", [], {}, None, None),
}


@pytest.mark.parametrize("case", CASES)
def test_recorded_trees(case: str, tmp_path: Path) -> None:
    membership, mounts, files, quota, memory = CASES[case]
    limits = read_limits(tree(tmp_path, membership, mounts, files), affinity=8, request_millicores=700)
    assert limits.quota_millicores == quota
    assert limits.memory_bytes == (None if memory is None else memory * MIB)
    assert (limits.affinity, limits.request_millicores) == (8, 700)


@pytest.mark.parametrize(
    ("quota", "affinity", "value", "decided_by"),
    [("150000 100000", 8, 2, "quota"), ("400000 100000", 3, 3, "affinity"), ("max 100000", 3, 3, "affinity")],
)
def test_quota_and_affinity_together(quota: str, affinity: int, value: int, decided_by: str, tmp_path: Path) -> None:
    root = tree(tmp_path, "0::/", [V2_POD], v2_files("", quota, None))
    number = cpus(read_limits(root, affinity=affinity))
    assert (number.value, number.decided_by) == (value, decided_by)


@pytest.mark.parametrize(("limit", "given", "expected"), [("max", 256, 256), (GIB, 256, 256), (str(64 * MIB), 256, 64)])
def test_what_is_for_files_is_not_counted(limit: str, given: int, expected: int, tmp_path: Path) -> None:
    """KIT_MEMORY_BYTES, where the container's limit holds files of /tmp too."""
    limits = read_limits(tree(tmp_path, "0::/", [V2_POD], v2_files("", None, limit)), memory_bytes=given * MIB)
    assert limits.memory_bytes == expected * MIB


def test_no_proc_at_all(tmp_path: Path) -> None:
    limits = read_limits(tmp_path, affinity=2)
    assert (limits.quota_millicores, limits.memory_bytes) == (None, None)


def test_this_machine_has_a_mask() -> None:
    assert (read_limits().affinity or 0) >= 1
