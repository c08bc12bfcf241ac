"""The command line: exit codes, what is printed, and what is written or left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator.cli.commands import COMMANDS, commands
from generator.errors import OwnFault
from generator.version import __version__
from tests.fast_support import MINIMAL, ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An output folder that holds an app and the minimal profile."""
    (tmp_path / "docker/app").mkdir(parents=True)
    (tmp_path / "docker/app/requirements.txt").write_text("flask\n")
    (tmp_path / "web.yaml").write_text(MINIMAL)
    return tmp_path


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(commands, [*arguments, "--output", str(root)], prog_name="python -m generator")


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_it_prints_each_file_with_what_became_of_it(root: Path) -> None:
    profile = str(root / "web.yaml")
    first, second = run(root, profile), run(root, profile)
    assert (first.exit_code, second.exit_code) == (0, 0)
    printed = {line[10:]: line[:9].rstrip() for line in first.stdout.splitlines()}
    assert {path for path in printed if not path.startswith("docker/runtime/")} == {
        path for path in tree(root) if path.startswith(("docker/web/", "k8s/"))
    }
    assert set(printed.values()) == {"created"}
    assert second.stdout == first.stdout.replace("created  ", "unchanged")
    assert run(root, profile, "--set", "port=9000").stdout.count("changed   docker/web/") >= 3


def test_check_prints_a_diff_exits_1_and_writes_nothing(root: Path) -> None:
    profile = str(root / "web.yaml")
    before = tree(root)
    result = run(root, profile, "--check")
    assert (result.exit_code, tree(root)) == (1, before)
    assert "+++ docker/web/Dockerfile (generated)" in result.stdout
    run(root, profile)
    assert run(root, profile, "--check").exit_code == 0
    before = tree(root)
    result = run(root, profile, "--check", "--set", "keepalive=5")
    assert (result.exit_code, tree(root)) == (1, before)
    assert {"-keepalive = 75", "+keepalive = 5"} <= set(result.stdout.splitlines())
    assert "files are not up to date" in result.stderr


@pytest.mark.parametrize("spoil", [b"mine\n", b"caf\xe9\n", b"\x00\x1b", b""])
def test_check_shows_drift_whatever_is_on_disk(root: Path, spoil: bytes) -> None:
    run(root, str(root / "web.yaml"))
    (root / "docker/web/gunicorn.conf.py").write_bytes(spoil)
    (root / "k8s/web.yaml").unlink()
    before = tree(root)
    result = run(root, str(root / "web.yaml"), "--check")
    assert (result.exit_code, tree(root)) == (1, before)
    assert "docker/web/gunicorn.conf.py (on disk)" in result.stdout
    assert "k8s/web.yaml (generated)" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("option", [("--explain",), ("--explain", "--json"), ("--json",), ("--explain", "--check")])
def test_explaining_writes_nothing(root: Path, option: tuple[str, ...]) -> None:
    before = tree(root)
    result = run(root, str(root / "web.yaml"), *option, "--set", "resources.cpu=1.5")
    assert (result.exit_code, tree(root)) == (0, before)
    if "--json" in option:
        (plan,) = json.loads(result.stdout)
        assert plan["numbers"]["workers"] == {"value": 2, "decided_by": "rule", "reason": "1 x 2 CPU = 2"}
        assert plan["numbers"]["cpus"]["reason"] == "CPU quota of 1.5, rounded up"
        assert "gunicorn -w 2 -k " in plan["command_line"]
    else:
        assert "1.3 x 1200 connections / 2 workers, rounded up" in result.stdout


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("pywsgi", "none: gevent's server"),
        ("flask", "python code.py"),
        ("gevent", "gunicorn -w 1 -k gevent "),
        ("meinheld", "gunicorn -w 1 -k 'egg:meinheld#gunicorn_worker' "),
    ],
)
def test_what_one_would_type_without_the_kit(root: Path, server: str, expected: str) -> None:
    result = run(root, str(root / "web.yaml"), "--explain", "--json", "--set", f"server={server}")
    assert json.loads(result.stdout)[0]["command_line"].startswith(expected)


