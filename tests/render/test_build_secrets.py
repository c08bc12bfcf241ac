"""app.build_secrets: mounted by each step that installs, and by no other; never a build argument."""

from __future__ import annotations

import re

import pytest
import yaml

from generator.errors import ProfileError
from generator.pipeline import plan_profile
from generator.render.render import render
from generator.verify.files import verify
from tests.fast_support import MINIMAL, plan_of

NETRC = "app: {module: 'shop:app', path: docker/app, build_secrets: {netrc: /root/.netrc, pip_conf: /etc/pip.conf}"
MOUNTS = (
    "--mount=type=secret,id=netrc,target=/root/.netrc,required=true "
    "--mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=true "
)
LINES = [line for line in MINIMAL.splitlines() if not line.startswith(("app:", "server:"))]


def rendered(more: str, server: str = "gevent") -> dict[str, str]:
    text = "\n".join([*LINES, f"server: {server}", f"{NETRC}, {more}}}"])
    plan = plan_profile(text, "p.yaml")
    files = render(plan)
    verify(files, plan.kubernetes.minors)
    return files


def steps(dockerfile: str) -> list[str]:
    """Each RUN as one line."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE))
    return [line.removeprefix("RUN ") for line in joined.splitlines() if line.startswith("RUN ")]


@pytest.mark.parametrize("server", ["gevent", "pywsgi", "meinheld"])
def test_each_step_that_installs_mounts_them_and_no_other(server: str) -> None:
    files = rendered('requirements: docker/app/requirements.txt, build_commands: ["make css"]', server)
    dockerfile = files["docker/web/Dockerfile"]
    for step in steps(dockerfile):
        fetches = re.search(r" -m pip .* (install|download) |make css", step.replace("--no-index", ""))
        assert step.startswith(MOUNTS) == bool(fetches), step
    assert [line for line in dockerfile.splitlines() if "src=FILE" in line] == [
        "#   --secret id=netrc,src=FILE",
        "#   --secret id=pip_conf,src=FILE",
    ]


def test_compose_gives_them_to_the_build_alone() -> None:
    compose = yaml.safe_load(rendered("requirements: docker/app/requirements.txt")["docker/web/compose.yaml"])
    assert compose["services"]["app"]["build"]["secrets"] == ["netrc", "pip_conf"]
    assert "secrets" not in compose["services"]["app"]
    assert compose["secrets"] == {
        "netrc": {"file": "${BUILD_SECRET_NETRC:-/dev/null}"},
        "pip_conf": {"file": "${BUILD_SECRET_PIP_CONF:-/dev/null}"},
    }


def test_without_them_nothing_needs_buildkit() -> None:
    files = render(plan_of())
    assert "--mount" not in files["docker/web/Dockerfile"] and "secrets" not in files["docker/web/compose.yaml"]


@pytest.mark.parametrize(
    "pair", ["{NETRC: /x}", "{pip-conf: /x}", "{netrc: x}", "{netrc: '/x,id=y'}", "{netrc: /../x}"]
)
def test_an_id_or_path_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(ProfileError, match=r"app\.build_secrets"):
        plan_of("", f"app.build_secrets={pair}")
