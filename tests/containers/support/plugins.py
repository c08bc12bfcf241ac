"""Docker's compose and buildx plugins, from Debian's newer packages where the machine has none."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

from generator.containers.client import Client
from generator.containers.command import CommandFailed, EngineError, Runner, run, say
from tests.containers.support import host

# Bookworm has neither plugin; trixie's run on bookworm too, against its older dockerd.
SUITE = "trixie"
PACKAGES = {"compose": "docker-compose", "buildx": "docker-buildx"}
CONFIG_DIR = host.BUILD_DIR / "docker-config"
PLUGIN_DIR = Path("usr/libexec/docker/cli-plugins")


def has_plugin(client: Client, name: str) -> bool:
    """Whether `docker NAME version` responds."""
    return client.call(name, "version", check=False).returncode == 0


def ensure_plugin(client: Client, name: str, config_dir: Path = CONFIG_DIR) -> Client:
    """The client itself if it has the plugin, else one whose DOCKER_CONFIG holds it."""
    if has_plugin(client, name):
        return client
    binary = config_dir / "cli-plugins" / f"docker-{name}"
    with host.one_at_a_time(config_dir / "lock"):
        if not binary.exists():
            if not host.is_debian():
                raise EngineError(
                    f"docker has no {name} plugin: install your system's package of it ({PACKAGES[name]})"
                )
            say(f"fetching Debian's {PACKAGES[name]} ({SUITE}) for the docker {name} plugin into {config_dir}")
            fetch_plugin(name, binary, client.run)
        adopt_user_config(config_dir)
    equipped = dataclasses.replace(client, environment={**client.environment, "DOCKER_CONFIG": str(config_dir)})
    result = equipped.call(name, "version", check=False)
    if result.returncode != 0:
        raise CommandFailed(result, f"the fetched {name} plugin does not run (remove {binary} to fetch it again)")
    return equipped


def ensure_compose(client: Client) -> Client:
    """A client that can `docker compose`."""
    return ensure_plugin(client, "compose")


def fetch_plugin(name: str, binary: Path, run: Runner = run) -> None:
    """Unpack the plugin out of its package and put it into place whole."""
    package = PACKAGES[name]
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kit-plugin-") as folder:
        deb = host.download_deb(package, SUITE, Path(folder), run)
        run(["dpkg-deb", "-x", str(deb), f"{folder}/root"], timeout=120)
        source = Path(folder, "root") / PLUGIN_DIR / f"docker-{name}"
        if not source.exists():
            raise EngineError(f"{deb.name} holds no {PLUGIN_DIR}/docker-{name}")
        # Renamed into place: two sessions may fetch at once, and a killed one must not leave half a file.
        partial = binary.with_name(f".{binary.name}.{os.getpid()}")
        shutil.copy(source, partial)
        partial.chmod(0o755)
        partial.replace(binary)


def adopt_user_config(config_dir: Path) -> None:
    """Let DOCKER_CONFIG keep the user's log-ins, contexts and builders, linked and not copied."""
    theirs = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if theirs.resolve() == config_dir.resolve():
        return
    for name in ("config.json", "contexts", "buildx"):
        link = config_dir / name
        if (theirs / name).exists() and not link.exists() and not link.is_symlink():
            link.symlink_to(theirs / name)
