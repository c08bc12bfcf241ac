"""What comes from Debian's archive: packages, the stand-in base image, docker's plugins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from generator.containers.client import Client
from generator.containers.command import CommandFailed, EngineError
from generator.containers.docker import Docker
from tests.containers.support import base_image, host, plugins
from tests.containers.support.pip_settings import host_index_settings
from tests.engine.machine import FakeMachine


@pytest.fixture(autouse=True)
def bookworm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    monkeypatch.setattr(host, "is_root", lambda: True)
    monkeypatch.setattr(host, "find_program", lambda name: f"/usr/bin/{name}")


MIRRORS = [
    ("http://deb.debian.org/debian/|bookworm|main|/x:1", "http://deb.debian.org/debian"),
    (
        "https://other.test/apt|bookworm|main|/x:1\nhttp://mirror.test/debian|bookworm|main|/x:2",
        "http://mirror.test/debian",
    ),
    ("http://mirror.test/debian|bookworm-updates|main|/x:1", host.DEFAULT_MIRROR),
    ("http://mirror.test/debian|bookworm|contrib|/x:1", host.DEFAULT_MIRROR),
    ("", host.DEFAULT_MIRROR),
]


@pytest.mark.parametrize(("listing", "uri"), MIRRORS)
def test_the_machines_own_mirror_is_reused(listing: str, uri: str) -> None:
    assert host.debian_mirror(FakeMachine({"indextargets": listing})).uri == uri


@pytest.mark.parametrize("line", ["Signed-By: {}", "deb [arch=amd64 signed-by={}] http://m.test/debian x main"])
def test_the_keyring_of_that_source_is_reused(tmp_path: Path, line: str) -> None:
    keyring, source = tmp_path / "own.gpg", tmp_path / "own.sources"
    keyring.touch()
    source.write_text(f"Types: deb\n{line.format(keyring)}\n")
    listing = f"http://m.test/debian|bookworm|main|{source}:1"
    assert host.debian_mirror(FakeMachine({"indextargets": listing})).keyring == str(keyring)


def test_install_requests_only_packages_that_exist() -> None:
    machine = FakeMachine({"show docker-cli": 100, "update": 100})
    host.install(["docker.io", "docker-cli"], machine)
    assert machine.lines()[-1].startswith("apt-get install -q -y --no-install-recommends")
    assert machine.commands[-1][-1] == "docker.io" and "docker-cli" not in machine.commands[-1]


def test_a_failed_install_shows_the_failed_update_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandFailed, match="apt-get install"):
        host.install(["mmdebstrap"], FakeMachine({"apt-get": 100}))
    assert "apt-get update had failed too" in capsys.readouterr().err


def test_a_package_is_fetched_without_the_machines_sources(tmp_path: Path) -> None:
    sources: list[str] = []

    def download(argv: Sequence[str]) -> str:
        option = next(word for word in argv if word.startswith("Dir::Etc::sourcelist="))
        sources.append(Path(option.partition("=")[2]).read_text())
        (tmp_path / "docker-compose_2.26_amd64.deb").touch()
        return ""

    machine = FakeMachine({"download": download})
    deb = host.download_deb("docker-compose", "trixie", tmp_path, machine)
    assert deb.name == "docker-compose_2.26_amd64.deb"
    assert sources[0].rstrip().endswith("http://deb.debian.org/debian trixie main")
    assert all("Dir::Etc::sourceparts=/dev/null" in argv for argv in machine.commands if "-o" in argv)


def test_a_plugin_that_is_there_is_used_as_it_is() -> None:
    found = Client("docker", run=FakeMachine())
    assert plugins.ensure_compose(found) is found


def test_a_missing_plugin_is_unpacked_beside_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, config = tmp_path / "theirs", tmp_path / "config"
    theirs.mkdir()
    (theirs / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(theirs))
    monkeypatch.setattr(host, "is_debian", lambda: True)
    monkeypatch.setattr(host, "download_deb", lambda package, suite, folder, run: folder / f"{package}.deb")

    def unpack(argv: Sequence[str]) -> str:
        target = Path(argv[-1]) / plugins.PLUGIN_DIR
        target.mkdir(parents=True)
        (target / "docker-compose").write_text("plugin")
        return ""

    machine = FakeMachine({"dpkg-deb": unpack, "compose version": 0})
    monkeypatch.setattr(plugins, "has_plugin", lambda client, name: False)
    equipped = plugins.ensure_plugin(Client("docker", run=machine), "compose", config)
    assert equipped.environment == {"DOCKER_CONFIG": str(config)}
    binary = config / "cli-plugins/docker-compose"
    assert binary.read_text() == "plugin" and binary.stat().st_mode & 0o111
    assert (config / "config.json").resolve() == theirs / "config.json"


def test_no_plugin_off_debian_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "is_debian", lambda: False)
    with pytest.raises(EngineError, match="no compose plugin: install your"):
        plugins.ensure_plugin(Client("docker", run=FakeMachine({"compose": 1})), "compose", tmp_path)


def test_a_local_base_image_is_kept() -> None:
    machine = FakeMachine({"inspect": "sha256:1\n"})
    assert base_image.ensure_base_image(Docker(Client("docker", run=machine), "kit-test")).id == "sha256:1"
    assert len(machine.commands) == 1


def test_an_image_that_nobody_can_stand_in_for_is_an_error() -> None:
    machine = FakeMachine({"inspect": 1, "pull": 1})
    with pytest.raises(EngineError, match=r"python:3\.12-slim cannot be pulled \(said no\); stand-ins exist for"):
        base_image.ensure_base_image(Docker(Client("docker", run=machine), "kit-test"), "python:3.12-slim")


def test_an_image_that_cannot_be_pulled_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setattr(base_image, "build_stand_in", lambda docker, tag, suite: built.append(f"{tag} {suite}"))
    base_image.ensure_base_image(Docker(Client("docker", run=FakeMachine({"inspect": 1, "pull": 1})), "kit-test"))
    assert built == ["python:3.13-slim-trixie trixie"]


def test_the_stand_in_holds_the_ca_bundle_and_uses_the_mirror(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    plain = base_image.bootstrap_command("trixie", Path("b.tar"), host.Mirror(), bundle)
    assert plain[-2:] == ["trixie", "b.tar"] and not any("copy-in" in word for word in plain)
    bundle.touch()
    mirrored = base_image.bootstrap_command("trixie", Path("b.tar"), host.Mirror("http://m.test/debian"), bundle)
    assert f"--customize-hook=copy-in {bundle} /etc/ssl/certs/" in mirrored
    assert "deb http://m.test/debian trixie main" in mirrored


def test_the_import_says_what_a_tar_file_cannot() -> None:
    changes = base_image.import_changes("trixie", {"PIP_INDEX_URL": "https://i.test/simple"})
    assert f'ENV PATH="{base_image.SEARCH_PATH}"' in changes
    assert 'ENV PIP_CERT="/etc/ssl/certs/ca-certificates.crt"' in changes
    assert 'ENV PIP_INDEX_URL="https://i.test/simple"' in changes
    assert "LABEL kit-test.stand-in=debian-trixie" in changes


def test_mmdebstrap_is_installed_by_root_and_named_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "find_program", lambda name: None)
    monkeypatch.setattr(host, "is_debian", lambda: True)
    machine = FakeMachine({"image inspect": "sha256:1\n"})
    base_image.build_stand_in(Docker(Client("docker", run=machine), "kit-test"), "t:1", "trixie", machine)
    assert any(argv[:2] == ["apt-get", "install"] and argv[-1] == "mmdebstrap" for argv in machine.commands)
    monkeypatch.setattr(host, "is_root", lambda: False)
    with pytest.raises(EngineError, match=r"neither local nor pullable.*apt-get install mmdebstrap"):
        base_image.build_stand_in(Docker(Client("docker", run=machine), "kit-test"), "t:1", "trixie", machine)


def test_index_settings_come_from_files_and_the_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text("[global]\nindex-url = https://a.test/simple\ntrusted-host =\n  a.test\n  b.test\n")
    environ = {"PIP_INDEX_URL": "https://b.test/simple", "PIP_EXTRA_INDEX_URL": "https://me:pw@c.test/simple"}
    found = host_index_settings(environ, [tmp_path / "none", conf])
    assert found == {"PIP_INDEX_URL": "https://b.test/simple", "PIP_TRUSTED_HOST": "a.test b.test"}
    printed = capsys.readouterr().err
    assert "PIP_EXTRA_INDEX_URL holds a user name" in printed and "pw" not in printed
