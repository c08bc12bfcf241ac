"""The Dockerfile: both builders, hostile values, no build secret in the image, no conflict with the server's pins."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.containers.build_args import host_proxies
from generator.containers.command import CommandFailed
from generator.containers.docker import BUILD_SECONDS, Docker, flags
from generator.output.drift import Bundle
from generator.output.write import write_bundles
from generator.pipeline import read_plans
from generator.plan.plan import Plan
from generator.render.render import render, runtime_files
from generator.version import __version__
from tests.containers import kit
from tests.containers.support.base_image import TAG as BASE
from tests.containers.support.docker import build_text, run_once
from tests.containers.support.git_server import git_server
from tests.containers.support.images import host_build_args
from tests.containers.support.pip_settings import host_index_settings
from tests.containers.support.private_index import private_index
from tests.containers.test_readme import commands
from tests.fast_support import HOSTILE_STRINGS

#: What a Dockerfile can hold: it has no way to write a newline or NUL, and the profile refuses both.
DOCKERFILE_STRINGS = [text for text in HOSTILE_STRINGS if not set(text) & set("\r\n\0")]


def context(folder: Path, changes: dict[str, Any], app: dict[str, str] | None = None) -> Plan:
    """A build context with the sample app, changed, and the output of a profile like small.yaml, changed."""
    shutil.copytree(
        kit.ROOT / "docker/app", folder / "docker/app", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    for name, text in (app or {}).items():
        (folder / "docker/app" / name).write_text(text)
    profile = yaml.safe_load((kit.ROOT / "profiles/small.yaml").read_text())
    for path, value in changes.items():
        section, _, name = path.rpartition(".")
        (profile.setdefault(section, {}) if section else profile)[name] = value
    file = folder / "profile.yaml"
    file.write_text(yaml.safe_dump(profile, allow_unicode=False))
    plan = read_plans((str(file),), (), folder)[0]
    bundles = [Bundle("docker/runtime", runtime_files()), Bundle(plan.folder, render(plan))]
    write_bundles(folder, bundles)
    return plan


def tag_of(name: str, buildkit: bool = False) -> str:
    """A test's own image: two of them may be built at once."""
    return f"kit-test-{kit.CHECKOUT}-{name}:{'buildkit' if buildkit else 'classic'}"


def configuration(docker: Docker, tag: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker.call("image", "inspect", tag).stdout)[0]
    return found


@pytest.mark.parametrize("buildkit", [False, True], ids=["classic", "buildkit"])
def test_hostile_values_arrive_as_data(docker: Docker, tmp_path: Path, buildkit: bool) -> None:
    values = {f"SAMPLE_{number}": text for number, text in enumerate(DOCKERFILE_STRINGS)}
    plan = context(tmp_path, {"env": values})
    tag = kit.build(
        docker,
        plan,
        tag_of("hostile", buildkit),
        tmp_path,
        buildkit=buildkit,
        build_args={"VERSION": "1.2.3", "REVISION": "8d1f"},
    )
    config = configuration(docker, tag)["Config"]
    found = dict(entry.split("=", 1) for entry in config["Env"] if entry.startswith("SAMPLE_"))
    assert found == values
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["revision"]) == ("small", "1.2.3", "8d1f")
    assert labels["dev.container-kit.version"] == __version__
    assert config["Cmd"] is None and config["User"] == "10001:10001"
    with kit.booted(docker, tag, plan) as container:
        assert container.get("/info").json["environment"] == values


def index_settings(marker: str) -> dict[str, str]:
    """Build arguments with a password: nobody listens there; pip looks, finds nothing and goes on with the others."""
    return {
        "PIP_EXTRA_INDEX_URL": f"http://user:{marker}@127.0.0.1:9/simple",
        "PIP_TRUSTED_HOST": f"{marker}.invalid",
        "PIP_RETRIES": "0",
    }


def test_build_arguments_stay_out_of_the_image(docker: Docker, tmp_path: Path) -> None:
    """Index settings with a password reach pip and nothing else; the classic builder has no other way.

    By the two commands of docs/operating.md in one, with a base image and an index that there are.
    """
    marker, tag = "kit-marker-8d1f", tag_of("secret")
    context(tmp_path, {"name": "web"})
    # A base of this run's own, so that pip runs. With no_cache on the common one the classic builder would build all
    # images anew after it: of equal steps it follows the newest, and nothing is cached after that one (measured: 8 of
    # 33 steps of another profile's image).
    base = f"{tag}-base"
    build_text(docker, f"FROM {BASE}\nLABEL kit-test.run={docker.run_id}\n", base)
    index = host_index_settings().get("PIP_INDEX_URL", "https://pypi.org/simple")
    other = {"registry.example/python:3.13-slim-trixie": base, "https://pypi.example/simple": index}
    page = (kit.ROOT / "docs/operating.md").read_text()
    found = re.findall(r"^docker build -f docker/web/Dockerfile --build-arg (\w+)=(\S+) -t web:dev \.$", page, re.M)
    documented = {name: other.pop(value) for name, value in found}
    assert other == {}
    arguments = flags({"build_arg": {**host_proxies(), **index_settings(marker), **documented}})
    words = ["build", "-f", "docker/web/Dockerfile", *arguments, "-t", tag, "."]
    docker.call(*words, env={"DOCKER_BUILDKIT": "0"}, timeout=BUILD_SECONDS, cwd=tmp_path)
    assert configuration(docker, tag)["Config"]["Labels"]["kit-test.run"] == docker.run_id, "built on that base"
    assert_nowhere(docker, tag, [marker], tmp_path)


