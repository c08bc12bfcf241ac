"""What compose.yaml says, read back from the YAML that is written, for each choice that a profile has."""

from __future__ import annotations

from typing import Any

import yaml

from generator.plan.left_out import is_left_out
from generator.render.render import render
from tests.fast_support import plan_of
from tests.render.test_manifest import SECRETS


def compose(extra: str = "", *overrides: str) -> Any:
    plan = plan_of(extra, *overrides)
    return yaml.safe_load(render(plan)[f"{plan.folder}/compose.yaml"])


def app(extra: str = "", *overrides: str) -> Any:
    return compose(extra, *overrides)["services"]["app"]


def test_an_env_file_is_optional_until_secrets_are_named() -> None:
    assert app()["env_file"] == [{"path": "../../.env.web", "required": False}]
    assert app(SECRETS)["env_file"] == [{"path": "../../.env.web", "required": True}]
    only_files = "env_secrets: {A_FILE: {secret: s, key: k, file: true}}\n"
    assert app(only_files)["env_file"] == [{"path": "../../.env.web", "required": False}]


def test_no_env_file_moves_the_server_to_another_port() -> None:
    assert app("port: 9000\n")["environment"] == {"PORT": "9000"}


def test_two_groups_have_env_files_of_their_own() -> None:
    assert app("group: team\n")["env_file"] == [{"path": "../../../.env.web-team", "required": False}]


def test_a_secret_file_lies_where_the_pod_has_it() -> None:
    assert app(SECRETS)["environment"] == {
        "PORT": "8000",
        "DB_PASSWORD_FILE": "/run/secrets/app/pg/password",
        "KEY_FILE": "/run/secrets/app/tls.v1/.key",
    }
    assert app(SECRETS)["secrets"] == [
        {"source": "DB_PASSWORD_FILE", "target": "/run/secrets/app/pg/password"},
        {"source": "KEY_FILE", "target": "/run/secrets/app/tls.v1/.key"},
    ]
    assert compose(SECRETS)["secrets"] == {
        "DB_PASSWORD_FILE": {"file": "../../.env.web.d/pg/password"},
        "KEY_FILE": {"file": "../../.env.web.d/tls.v1/.key"},
    }
    assert "secrets" not in compose() and "secrets" not in app()


def test_no_image_takes_what_secrets_are_kept_in() -> None:
    environment = plan_of(SECRETS).environment
    assert is_left_out(environment.env_file_name) and is_left_out(environment.files_folder_name)
