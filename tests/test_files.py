"""What is no regular file of a sane size is refused at once, whatever the user named."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.errors import KitError
from generator.files import read_regular
from generator.pipeline import read_plans
from tests.fast_support import MINIMAL


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 10**9)


def bound(path: Path) -> None:
    os.chdir(path.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path.name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, ": a FIFO, not a file"),
        (Path.mkdir, ": a folder, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), ": a device, not a file"),
        (lambda path: path.symlink_to("/dev/tty"), ": (a device, not a file|No such device or address)"),
        (bound, ": a socket, not a file"),
        (large, ": more than [0-9]+ KiB, too large for a file of its kind"),
        (lambda path: path.symlink_to(path), ": Too many levels of symbolic links"),
        (lambda path: None, ": No such file or directory"),
    ],
    ids=["FIFO", "folder", "zero", "tty", "socket", "3 GB", "loop", "nothing"],
)
def test_a_profile_that_is_no_file(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path / "p.yaml")
    before = Path.cwd()
    with pytest.raises(KitError, match=f"p.yaml{message}"):
        read_plans((str(tmp_path / "p.yaml"),))
    os.chdir(before)


def test_a_link_to_a_file_and_a_file_of_proc_are_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to("real")
    assert read_regular(tmp_path / "link", 10) == b"x" * 10
    assert read_regular(Path("/proc/self/status"), 2**20)
    with pytest.raises(KitError, match="too large"):
        read_regular(Path("/proc/self/status"), 20)


@pytest.mark.parametrize("path", ["docker", "docker/runtime", "docker/web", "docker/other", "k8s"])
def test_the_app_does_not_lie_where_the_generator_writes(path: str, tmp_path: Path) -> None:
    for name in ("web", "other"):
        (tmp_path / f"{name}.yaml").write_text(MINIMAL.replace("name: web", f"name: {name}"))
    (tmp_path / "web.yaml").write_text(MINIMAL.replace("path: docker/app", f"path: {path}"))
    with pytest.raises(KitError, match=rf"web\.yaml:2:[0-9]+: app\.path: {path} is a folder that the generator writes"):
        read_plans([str(tmp_path / f"{name}.yaml") for name in ("web", "other")])
