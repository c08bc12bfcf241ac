"""What the machine is and how packages come onto it: Debian or not, root or not, which mirror, apt."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.containers.command import CommandFailed, Runner, run, say

REPOSITORY = Path(__file__).resolve().parents[3]
BUILD_DIR = REPOSITORY / "build" / "containers"

DEFAULT_MIRROR = "http://deb.debian.org/debian"
ARCHIVE_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)


@dataclass(frozen=True)
class Mirror:
    """Where Debian's packages come from, and the keyring that vouches for them (None: apt's own trust)."""

    uri: str = DEFAULT_MIRROR
    keyring: str | None = None


@contextlib.contextmanager
def one_at_a_time(lock_file: Path) -> Iterator[None]:
    """What several processes of tests must not do at once: each waits until the one before has done it."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lock_of(tag: str) -> Path:
    """The lock for building an image: the second process then finds the first one's layers in the cache."""
    return BUILD_DIR / "locks" / re.sub(r"[^\w.-]", "_", tag)


def is_root() -> bool:
    """Whether this process may install packages."""
    return os.geteuid() == 0


def os_release() -> Mapping[str, str]:
    """The machine's /etc/os-release; empty where there is none."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def is_debian() -> bool:
    """Whether this is Debian itself, whose package names are the ones used here."""
    return os_release().get("ID") == "debian" and shutil.which("apt-get") is not None


def find_program(name: str) -> str | None:
    """The program on PATH or in the folders that only root's PATH has."""
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/sbin", "/sbin"]
    return shutil.which(name, path=os.pathsep.join(folders))


def install(packages: Iterable[str], run: Runner = run) -> None:
    """Install those of the packages that this Debian has (docker-cli, for one, is newer than bookworm)."""
    names = list(packages)
    say(f"installing Debian packages as root: {' '.join(names)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = run(["apt-get", "update", "-q"], timeout=300, env=env, check=False)
    # A third party's broken source fails `update` with Debian's own lists fresh: the install decides.
    known = [name for name in names if run(["apt-cache", "show", name], env=env, check=False).returncode == 0]
    options = ["-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    try:
        run(["apt-get", "install", *options, *(known or names)], timeout=900, env=env)
    except CommandFailed:
        if update.returncode != 0:
            say(f"apt-get update had failed too:\n{update.stderr.strip()}")
        raise


def debian_mirror(run: Runner = run) -> Mirror:
    """The mirror and keyring of the machine's own Debian source, as apt itself reads them."""
    codename = os_release().get("VERSION_CODENAME", "")
    fields = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SOURCESENTRY)"
    listing = run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], check=False)
    for line in listing.stdout.splitlines():
        uri, release, component, entry = (line.split("|") + [""] * 4)[:4]
        uri = uri.rstrip("/")
        if release == codename and component == "main" and uri.endswith("/debian"):
            return Mirror(uri, _keyring(entry))
    return Mirror(DEFAULT_MIRROR, _keyring(""))


def _keyring(source_entry: str) -> str | None:
    """The keyring that the source names, else Debian's archive keyring; `source_entry` is FILE:NUMBER."""
    try:
        text = Path(source_entry.rpartition(":")[0]).read_text(encoding="utf-8")
    except OSError:
        text = ""
    named = re.findall(r"(?im)^[^#\n]*signed-by[:=]\s*(/[^\s,\]]+)", text)
    return next((path for path in [*named, *ARCHIVE_KEYRINGS] if Path(path).is_file()), None)


def download_deb(package: str, suite: str, folder: Path, run: Runner = run) -> Path:
    """Fetch one package of any Debian suite into `folder`; the machine's own apt sources stay as they are."""
    mirror = debian_mirror(run)
    signed = f" [signed-by={mirror.keyring}]" if mirror.keyring else ""
    with tempfile.TemporaryDirectory(prefix="kit-apt-") as name:
        root = Path(name)
        (root / "sources.list").write_text(f"deb{signed} {mirror.uri} {suite} main\n", encoding="utf-8")
        for part in ("lists/partial", "archives/partial"):
            (root / part).mkdir(parents=True)
        settings = {
            "Dir::Etc::sourcelist": root / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": root / "lists",
            "Dir::Cache": root,
            "Dir::Cache::archives": root / "archives",
            "APT::Sandbox::User": "root",  # the folder is private, apt's own user could not write into it
            "APT::Update::Post-Invoke": "",
            "APT::Update::Post-Invoke-Success": "",
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        folder.mkdir(parents=True, exist_ok=True)
        run(["apt-get", *options, "update", "-q"], timeout=300)
        run(["apt-get", *options, "download", "-q", package], timeout=300, cwd=folder)
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        raise FileNotFoundError(f"apt-get download {package} left no .deb in {folder}")
    return found[-1]
