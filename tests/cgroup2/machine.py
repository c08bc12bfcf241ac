"""The virtual machine: Debian's cloud kernel, and the file system of an image in its memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from generator.containers.docker import Docker

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kit-cgroup2"
INIT = Path(__file__).with_name("init.py")
QEMU = "qemu-system-x86_64"
#: MiB; the file system takes about 200 of them.
MEMORY = 2048


def why_not() -> str | None:
    """In one line why no machine can be started here; None if one can."""
    if not shutil.which(QEMU):
        return f"there is no {QEMU}: apt-get install --no-install-recommends qemu-system-x86"
    if not shutil.which("apt-get"):
        return "there is no apt-get, by which the kernel comes"
    return None


def kernel() -> Path:
    """Debian's newest cloud kernel of this release, unpacked into the cache and not installed."""
    if found := sorted(CACHE.glob("boot/vmlinuz-*")):
        return found[-1]
    CACHE.mkdir(parents=True, exist_ok=True)
    depends = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True
    )
    package = re.search(r"Depends: (linux-image-\S+)", depends.stdout)
    assert package, depends.stdout
    options = ["-o", "APT::Sandbox::User=root"]
    subprocess.run(["apt-get", *options, "download", "-qq", package[1]], cwd=CACHE, check=True)
    (downloaded,) = CACHE.glob("*.deb")
    subprocess.run(["dpkg", "-x", downloaded, CACHE], check=True)
    downloaded.unlink()
    return sorted(CACHE.glob("boot/vmlinuz-*"))[-1]


def boot(
    docker: Docker, image: str, scenarios: Sequence[Mapping[str, Any]], more: Mapping[str, bytes], work: Path
) -> Any:
    """What init.py found, by scenario. ``more`` maps paths in the image to what is appended to them."""
    settings = json.loads(docker.call("image", "inspect", "--format", "{{json .Config}}", image).stdout)
    described = {
        "command": [*(settings.get("Entrypoint") or ()), *(settings.get("Cmd") or ())],
        "environment": dict(each.split("=", 1) for each in settings["Env"]),
        "folder": settings.get("WorkingDir") or "/",
    }
    given = {"image": described, "scenarios": list(scenarios)}
    files = {"init": (INIT.read_bytes(), 0o755), "scenarios.json": (json.dumps(given).encode(), 0o644)}
    exported, archive = work / "image.tar", work / "initrd"
    container = docker.call("create", image).stdout.strip()
    try:
        docker.call("export", "--output", str(exported), container, timeout=300)
    finally:
        docker.call("rm", container)
    with tarfile.open(exported) as source, archive.open("wb") as out:
        for each in _cpio(source, files, more):
            out.write(each)
    exported.unlink()
    command = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY), "-nographic"]
    command += ["-nodefaults", "-serial", "stdio", "-no-reboot", "-kernel", str(kernel()), "-initrd", str(archive)]
    command += ["-append", "console=ttyS0 rdinit=/init panic=-1 loglevel=6 earlyprintk=ttyS0"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if len(lines) != len(scenarios):
        raise AssertionError(f"the machine ended early:\n{done.stdout[-4000:]}\n{done.stderr}")
    return {found.pop("name"): found for found in map(json.loads, lines)}


def _cpio(
    source: tarfile.TarFile, files: Mapping[str, tuple[bytes, int]], more: Mapping[str, bytes]
) -> Iterator[bytes]:
    """The archive in the kernel's format, "newc": its documentation is in Documentation/driver-api/early-userspace."""
    number = 0
    for member in source:
        if member.name.rstrip("/") == "dev/console":
            continue
        data = b""
        if member.isfile() or member.islnk():
            content = source.extractfile(member)
            data = (content.read() if content else b"") + more.get(f"/{member.name}", b"")
        elif member.issym():
            data = member.linkname.encode()
        kind = 0o040000 if member.isdir() else 0o120000 if member.issym() else 0o100000
        number += 1
        yield from _entry(number, member.name.rstrip("/"), kind | member.mode & 0o7777, data, member.uid)
    for name, (data, mode) in files.items():
        number += 1
        yield from _entry(number, name, 0o100000 | mode, data, 0)
    # What init prints goes there: the kernel opens it before devtmpfs is mounted.
    yield from _entry(number + 1, "dev/console", 0o020600, b"", 0, device=(5, 1))
    yield from _entry(0, "TRAILER!!!", 0, b"", 0)


def _entry(
    number: int, name: str, mode: int, data: bytes, uid: int, device: tuple[int, int] = (0, 0)
) -> Iterator[bytes]:
    path = name.encode() + b"\0"
    fields = (number, mode, uid, uid, 1, 0, len(data), 0, 0, *device, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    yield _padded(head + path)
    yield _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
