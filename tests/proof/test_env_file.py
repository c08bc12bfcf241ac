"""prove --env-file: read as Compose reads it; its values reach the container, and no message, report or argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.containers.client import Client
from generator.containers.command import Completed
from generator.containers.docker import Docker
from generator.errors import KitError
from generator.proof.before_start import judge_before_start, reaches, run_before_start
from generator.proof.claim import FAILED, Claim
from generator.proof.env_file import HIDDEN, Given, hidden, hide, hide_in, mount_words, read_env_file, read_given
from generator.proof.stage import Stage, server_options
from tests.fast_support import MINIMAL, plan_of

SECRET = "s3cr3t-of-the-database"
NEEDS = "env_secrets: {DATABASE_URL: {secret: pg, key: uri}}"
READ = {
    "A=1\n\n# a comment\nB=two words # a remark\n": {"A": "1", "B": "two words"},
    "export A=x\nB=\n": {"A": "x", "B": ""},
    "A='p$ss # w\\rd'\nB=\"it's\"\n": {"A": "p$ss # w\\rd", "B": "it's"},
    "URL=postgresql://u:p@h/d?a=b#c\n": {"URL": "postgresql://u:p@h/d?a=b#c"},
}
REFUSED = [
    f"{SECRET}\n",
    f"A=$x{SECRET}\n",
    f"A='{SECRET}\n",
    f'A="{SECRET}\\n"\n',
    f"A B={SECRET}\n",
    f"A={SECRET}\x07\n",
]


@pytest.mark.parametrize("text", READ)
def test_it_is_read_as_compose_reads_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "env").write_text(text)
    assert read_env_file(str(tmp_path / "env")) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_it_cannot_be_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "env").write_text(f"FIRST=1\n{text}")
    with pytest.raises(KitError) as refused:
        read_env_file(str(tmp_path / "env"))
    assert f"{tmp_path}/env:2: " in str(refused.value) and SECRET not in str(refused.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="none: No such file"):
        read_env_file(str(tmp_path / "none"))


def test_secrets_of_the_profile_must_be_given(tmp_path: Path) -> None:
    file = tmp_path / ".env.web"
    file.write_text("DATABASE_URL=x\n")
    assert read_given(str(file), plan_of(NEEDS)).variables == {"DATABASE_URL": "x"}
    file.write_text("OTHER=x\n")
    for given in (str(file), None):
        with pytest.raises(KitError, match="needs DATABASE_URL; give them with --env-file"):
            read_given(given, plan_of(NEEDS))


FILES = """\
env_secrets: {DB_PASSWORD_FILE: {secret: pg, key: password, file: true}}
volumes: [{name: keys, mount_path: /keys, secret: keys}, {name: texts, mount_path: /texts, config_map: texts}]
"""


def test_secret_files_and_folders_are_mounted_from_where_compose_has_them(tmp_path: Path) -> None:
    file, folder = tmp_path / ".env.web", tmp_path / ".env.web.d"
    file.write_text("")
    plan = plan_of(FILES)
    with pytest.raises(KitError, match=r"DB_PASSWORD_FILE: the file pg/password is missing; --env-file FILE takes it"):
        read_given(None, plan)
    for name, text in {
        "pg/password": f"{SECRET}\n",
        "keys/a.pem": f"one {SECRET}\nsecond line",
        "texts/t": "greeting",
    }.items():
        with pytest.raises(KitError, match=f"{name.partition('/')[0]}.* is missing"):
            read_given(str(file), plan)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    given = read_given(str(file), plan)
    place = "/run/secrets/app/pg/password"
    assert given.variables == {"DB_PASSWORD_FILE": place}
    assert given.mounts == {folder / "pg/password": place, folder / "keys": "/keys", folder / "texts": "/texts"}
    assert given.secrets >= {SECRET, f"one {SECRET}", "second line"}
    assert not given.secrets & {"greeting", place}, "neither a path nor a ConfigMap is a secret"


def test_a_folder_with_a_comma_is_one_path_to_docker() -> None:
    words = mount_words({Path("/a,b/c"): "/keys", Path('/q"q'): "/q"})
    assert words == ['type=bind,"source=/a,b/c",target=/keys,readonly', 'type=bind,"source=/q""q",target=/q,readonly']


def test_the_values_are_hidden_in_every_text() -> None:
    given = {"KEY": SECRET, "QUOTED": 'with "quotes" in it', "SHORT": "1"}
    texts = {"log": [f"no {SECRET} here", {"line": r"{\"k\": \"with \\\"quotes\\\" in it\"}", "n": 1}]}
    claim = hide_in(Claim("boots", "1 boot", f"died: {SECRET}", FAILED, f"see {SECRET}", texts), given.values())
    assert SECRET not in repr(claim)
    assert (claim.measured, claim.promised, claim.data["log"][1]["n"]) == (f"died: {HIDDEN}", "1 boot", 1)
    assert hide(r"say with \"quotes\" in it", given.values()) == f"say {HIDDEN}"
    with pytest.raises(KitError) as shown, hidden(given.values()):
        raise KitError(f"the engine says {SECRET}")
    assert str(shown.value) == f"the engine says {HIDDEN}"


def test_docker_gets_a_file_of_the_owners_and_no_value_as_an_argument() -> None:
    seen: list[tuple[str, str, int]] = []

    def run(argv: Sequence[str], **_: Any) -> Completed:
        for word in argv:
            if word.startswith("--env-file="):
                path = Path(word.partition("=")[2])
                seen.append((" ".join(argv), path.read_text(), path.stat().st_mode & 0o777))
        return Completed(tuple(argv), 0, "c1\n", "")

    given = Given({"DATABASE_URL": SECRET}, {Path("/here"): "/there"})
    stage = Stage(Docker(Client("docker", run=run), "label"), plan_of(NEEDS), "image", "load", given)
    stage.beside = stage.docker.run_detached("load")
    stage.start_server()
    ((words, text, mode),) = seen
    assert (text, mode) == (f"DATABASE_URL={SECRET}\n", 0o600)
    assert SECRET not in words
    assert "--mount=type=bind,source=/here,target=/there,readonly" in words
    assert not Path(words.partition("--env-file=")[2].partition(" ")[0]).exists()


def test_servers_take_over_the_volume_of_a_claim_that_before_start_has_written_to() -> None:
    seen: list[list[str]] = []

    def run(argv: Sequence[str], **_: Any) -> Completed:
        seen.append(list(argv))
        return Completed(tuple(argv), 0, "3\n", "")

    volumes = "[{name: data, mount_path: /data, claim: c}, {name: scratch, mount_path: /scratch, size: 1Gi}]"
    plan = plan_of(f"volumes: {volumes}\nkubernetes: {{replicas: 1}}", "app.before_start=[flask, db, upgrade]")
    stage = Stage(Docker(Client("docker", run=run), "label"), plan, "image", "load")
    stage.beside = stage.docker.run_detached("load")
    ran = run_before_start(stage, "image")
    (command,) = [words for words in seen if words[-4:] == ["image", "flask", "db", "upgrade"]]
    assert {"--mount=type=volume,target=/data", "--mount=type=volume,target=/scratch"} <= set(command)
    assert not [word for word in command if "volumes-from" in word]
    stage.start_server()
    (server,) = [words for words in seen if words[-1] == "image"]
    assert "--volumes-from=3" in server and "--mount=type=volume,target=/scratch" in server
    assert "--mount=type=volume,target=/data" not in server
    failed = judge_before_start(ran)
    assert (ran.exit_code, failed.verdict) == (3, FAILED)
    assert "exit code 3" in failed.measured and "Its last words:\n3" in failed.advice
    fine = judge_before_start(replace(ran, exit_code=0))
    assert fine.verdict == "passed" and "what it left in /data" in fine.measured
    assert "no volume with a claim" in reaches(plan_of())


def test_volumes_start_empty_and_can_be_written() -> None:
    plan = plan_of("volumes: [{name: data, mount_path: /data, size: 1Gi}, {name: c, mount_path: /c, config_map: c}]")
    assert server_options(plan)["mount"] == ["type=volume,target=/data"]


def test_a_cluster_takes_secrets_from_its_namespace(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text(MINIMAL)
    done = CliRunner().invoke(commands, ["prove", "--kubernetes", "--env-file", "x", str(profile)], obj={})
    assert done.exit_code == 2 and "Secrets of --namespace" in done.output
