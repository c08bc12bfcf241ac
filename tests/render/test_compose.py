"""What compose.yaml says, read back from the YAML that is written, for each choice that a profile has."""

from __future__ import annotations

from typing import Any

import yaml

from generator.plan.left_out import is_left_out
from generator.render.render import render
from tests.fast_support import instructions, plan_of
from tests.render.test_manifest import SECRETS, container, objects, pod


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


VOLUMES = """\
volumes:
  - {name: data, mount_path: /data, claim: c}
  - {name: instance, mount_path: /app/instance, secret: s}
  - {name: cache, mount_path: /cache, size: 2Gi}
  - {name: model, mount_path: /model, claim: m, access_mode: ReadOnlyMany}
kubernetes: {replicas: 1}
"""


def test_volumes_are_those_of_the_pod() -> None:
    assert app(VOLUMES)["volumes"] == [
        {"type": "volume", "source": "data", "target": "/data"},
        {
            "type": "bind",
            "source": "../../.env.web.d/s",
            "bind": {"create_host_path": False},
            "target": "/app/instance",
            "read_only": True,
        },
        {"type": "volume", "target": "/cache"},
        {"type": "volume", "source": "model", "target": "/model", "read_only": True},
    ]
    assert compose(VOLUMES)["volumes"] == {"data": {}, "model": {}}
    assert "volumes" not in compose() and "volumes" not in app()
    mounts = [(one["mountPath"], one.get("readOnly", False)) for one in container(VOLUMES)["volumeMounts"][3:]]
    assert mounts == [("/data", False), ("/app/instance", True), ("/cache", False), ("/model", True)]
    assert pod(VOLUMES)["securityContext"]["fsGroup"] == 10001


def test_a_new_volume_of_dockers_belongs_to_the_apps_user() -> None:
    lines = instructions(render(plan_of(VOLUMES))["docker/web/Dockerfile"])
    assert ("RUN", "install -d -o 10001 -g 10001 -m 0770 /data /cache /model") in lines
    assert not any("install -d" in rest for _, rest in instructions(render(plan_of())["docker/web/Dockerfile"]))


def test_a_claim_for_one_pod_is_never_in_two() -> None:
    assert objects(VOLUMES)["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    many = "volumes: [{name: data, mount_path: /data, claim: c, access_mode: ReadWriteMany}]\n"
    assert objects(many)["Deployment"]["spec"]["strategy"]["type"] == "RollingUpdate"


def test_no_image_takes_what_secrets_are_kept_in() -> None:
    environment = plan_of(SECRETS).environment
    assert is_left_out(environment.env_file_name) and is_left_out(environment.files_folder_name)
