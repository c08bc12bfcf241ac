"""The image's entry point: its environment checks, descriptor limit and boot report."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest

from generator.plan.places import CONFIGURATION_FOLDER, image_paths
from generator.runtime import boot, report
from generator.runtime.sizing import Demand, Limits, Rule, derive
from generator.runtime.version import runtime_version
from generator.servers import SERVERS
from tests.fast_support import ROOT

NUMBERS = ["", "abc", "0", "-1", "+1", " 2", "2 ", "2\n", "1.5", "1e3", "0x2", "1_0", "١", "²", "9" * 10, "9" * 5000]


@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: ascii(value)[:12])
@pytest.mark.parametrize("name", ["WEB_CONCURRENCY", "KIT_CPU_MILLICORES"])
def test_a_number_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(boot.BootError) as caught:
        boot.check({name: value})
    assert str(caught.value).startswith(f"{name}={value[:60]!r} is not a whole number of at least 1; correct it")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("007", 7), ("64", 64), ("999999999", 999_999_999)])
def test_a_number_is_taken(text: str, value: int) -> None:
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
        (["gunicorn"], {"KIT_CPU_MILLICORES": "0.5"}, "kit: KIT_CPU_MILLICORES='0.5' is not a whole number"),
        ([], {}, "kit: the first argument must be one of: "),
        (["--workers", "3"], {}, "kit: the first argument must be one of: "),
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
    more = ["--workers", "3", "two words", "$HOME", "-", "--", ""]
    boot.main(["gunicorn", *more], execv=lambda path, argv: called.append((path, argv)))
    ((path, argv),) = called
    assert (argv[0], path.endswith("/bin/gunicorn")) == (path, True)
    assert argv[1:] == ["--config", "/etc/kit/gunicorn.conf.py", *more]
    assert "SENDFILE" not in os.environ
    assert os.environ["WEB_CONCURRENCY"] == "2"


def test_boot_has_what_the_generator_says_of_images() -> None:
    assert str(boot.CONFIGURATION) == CONFIGURATION_FOLDER
    assert boot.PROGRAMS.keys() == {server.program for server in SERVERS.values()}
    for server in SERVERS.values():
        called: list[list[str]] = []
        boot.main([server.program], execv=lambda _, argv, called=called: called.append(argv))  # type: ignore[misc]
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
    file = {"timeout": 30, "loglevel": "info", "keepalive": 75}
    effective = {"workers": 2, "worker_connections": 99, "timeout": 60, "loglevel": "info", "bind": ["0:1"]}
    report.write_report(report.boot_report(numbers, effective, file, profile="web", served_by="gevent"))
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
    }
    assert (found["event"], found["runtime"], found["profile"], found["served_by"]) == (
        "boot",
        runtime_version(),
        "web",
        "gevent",
    )