def test_explaining_shows_strange_values_as_they_are(root: Path) -> None:
    value = "[red]x[/nope] :smile: ü"
    (root / "web.yaml").write_text(MINIMAL + f"gunicorn: {{dogstatsd_tags: {json.dumps(value)}}}\n")
    result = run(root, str(root / "web.yaml"), "--explain")
    assert result.exit_code == 0, result.output
    assert value in result.stdout
    (root / "web.yaml").write_text(MINIMAL + 'gunicorn: {dogstatsd_tags: "a\\e[2Jb"}\n')
    shown = run(root, str(root / "web.yaml"), "--explain").stdout
    assert "a\\x1b[2Jb" in shown and "\x1b" not in shown


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_what_a_profile_says_acts_on_no_terminal(root: Path, as_json: tuple[str, ...]) -> None:
    """CSI as one character, and a text that runs from right to left."""
    (root / "web.yaml").write_text(MINIMAL + 'loglevel: "\\x9b2J\\u202e"\n"\\x9bX": 1\n')
    result = run(root, str(root / "web.yaml"), *as_json)
    assert result.exit_code == 2
    assert "loglevel" in result.output and not {"\x9b", "\u202e"} & set(result.output)


def overwrite(path: str, text: str) -> Callable[[Path], None]:
    def prepare(root: Path) -> None:
        (root / path).write_bytes(text.encode("latin-1"))

    return prepare


@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        (None, ["{root}/none.yaml"], "error[K090]: {root}/none.yaml: No such file or directory"),
        (None, ["{root}"], "error[K090]: {root}: a folder, not a file"),
        (None, [], "Missing argument 'PROFILE...'"),
        (None, ["--nope", "{root}/web.yaml"], "No such option"),
        (None, ["{root}/web.yaml", "--set", "port=1"], "--set port:1:1: port: '1'"),
        (None, ["{root}/web.yaml", "--set", "port"], "write for example: --set resources.cpu=4"),
        (None, ["{root}/web.yaml", "{root}/web.yaml"], "docker/web is written by {root}/web.yaml already"),
        (
            None,
            ["{root}/web.yaml", "--set", "app.path=nope"],
            "--set app.path:1:1: app.path: nope: no such folder below {root}",
        ),
        (
            None,
            ["{root}/web.yaml", "--set", "app.requirements=r"],
            "build context; r: no such file or directory",
        ),
        (
            overwrite("web.yaml", MINIMAL.replace("docker/app", "nope")),
            ["{root}/web.yaml"],
            "error[K091]: {root}/web.yaml:2:41: app.path: nope: no such folder below {root}; see --output",
        ),
        (
            overwrite("web.yaml", "name: Web\n"),
            ["{root}/web.yaml"],
            "{root}/web.yaml:1:7: name: 'Web' [K006]\n    allowed: ",
        ),
        (overwrite("web.yaml", "na\xefve: 1\n"), ["{root}/web.yaml"], "not UTF-8 at byte 2; save it as UTF-8"),
        (overwrite("web.yaml", "\xff\xfen\0a\0"), ["{root}/web.yaml"], "not UTF-8 at byte 0; save it as UTF-8"),
        (overwrite("web.yaml", ""), ["{root}/web.yaml"], "{root}/web.yaml:1:1: profile: no mapping at the top"),
        (overwrite("k8s", ""), ["{root}/web.yaml"], "k8s/web.yaml: Not a directory"),
    ],
)
def test_the_users_mistakes_end_with_2_a_message_and_no_traceback(
    root: Path, prepare: Callable[[Path], None] | None, arguments: list[str], message: str
) -> None:
    if prepare:
        prepare(root)
    before = tree(root)
    for debug in ([], ["--debug"]):
        result = run(root, *(argument.replace("{root}", str(root)) for argument in arguments), *debug)
        assert (result.exit_code, result.stdout, tree(root)) == (2, "", before)
        assert message.replace("{root}", str(root)) in result.stderr
        assert "Traceback" not in result.stderr


def test_the_faults_of_all_profiles_are_reported_and_none_is_written(root: Path) -> None:
    for name in ("one", "two"):
        (root / f"{name}.yaml").write_text(MINIMAL.replace("web", name.upper()))
    result = run(root, *(str(root / f"{name}.yaml") for name in ("one", "web", "two")))
    assert result.exit_code == 2
    assert "one.yaml:1:7: name: 'ONE'" in result.stderr
    assert "two.yaml:1:7: name: 'TWO'" in result.stderr
    assert not (root / "docker/web").exists()


