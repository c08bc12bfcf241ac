"""The base image: local, else pulled, else a stand-in built from Debian's own packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from generator.containers.command import CommandFailed, EngineError, Runner, run, say
from generator.containers.docker import Docker, Image
from tests.containers.support import host
from tests.containers.support.docker import image_label
from tests.containers.support.pip_settings import host_index_settings

TAG = "python:3.13-slim-trixie"
# Debian has one Python a release, so a stand-in for the official images, all of them on trixie, comes from the
# release that has the Python. None has 3.12.
STAND_INS = {
    "python:3.11-slim-trixie": "bookworm",
    "python:3.13-slim-trixie": "trixie",
    "python:3.13-slim": "trixie",
    "python:3.14-slim-trixie": "forky",
}
# Mirrors may be snapshots, and the indexes of a release to come are valid for a week only. Signatures count anyhow.
WITHOUT_END = ("forky",)
STAND_IN_LABEL = "kit-test.stand-in"
PULL_SECONDS = 60.0
BUILD_SECONDS = 900.0

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SEARCH_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
SHM = Path("/dev/shm")
ROOM_BYTES = 2 * 1024**3

PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,netbase,tzdata"
# Without these the image is 466 MB instead of 109 MB.
LEFT_OUT = ("man", "doc", "locale", "info")
# Like the official image: pip may install, and python is in /usr/local/bin.
AS_OFFICIAL = (
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED; '
    'ln -sf ../../bin/python3 "$1"/usr/local/bin/python; ln -sf ../../bin/python3 "$1"/usr/local/bin/python3'
)


def ensure_base_image(docker: Docker, tag: str = TAG, pull_seconds: float = PULL_SECONDS) -> Image:
    """The local image of that tag; it is pulled or built if there is none."""
    identity = docker.image_id(tag)
    if identity:
        return Image(tag, identity)
    say(f"no local {tag}; trying docker pull (at most {pull_seconds:g} s)")
    try:
        docker.call("pull", "--quiet", tag, timeout=pull_seconds)
    except CommandFailed as error:
        reason = error.completed.stderr.strip().splitlines()[-1:] or [str(error).splitlines()[0]]
        if tag not in STAND_INS:
            known = ", ".join(STAND_INS)
            raise EngineError(f"{tag} cannot be pulled ({reason[0]}); stand-ins exist for {known}") from error
        say(f"not pulled ({reason[0]}); building a stand-in from Debian {STAND_INS[tag]}")
        return build_stand_in(docker, tag, STAND_INS[tag])
    identity = docker.image_id(tag)
    if identity is None:
        raise EngineError(f"docker pull {tag} left no image of that name")
    return Image(tag, identity)


def is_stand_in(docker: Docker, tag: str = TAG) -> bool:
    """Whether the local image is the one built here from Debian packages."""
    return image_label(docker, tag, STAND_IN_LABEL) != ""


def build_stand_in(docker: Docker, tag: str, suite: str = "trixie", run: Runner = run) -> Image:
    """Bootstrap Debian with Python by mmdebstrap and import it under the tag."""
    _ensure_mmdebstrap(run)
    with tempfile.TemporaryDirectory(prefix="kit-base-", dir=scratch_dir()) as name:
        folder = Path(name)
        folder.chmod(0o755)  # apt fetches as its own user
        tarball = folder / "base.tar"
        env = {**os.environ, "TMPDIR": name, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
        run(bootstrap_command(suite, tarball, host.debian_mirror(run)), timeout=BUILD_SECONDS, env=env)
        changes = [word for change in import_changes(suite) for word in ("--change", change)]
        docker.call("import", *changes, str(tarball), tag, timeout=300)
    identity = docker.image_id(tag)
    if identity is None:
        raise EngineError(f"docker import left no image {tag}")
    say(f"{tag} is now a stand-in, {identity.removeprefix('sha256:')[:12]}")
    return Image(tag, identity)


def _ensure_mmdebstrap(run: Runner) -> None:
    if host.find_program("mmdebstrap"):
        return
    if not (host.is_root() and host.is_debian()):
        raise EngineError(
            f"{TAG} is neither local nor pullable: pull or load it, or install mmdebstrap "
            "(Debian: apt-get install mmdebstrap) so that a stand-in can be built"
        )
    host.install(["mmdebstrap"], run)


def bootstrap_command(suite: str, tarball: Path, mirror: host.Mirror, ca_bundle: Path = CA_BUNDLE) -> list[str]:
    """The mmdebstrap call: a small Debian with Python, the machine's CA bundle inside."""
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    words = [
        "mmdebstrap",
        "--mode=root" if host.is_root() else "--mode=auto",
        "--variant=apt",
        f"--include={PACKAGES}",
        '--aptopt=Apt::Install-Recommends "false"',
        *(['--aptopt=Acquire::Check-Valid-Until "false"'] if suite in WITHOUT_END else []),
        "--dpkgopt=force-unsafe-io",
        *excludes,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--customize-hook={AS_OFFICIAL}",
    ]
    if ca_bundle.is_file():
        words.append(f"--customize-hook=copy-in {ca_bundle} /etc/ssl/certs/")
    words += [suite, str(tarball)]
    # Without a mirror mmdebstrap writes Debian's own sources, security updates included.
    if mirror.uri != host.DEFAULT_MIRROR and mirror.uri.startswith(("http://", "https://")):
        words += [f"deb {mirror.uri} {name} main" for name in (suite, f"{suite}-updates")]
    return words


def import_changes(suite: str, index_settings: Mapping[str, str] | None = None) -> list[str]:
    """What a tar file cannot say: the environment of the image, and that it is ours."""
    settings = host_index_settings() if index_settings is None else index_settings
    environment = {"PATH": SEARCH_PATH, "PIP_CERT": str(CA_BUNDLE), **settings}
    quoted = [f'ENV {name}="{value}"' for name, value in environment.items()]
    return [*quoted, f"LABEL {STAND_IN_LABEL}=debian-{suite}", 'CMD ["python3"]']


def scratch_dir() -> Path:
    """Memory where there is room for the unpacked system (33 s instead of 65 s), else the usual folder."""
    usual = Path(tempfile.gettempdir())
    try:
        room, mount_flags = shutil.disk_usage(SHM).free, os.statvfs(SHM).f_flag
    except OSError:
        return usual
    # Docker's own /dev/shm, for one, is noexec: dpkg could not run a package's scripts there.
    usable = not mount_flags & (os.ST_NOEXEC | os.ST_NODEV) and os.access(SHM, os.W_OK)
    return SHM if usable and room >= ROOM_BYTES else usual
