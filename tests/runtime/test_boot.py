"""The image's entry point: its environment checks, descriptor limit and boot report."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest

from generator.plan.places import CONFIGURATION_FOLDER, image_paths
from generator.runtime import boot, configuration, report
from generator.runtime.sizing import Demand, Limits, Rule, derive
from generator.runtime.version import runtime_version
from generator.servers import SERVERS
from tests.fast_support import ROOT

NUMBERS = ["", "abc", "0", "-1", "+1", " 2", "2 ", "2\n", "1.5", "1e3", "0x2", "1_0", "١", "²", "9" * 10, "9" * 5000]


@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: ascii(value)[:12])
@pytest.mark.parametrize("name", ["WEB_CONCURRENCY", "KIT_CPU_MILLICORES", "KIT_MEMORY_BYTES"])
def test_a_number_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(boot.BootError) as caught:
        boot.check({name: value})
    assert str(caught.value).startswith(f"{name}={value[:60]!r} is not a whole number of at least 1; correct it")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("007", 7), ("64", 64), ("999999999", 999_999_999)])
def test_a_number_is_accepted(text: str, value: int) -> None:
    boot.check({"WEB_CONCURRENCY": text})
    assert boot.positive_int({"WEB_CONCURRENCY": text}, "WEB_CONCURRENCY") == value
    assert boot.positive_int({}, "WEB_CONCURRENCY") is None


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        *(
            (["gunicorn"], {"WEB_CONCURRENCY": value}, f"kit: WEB_CONCURRENCY={value!r} is not a whole number")
            for value in ("", "abc", "0", "-1", "١")
        ),
        (["pywsgi"], {"PORT": "tcp://10.0.0.1:80"}, "kit: PORT='tcp://10.0.0.1:80' is not a port from 1 to 65535"),
        (["gunicorn"], {"KIT_CPU_MILLICORES": "0.5"}, "kit: KIT_CPU_MILLICORES='0.5' is not a whole number"),
        ([], {}, "kit: an argument must be one of: "),
        (["--workers", "3"], {}, "kit: an argument must be one of: "),
    ],
)
def test_the_entry_point_ends_with_one_line_and_2(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-m", "generator.runtime", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_arguments_go_to_the_server_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDFILE", "no")
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    called: list[tuple[str, list[str]]] = []
    more = ["--workers", "3", "two words", "$HOME", "-", "--", "", "flask"]
    boot.main(["gunicorn", *more], execvp=lambda path, argv: called.append((path, argv)))
    ((path, argv),) = called
    assert (argv[0], path.endswith("/bin/gunicorn")) == (path, True)
    assert argv[1:] == ["--config", "/etc/kit/gunicorn.conf.py", *more]
    assert "SENDFILE" not in os.environ
    assert os.environ["WEB_CONCURRENCY"] == "2"


@pytest.mark.parametrize("server", sorted(boot.PROGRAMS))
@pytest.mark.parametrize(
    "command", [["flask", "db", "upgrade"], ["python", "-c", "1"], ["gunicorn", "--version"], [""]]
)
def test_anything_but_an_option_is_a_command_of_its_own(
    server: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDFILE", "no")
    monkeypatch.setenv("WEB_CONCURRENCY", "none of a migration's business")
    called: list[tuple[str, list[str]]] = []
    boot.main([server, *command], execvp=lambda path, argv: called.append((path, argv)))
    assert called == [(command[0], command)]
    assert os.environ["SENDFILE"] == "no"


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        (["sh", "-c", 'echo "$0 $GREETING $$"; exit 7', "two words"], 7, "two words hello {pid}\n"),
        (["no-such-command"], 127, "kit: cannot run 'no-such-command': No such file or directory\n"),
        (["/etc/passwd"], 126, "kit: cannot run '/etc/passwd': Permission denied\n"),
    ],
)
def test_a_command_takes_the_place_of_the_entry_point(command: list[str], code: int, expected: str) -> None:
    words = [sys.executable, "-m", "generator.runtime", "pywsgi", *command]
    environment = {**os.environ, "GREETING": "hello"}
    with subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        found = process.stdout.read()
        assert process.wait(30) == code
    assert found == expected.format(pid=process.pid), "the same process, so that signals reach the command"


NO_PORTS = ["", "abc", "0", "-1", "65536", " 80", "8000\n", "8e3", "٨٠٠٠", "9" * 5000]


@pytest.mark.parametrize("value", NO_PORTS, ids=lambda value: ascii(value)[:12])
def test_a_port_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(boot.BootError) as caught:
        boot.check({"PORT": value})
    expected = f"PORT={value[:60]!r} is not a port from 1 to 65535; correct it or unset it"
    assert str(caught.value) == expected


def test_a_link_to_another_container_is_no_port() -> None:
    with pytest.raises(boot.BootError, match="looks like the address of another container; correct it or unset it"):
        boot.check({"PORT": "tcp://172.17.0.5:8000"})


@pytest.mark.parametrize(("port", "bind"), [(None, "0.0.0.0:8000"), ("1", "0.0.0.0:1"), ("65535", "0.0.0.0:65535")])
def test_the_environments_port_beats_the_configurations(
    port: str | None, bind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if port is None:
        monkeypatch.delenv("PORT", raising=False)
    else:
        monkeypatch.setenv("PORT", port)
    assert configuration.bind(8000) == bind
    assert configuration.from_environment() == ({} if port is None else {"bind": "PORT"})


def test_boot_has_what_the_generator_says_of_images() -> None:
    assert str(boot.CONFIGURATION) == CONFIGURATION_FOLDER
    assert boot.PROGRAMS.keys() == {server.program for server in SERVERS.values()}
    for server in SERVERS.values():
        called: list[list[str]] = []
        boot.main([server.program], execvp=lambda _, argv, called=called: called.append(argv))  # type: ignore[misc]
        assert called[0][-2:] == ["--config", image_paths(server).configuration]


UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "needed", "raised", "short"),
    [
        (1024, 4096, 1000, None, None),
        (1024, 4096, 1024, None, None),
        (1024, 4096, 2000, (2000, 4096), None),
        (1024, 4096, 4096, (4096, 4096), None),
        (1024, 4096, 5000, (4096, 4096), "5000 file descriptors a worker are needed, but the hard limit is 4096"),
        (4096, 4096, 5000, (4096, 4096), "5000 file descriptors a worker are needed, but the hard limit is 4096"),
        (1024, UNLIMITED, 5000, (5000, UNLIMITED), None),
        (UNLIMITED, UNLIMITED, 5000, None, None),
    ],
)
def test_the_descriptor_limit_is_raised_up_to_the_hard_one(
    soft: int,
    hard: int,
    needed: int,
    raised: tuple[int, int] | None,
    short: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: calls.append(limits))
    sentence = report.raise_descriptor_limit(needed)
    assert calls == ([raised] if raised else [])
    assert sentence == (short and f"{short}: raise it (ulimit nofile)")


def test_the_descriptor_limit_is_really_raised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        assert report.raise_descriptor_limit(200) is None
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_report_says_what_was_set_outside_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = derive(Demand(1200, Rule(1)), Limits(2, 2000))
    file = {"timeout": 30, "loglevel": "info", "keepalive": 75, "chdir": "/app"}
    effective = {"workers": 2, "worker_connections": 99, "timeout": 60, "loglevel": "info", "bind": ["0:1"]}
    effective["chdir"] = "/app"
    variables = {"chdir": "FOLDER", "bind": "PORT"}
    report.write_report(report.boot_report(numbers, effective, file, variables, profile="web", served_by="gevent"))
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    found = json.loads(text)
    outside = "set outside the configuration file, by arguments or GUNICORN_CMD_ARGS"
    assert found["numbers"]["workers"] == {"value": 2, "decided_by": "rule", "reason": "1 x 2 CPU = 2"}
    assert found["numbers"]["worker_connections"] == {"value": 99, "decided_by": "command line", "reason": outside}
    assert found["settings"] == {
        "timeout": {"value": 60, "decided_by": "command line", "reason": outside},
        "loglevel": {"value": "info", "decided_by": "configuration"},
        "bind": {"value": ["0:1"], "decided_by": "command line", "reason": outside},
        "chdir": {"value": "/app", "decided_by": "FOLDER"},
    }
    assert (found["event"], found["runtime"], found["profile"], found["served_by"]) == (
        "boot",
        runtime_version(),
        "web",
        "gevent",
    )