def test_build_secrets_and_arguments_stay_out_of_the_image_of_buildkit(docker: Docker, tmp_path: Path) -> None:
    """BuildKit mounts the netrc while pip runs: the private package is there, and no password in the image."""
    password, marker, netrc = "kit-marker-5c2e", "kit-marker-9a40", tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login user password {password}\n")
    requirements = (kit.ROOT / "docker/app/requirements.txt").read_text()
    changes = {"app.build_secrets": {"netrc": "/root/.netrc"}}
    plan = context(tmp_path, changes, {"requirements.txt": f"{requirements}kit-private==1.0\n"})
    tag, arguments = tag_of("secret", True), index_settings(marker)
    with private_index(tmp_path / "index", password) as port:  # another port each time, so that no step is cached
        address = f"{arguments.pop('PIP_EXTRA_INDEX_URL')} http://127.0.0.1:{port}/simple"
        ours = {
            "$HOME/.netrc": str(netrc),
            "https://pypi.example.com/simple": address,
            "docker/web/": f"{plan.folder}/",
            "web:dev": tag,
        }
        (command,) = commands("DOCKER_BUILDKIT=1 docker build")  # of docs/your-app.md
        words = [reduce(lambda word, one: word.replace(one, ours[one]), ours, word) for word in command[2:]]
        assert sum(one in " ".join(command) for one in ours) == len(ours)
        arguments |= {**host_build_args(), "BASE_IMAGE": plan.base_image}
        options = flags({"build_arg": arguments, "network": "host"})
        docker.call(words[0], *options, *words[1:], env={"DOCKER_BUILDKIT": "1"}, cwd=tmp_path, timeout=600)
    said = run_once(docker, tag, "python", "-c", "import kit_private; print(kit_private.FROM)").stdout
    assert said.strip() == "the private index"
    assert_nowhere(docker, tag, [password, marker], tmp_path)


def test_a_requirement_from_git_is_installed_at_its_tag_and_git_stays_out_of_the_image(
    docker: Docker, tmp_path: Path
) -> None:
    requirements = (kit.ROOT / "docker/app/requirements.txt").read_text()
    with git_server(tmp_path / "git") as port:  # another port each time, so that no step is cached
        line = f"kit-vcs @ git+http://git.example:{port}/kit_vcs.git@v1.0\n"
        plan = context(tmp_path, {}, {"requirements.txt": f"{requirements}{line}"})
        # A proxy of this machine's cannot reach it; what else goes past the proxy still does.
        args = host_build_args()
        proxies = {name: ",".join(filter(None, [args.get(name), "git.example"])) for name in ("NO_PROXY", "no_proxy")}
        reached = {"network": "host", "add_host": "git.example:127.0.0.1", "build_args": proxies}
        tag = kit.build(docker, plan, tag_of("git"), tmp_path, **reached)
    code = "import shutil, kit_vcs; print(kit_vcs.FROM, shutil.which('git'), sep=', ')"
    assert run_once(docker, tag, "python", "-c", code).stdout.strip() == "the tag, None"


def assert_nowhere(docker: Docker, tag: str, secrets: Sequence[str], scratch: Path) -> None:
    """Neither in the image's history and configuration nor in a layer; layers are not compressed in a saved image."""
    archive = scratch / "image.tar"
    docker.call("save", "--output", str(archive), tag, timeout=120)
    found = [docker.call("history", "--no-trunc", tag).stdout, json.dumps(configuration(docker, tag))]
    for secret in secrets:
        assert not any(secret in text for text in found)
        assert secret.encode() not in archive.read_bytes()