def test_one_name_in_two_groups_is_no_clash(root: Path) -> None:
    (root / "other.yaml").write_text(MINIMAL + "group: team\n")
    assert run(root, str(root / "web.yaml"), str(root / "other.yaml")).exit_code == 0
    assert {"k8s/web.yaml", "k8s/team/web.yaml", "docker/team/web/Dockerfile"} <= tree(root).keys()


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (RuntimeError("boom"), "internal error: RuntimeError: boom; --debug"),
        (OwnFault("bad YAML"), "error[K099]: bad YAML"),
    ],
)
def test_our_own_faults_end_with_3_and_write_nothing(
    root: Path, raised: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise raised

    monkeypatch.setattr("generator.cli.generate.verify", broken)
    before = tree(root)
    quiet, loud = run(root, str(root / "web.yaml")), run(root, str(root / "web.yaml"), "--debug")
    assert (quiet.exit_code, loud.exit_code, tree(root)) == (3, 3, before)
    assert message in quiet.stderr
    assert "Traceback" not in quiet.stderr
    assert ("Traceback" in loud.stderr) == isinstance(raised, RuntimeError)


@pytest.mark.parametrize(
    ("command", "flags"),
    [(["generate"], []), (["check"], ["--check"]), (["explain"], ["--explain"]), (["explain", "--json"], ["--json"])],
)
def test_each_subcommand_does_what_its_flag_does(root: Path, command: list[str], flags: list[str]) -> None:
    profile = str(root / "web.yaml")
    where = [] if command[0] == "explain" else ["--output", str(root)]
    named = CliRunner().invoke(commands, [*command, profile, *where])
    files = tree(root)
    flagged = run(root, profile, *flags)
    assert (named.exit_code, named.stderr, tree(root)) == (flagged.exit_code, flagged.stderr, files)
    assert named.stdout.replace("created  ", "unchanged") == flagged.stdout


def test_a_profile_may_have_the_name_of_a_subcommand(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root / "check").write_text(MINIMAL)
    assert CliRunner().invoke(commands, ["./check"]).exit_code == 0
    assert (root / "docker/web/Dockerfile").exists()


def test_a_misspelt_subcommand_suggests_the_nearest() -> None:
    result = CliRunner().invoke(commands, ["chek", "web.yaml"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no subcommand or file is called 'chek'; did you mean check?" in result.stderr


def test_help_lists_every_subcommand_and_version_is_the_projects() -> None:
    helped = CliRunner().invoke(commands, ["--help"])
    assert helped.exit_code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in helped.stdout] == []
    for name in COMMANDS:
        assert CliRunner().invoke(commands, [name, "--help"]).exit_code == 0
    version = CliRunner().invoke(commands, ["--version"], prog_name="container-kit")
    assert version.stdout == f"container-kit {__version__}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["aud"], {"audit"}),
        (["ex"], {"explain"}),
        (["explain", "--j"], {"--json"}),
        (["audit", "--format", "s"], {"sarif"}),
        (["new", "--conn"], {"--connections"}),
    ],
)
def test_a_shell_completes_commands_and_options(words: list[str], offered: set[str]) -> None:
    """What the script asks that `_CONTAINER_KIT_COMPLETE=bash_source container-kit` prints."""
    completion = {"COMP_WORDS": " ".join(["container-kit", *words]), "COMP_CWORD": str(len(words))}
    environment = {**os.environ, **completion, "_CONTAINER_KIT_COMPLETE": "bash_complete"}
    program = "import sys; from generator.cli import main; sys.argv[0] = 'container-kit'; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert {line.removeprefix("plain,") for line in ended.stdout.splitlines()} == offered


def test_one_numbers_story(root: Path) -> None:
    profile = str(root / "web.yaml")
    explanation = CliRunner().invoke(commands, ["explain", profile, "--number", "workers", "--set", "workers=3"]).stdout
    for part in ("web: workers: 3\n", "decided by: profile", "--set workers:1:1", "gunicorn:   workers", "takes: "):
        assert part in explanation, part
    for name in ("cpus", "stop_seconds", "max_replicas", "proxy_workers", "keepalive"):
        assert f"web: {name}: " in CliRunner().invoke(commands, ["explain", profile, "--number", name]).stdout
    wrong = CliRunner().invoke(commands, ["explain", profile, "--number", "worker"])
    assert (wrong.exit_code, "did you mean workers?" in wrong.stderr) == (2, True)
