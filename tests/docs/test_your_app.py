"""What docs/your-app.md shows beside profiles: each command and each line of code stands in what runs it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from generator.pipeline import plan_profile
from generator.render.render import render
from generator.verify.files import verify
from tests.fast_support import MINIMAL, ROOT, plan_of

PAGE = (ROOT / "docs/your-app.md").read_text(encoding="utf-8")
#: Without what is generated from files that tests run (tests/docs/test_pages.py has that it is up to date).
WRITTEN = re.sub(r"<!-- generated: \w+ -->.*?<!-- end -->", "", PAGE, flags=re.DOTALL)
#: Each block that is no profile (those are tests/docs/test_snippets.py's): the file that runs it, and its words there.
BLOCKS = {
    "DOCKER_BUILDKIT=1 docker build": ("tests/containers/test_build.py", 'commands("DOCKER_BUILDKIT=1 docker build")'),
    "docker compose -f": ("tests/containers/test_real_projects.py", 'commands("docker compose -f docker/visits")'),
    "return Response(": ("tests/containers/support/chat_app.py", "{code}"),
}
#: Code within a line: the file that runs it, and how it stands there.
CODE = {
    "docker run --env-file .env.<name> …": ("tests/proof/test_env_file.py", "--env-file"),
    "docker compose down": ("tests/containers/support/compose.py", '"down"'),
    "kubectl apply -f k8s/": ("tests/cluster/test_apply.py", '"apply", "-f"'),
    "kubectl rollout restart deployment/<name>": ("tests/cluster/scenarios.py", '"rollout", "restart"'),
    "ProxyFix(app.wsgi_app, x_for=1, x_proto=0)": ("tests/containers/support/chained_app.py", "{code}"),
    'SocketIO(app, async_mode="threading")': ("tests/servers/test_websockets.py", '"SOCKETIO_MODE", SERVERS[server]'),
    'io({transports: ["websocket"]})': ("tests/servers/test_websockets.py", '["websocket"]], ids='),
    'app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}': ("tests/servers/test_websockets.py", "{code}"),
    "ConnectionPool(..., open=False)": ("tests/apps/real/psycopg/visits.py", "open=False)"),
}  # fmt: skip
#: And what nothing runs, with the reason.
NOT_RUN = {
    "kubectl describe pod": "it only shows; what it shows, tests/cluster/test_secrets.py asks the API server for",
    "docker run IMAGE": "a link to docs/container.md, whose commands tests/containers/test_boot.py runs",
    "docker run -v web-data:/data …": "Docker's own; tests/containers/test_commands.py has volumes",
    "docker compose run --rm before-start && docker compose up --wait": "tests/containers/test_commands.py runs `up`",
    "BUILD_SECRET_NETRC=$HOME/.netrc docker compose … build": "tests/render/test_build_secrets.py reads what it would",
    'SocketIO(app, message_queue="redis://…")': "no test has Redis and several workers with WebSockets",
}  # fmt: skip


def written_blocks() -> list[str]:
    """The text of each block that no part of the kit generates and that is no profile."""
    found = re.findall(r"^```([^\n]*)\n(.*?)^```", WRITTEN, re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind != "yaml profile"]


def test_every_block_is_a_profile_or_is_run() -> None:
    found = {start: text for text in written_blocks() for start in BLOCKS if text.startswith(start)}
    assert len(found) == len(written_blocks()) == len(BLOCKS)
    for start, (file, there) in BLOCKS.items():
        assert there.replace("{code}", found[start].strip()) in (ROOT / file).read_text(encoding="utf-8"), file


def test_every_command_and_line_of_code_is_run_or_says_why_not() -> None:
    lines = re.sub(r"^```.*?^```", "", WRITTEN, flags=re.MULTILINE | re.DOTALL)
    found = {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", lines)}
    shown = {code for code in found if re.match(r"(\w+=\S+ )?(docker|kubectl) |.*\w\(.*\)$|app\.config", code)}
    assert shown - {"url_for(_external=True)", "create_app('production')"} - NOT_RUN.keys() == CODE.keys()
    for code, (file, there) in CODE.items():
        assert there.replace("{code}", code) in (ROOT / file).read_text(encoding="utf-8"), f"{file} does not run {code}"


def test_the_build_command_fits_the_profile_above_it() -> None:
    block = re.search(
        r"## User and password of a private index\n+```yaml profile\n(.*?)```\n+```sh\n(.*?)```", PAGE, re.DOTALL
    )
    assert block is not None
    plan = plan_profile(MINIMAL.replace('app: {module: "flask_server:app", path: docker/app}\n', "") + block[1], "x")
    dockerfile = render(plan)["docker/web/Dockerfile"]
    for name in re.findall(r"--build-arg (\w+)=", block[2]):
        assert f"\nARG {name}\n" in dockerfile
    assert re.findall(r"--secret id=(\w+)", block[2]) == list(plan.install.secrets)
    assert f"-f docker/web/Dockerfile -t {plan.image} ." in block[2]


#: What a row of the table of patches may add, by the last name of its path.
ADDED: dict[str, Any] = {
    "initContainers": [{"name": "first", "image": "registry.example/first:1"}],
    "containers": {"name": "beside", "image": "registry.example/beside:1"},
    "volumes": {"name": "more", "emptyDir": {"sizeLimit": "1Mi"}},
    "volumeMounts": {"name": "tmp", "mountPath": "/more"},
    "labels": "yes",
}
CONTAINER = "/Deployment/spec/template/spec/containers/0"
SAFE = {
    "resources": {each: {"cpu": "10m", "memory": "16Mi"} for each in ("requests", "limits")},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}


def rows() -> list[tuple[str, str]]:
    """(operation, path) of each row of the table; one that names two paths is two."""
    found = []
    for op, paths in re.findall(r"^\| [^|]+ \| (add|replace|remove) \| (`/.*) \|$", PAGE, re.MULTILINE):
        first, *more = re.findall(r"`(/[^`]+)`", paths)
        found.append((op, first))
        found += [(op, first.rpartition("/")[0] + one) for one in more if one != "/"]
    return found


@pytest.mark.parametrize(("op", "path"), rows())
def test_every_row_of_the_table_of_patches_can_be_written(op: str, path: str) -> None:
    path = path.replace("<key>", "example.com~1team")
    kind = next(name for name in reversed(path.split("/")) if name in ADDED or name == "initContainers")
    value = ADDED[kind]
    if kind in ("initContainers", "containers"):
        one = {**(value[0] if isinstance(value, list) else value), **SAFE}
        value = one if path.endswith(("/-", "/0")) else [one]
    patches = [{"op": op, "path": path, "value": value, "why": "as the page says"}]
    if kind == "volumes":  # one that nothing mounts is refused
        mount = {"name": "more", "mountPath": "/more"}
        patches += [{"op": op, "path": f"{CONTAINER}/volumeMounts/-", "value": mount, "why": "with its mount"}]
    section = {"patches": patches, "proxy": bool(kind == "initContainers" and path.endswith(("/-", "/0")))}
    plan = plan_of(f"kubernetes: {yaml.safe_dump(section, default_flow_style=True, width=1000)}")
    files = render(plan)
    verify(files, plan.kubernetes.minors)
    assert "as the page says" in files[plan.manifest]


def test_the_table_of_patches_has_rows() -> None:
    assert len(rows()) == 7