def test_a_conflict_with_the_servers_pins_fails_the_build(docker: Docker, tmp_path: Path) -> None:
    """What a requirement requires itself, the generator cannot see: the build ends with a sentence that names both."""
    inner = tmp_path / "docker/app/inner"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text('[project]\nname = "inner"\nversion = "1"\ndependencies = ["gunicorn<27"]\n')
    plan = context(tmp_path, {}, {"requirements.txt": "flask==3.1.3\n./inner\n"})
    with pytest.raises(CommandFailed) as raised:
        kit.build(docker, plan, tag_of("conflict"), tmp_path)
    # The classic builder colours what a command writes to stderr.
    lines = re.sub(r"\x1b\[[0-9;]*m", "", raised.value.completed.output).splitlines()
    (sentence,) = (line for line in lines if line.startswith("kit: "))
    assert "cannot be installed beside gunicorn 27.0.1, gevent 26.9.0, which the image brings" in sentence


def test_a_wrong_hash_fails_the_build(docker: Docker, tmp_path: Path) -> None:
    plan = context(tmp_path, {})
    lock = tmp_path / plan.folder / "server-requirements.txt"
    lock.write_text(lock.read_text().replace("sha256:", "sha256:0"))
    with pytest.raises(CommandFailed):
        kit.build(docker, plan, tag_of("hash"), tmp_path)


HOOKS = """
def post_fork(server, worker):
    print(f"pool opened in {worker.pid}", flush=True)

def when_ready(server):
    print("app is ready", flush=True)
"""
FACTORY = "\ndef create_app():\n    return app\n"


def test_factory_hooks_and_packages(docker: Docker, tmp_path: Path) -> None:
    """A factory instead of an object, hooks for a preloaded app's pools, a Debian package, a folder of its own."""
    sample = (kit.ROOT / "docker/app/flask_server.py").read_text()
    changes = {
        "app.module": "flask_server:create_app()",
        "app.hooks": "pools",
        "app.runtime_packages": ["media-types"],
        "workers": 2,
    }
    plan = context(tmp_path, changes, {"flask_server.py": sample + FACTORY, "pools.py": HOOKS})
    tag = kit.build(docker, plan, tag_of("hooks"), tmp_path)
    with kit.booted(docker, tag, plan) as container:
        container.wait_workers(2)
        out = container.container.logs().stdout
        assert out.count("pool opened in") == 2 and out.count("app is ready") == 1
        assert container.report()["profile"] == "small", "the kit's own hook ran too"
        assert container.container.exec("test", "-e", "/etc/mime.types", check=False).returncode == 0


def test_the_image_adds_little_to_its_base(docker: Docker, image: Any) -> None:
    base = configuration(docker, BASE)["Size"]
    for profile in kit.PROFILES:
        added = configuration(docker, image(profile))["Size"] - base
        assert added < 60 * 1024**2, f"{profile}: {added / 1024**2:.0f} MiB over the base"


PRIVATE = "-----BEGIN EC PRIVATE KEY-----\n"
PUBLIC = "-----BEGIN CERTIFICATE-----\n"
#: File of the app: its content, and whether it stays.
IN_THE_APP = {
    "kept.txt": (PRIVATE, True),
    "id_generator.py": ("x = 1\n", True),
    "certs/ca-bundle.pem": (PUBLIC, True),
    ".well-known/security.txt": ("x", True),
    "certs/both.pem": (PUBLIC + PRIVATE, False),
    "certs/Server.PEM": (PRIVATE, False),
    "certs/server.KEY": (PRIVATE, False),
    "certs/server.Key": (PRIVATE, False),
    "id_work": ("-----BEGIN OPENSSH PRIVATE KEY-----\n", False),
    ".env": ("TOKEN=1", False),
    "deep/down/.ENV": ("TOKEN=1", False),
    **{f"{name}/x": ("x", False) for name in (".ssh", ".aws", "sub/.git")},
    **{name: ("x", False) for name in (".envrc", "sub/.netrc", ".git-credentials", ".htpasswd", "id_rsa")},
    **{name: ("x", False) for name in (".pypirc", "a.p12", "a.PFX", ".flask.kit-new")},
}


@pytest.mark.parametrize("buildkit", [False, True], ids=["classic", "buildkit"])
def test_secrets_of_the_apps_folder_stay_out(docker: Docker, tmp_path: Path, buildkit: bool) -> None:
    for name in IN_THE_APP:
        (tmp_path / "docker/app" / name).parent.mkdir(parents=True, exist_ok=True)
    plan = context(tmp_path, {}, {name: text for name, (text, _) in IN_THE_APP.items()})
    tag = kit.build(docker, plan, tag_of("ignore", buildkit), tmp_path, buildkit=buildkit)
    with kit.booted(docker, tag, plan) as container:
        found = container.container.exec("find", "/app", "-type", "f", "-printf", "%P\\n").stdout.split()
        assert {name for name in IN_THE_APP if name in found} == {n for n, (_, stays) in IN_THE_APP.items() if stays}
        privileged = container.container.exec("find", "/", "-xdev", "-type", "f", "-perm", "/6000", check=False)
        assert privileged.stdout == ""
