"""A generated configuration, really loaded by gunicorn: what the boot report says is what `--explain` says."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from generator.pipeline import plan_profile
from generator.plan.explain import explanation
from generator.plan.plan import Plan
from generator.render.render import render
from tests.fast_support import ROOT
from tests.runtime.test_limits import V2_POD, tree, v2_files

PROFILE = ROOT / "profiles/servers/gthread.yaml"
DEADLINE = 20
#: Starts gunicorn as the image does, but with the limits of a recorded container.
START = """
import sys
from functools import partial
from pathlib import Path
from kit_runtime import limits
limits.read_limits = partial(limits.read_limits, Path(sys.argv.pop(1)), 8)
from gunicorn.app.wsgiapp import run
sys.argv[0] = "gunicorn"
run()
"""


def gthread(*overrides: str) -> Plan:
    return plan_profile(PROFILE.read_text(), PROFILE.name, overrides)


class Container:
    """gunicorn as it would boot in a container with the given limits."""

    def __init__(self, folder: Path, text: str, cpu_max: str, memory: str, arguments: list[str], **more: str) -> None:
        root = tree(folder / "root", "0::/", [V2_POD], v2_files("", cpu_max, memory))
        (folder / "kit_runtime").symlink_to(ROOT / "generator/runtime")
        (folder / "gunicorn.conf.py").write_text(text)
        command = [sys.executable, "-c", START, str(root), "--config", str(folder / "gunicorn.conf.py")]
        command += ["--bind", "127.0.0.1:0", *arguments]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("WEB_", "GUNICORN", "KIT_", "PYTHON"))}
        env |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **more}
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            app = ROOT / "docker/app"
            self.process = subprocess.Popen(command, cwd=app, env=env, stdout=out, stderr=err, start_new_session=True)

    def until(self, found: Callable[[], Any]) -> Any:
        """What ``found`` returns once it is true; fails with the log when the process ends or the deadline passes."""
        deadline = time.monotonic() + DEADLINE
        while not (result := found()):
            ended = self.process.poll() is not None
            assert not ended and time.monotonic() < deadline, self.err.read_text()
            time.sleep(0.02)
        return result

    def report(self) -> dict[str, Any]:
        line = self.until(lambda: "\n" in (text := self.out.read_text()) and text)
        assert line.count("\n") == 1
        found: dict[str, Any] = json.loads(line)
        return found

    def get(self, path: str) -> bytes:
        match = self.until(lambda: re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", self.err.read_text()))
        with urlopen(match[1] + path, timeout=DEADLINE) as response:
            return bytes(response.read())

    def stop(self) -> int:
        """End it as a container is ended; workers that outlive the master are not left behind."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Callable[..., Container]]:
    containers: list[Container] = []

    def start(
        text: str, cpu_max: str = "100000 100000", memory: str = "268435456", *arguments: str, **env: str
    ) -> Container:
        containers.append(Container(tmp_path, text, cpu_max, memory, list(arguments), **env))
        return containers[-1]

    yield start
    for container in containers:
        if container.process.poll() is None:
            os.killpg(container.process.pid, signal.SIGKILL)
            container.process.wait()


def configuration(plan: Plan) -> str:
    return render(plan)[f"{plan.folder}/gunicorn.conf.py"]


@pytest.mark.parametrize(
    ("cpu_max", "memory", "same_as"),
    [
        ("100000 100000", "268435456", ()),
        ("150000 100000", "268435456", ("resources.cpu=1.5",)),
        ("800000 100000", "268435456", ("resources.cpu=8",)),
    ],
)
def test_the_boot_report_says_what_explain_says(
    cpu_max: str, memory: str, same_as: tuple[str, ...], boot: Callable[..., Container]
) -> None:
    plan = gthread()
    container = boot(configuration(plan), cpu_max, memory)
    report, explained = container.report(), explanation(gthread(*same_as))
    assert report["numbers"] == json.loads(json.dumps(explained["numbers"]))
    assert (report["profile"], report["served_by"]) == ("gthread", "gthread")
    stated = {name: value for name, value in explained["settings"].items() if name in report["settings"]}
    stated["forwarded_allow_ips"] = stated["forwarded_allow_ips"].split(",")  # as gunicorn keeps it
    assert len(stated) >= 7
    for name, value in stated.items():
        assert report["settings"][name] == {"value": value, "decided_by": "configuration"}
    assert report["settings"]["bind"]["decided_by"] == "command line"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert report["descriptor_limit"] >= min(report["numbers"]["descriptors"]["value"], hard)
    if not same_as:
        assert container.get("/readyz") == b"ok"
        assert container.stop() == 0
        assert "WARNING" not in container.err.read_text()


@pytest.mark.parametrize(
    ("arguments", "environment", "expected", "warning"),
    [
        (["--workers", "3"], {},
         {"workers": (3, "command line"), "worker_connections": (520, "connections"), "threads": (16, "rule")}, None),
        (["--threads", "5", "--log-level", "critical"], {"GUNICORN_CMD_ARGS": "--workers 4 --threads 20"},
         {"workers": (4, "GUNICORN_CMD_ARGS"), "worker_connections": (390, "connections"),
          "threads": (5, "command line")}, None),
        (["-w", "2"], {"GUNICORN_CMD_ARGS": "--workers 4 --worker-connections 99", "WEB_CONCURRENCY": "6"},
         {"workers": (2, "command line"), "worker_connections": (99, "GUNICORN_CMD_ARGS"),
          "descriptors": (326, "worker_connections")}, None),
        ([], {"WEB_CONCURRENCY": "9"}, {"workers": (9, "WEB_CONCURRENCY"), "worker_connections": (174, "connections")},
         "9 workers (WEB_CONCURRENCY) are more than the memory limit holds: "),
    ],
)  # fmt: skip
def test_what_is_set_outside_the_file_changes_the_numbers_and_says_who(
    arguments: list[str],
    environment: dict[str, str],
    expected: dict[str, tuple[int, str]],
    warning: str | None,
    boot: Callable[..., Container],
) -> None:
    container = boot(
        configuration(gthread("app.module=os:getcwd")), "100000 100000", "268435456", *arguments, **environment
    )
    numbers = container.report()["numbers"]
    assert {name: (numbers[name]["value"], numbers[name]["decided_by"]) for name in expected} == expected
    warnings = [line for line in container.err.read_text().splitlines() if "[WARNING]" in line]
    assert len(warnings) == (warning is not None)
    assert all(warning is not None and warning in line for line in warnings)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--workers", "0"], {}, "workers=0 from command line is not at least 1; correct it or leave it out"),
        (["--threads=0"], {}, "threads=0 from command line is not at least 1; correct it or leave it out"),
        (["--worker-connections", "0"], {}, "worker_connections=0 from command line is not at least 1; correct it"),
        ([], {"GUNICORN_CMD_ARGS": "-w 0"}, "workers=0 from GUNICORN_CMD_ARGS is not at least 1; correct it"),
        ([], {"GUNICORN_CMD_ARGS": "--threads -1"}, "threads=-1 from GUNICORN_CMD_ARGS is not at least 1; correct it"),
        ([], {"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY='0' is not a whole number of at least 1; correct it or unset"),
    ],
)
def test_a_number_below_1_from_outside_is_refused_with_one_sentence(
    arguments: list[str], environment: dict[str, str], expected: str, boot: Callable[..., Container]
) -> None:
    """gunicorn takes 0: it starts no worker and serves nobody, and a healthy-looking master stays."""
    text = configuration(gthread("app.module=os:getcwd"))
    container = boot(text, "100000 100000", "268435456", *arguments, **environment)
    assert container.process.wait(DEADLINE) == 2
    (line,) = container.err.read_text().splitlines()
    assert line.startswith(f"kit: {expected}")


def test_workers_that_cannot_import_the_app_end_it_with_3_and_their_reason(boot: Callable[..., Container]) -> None:
    """Stock raised for the second worker out of the halt: 1, with a traceback of the master's."""
    container = boot(configuration(gthread("preload_app=false", "workers=6", "app.module=no_such_module:app")))
    assert container.process.wait(DEADLINE) == 3
    log = container.err.read_text()
    assert log.count("ModuleNotFoundError: No module named 'no_such_module'") > 1
    assert "Reason: Worker failed to boot." in log
    assert "HaltServer" not in log


@pytest.mark.parametrize("preload", ["true", "false"])
def test_the_log_has_the_traceback_of_an_import_that_raises_runtimeerror(
    preload: str, boot: Callable[..., Container], tmp_path: Path
) -> None:
    """Stock prints "Error: Working outside of application context." for it, and no traceback, with preload_app."""
    (tmp_path / "needs_context.py").write_text("from flask import current_app\nprint(current_app.name)\n")
    container = boot(configuration(gthread(f"preload_app={preload}", "app.module=needs_context:app")))
    assert container.process.wait(DEADLINE) == (1 if preload == "true" else 3)
    log = container.err.read_text()
    assert 'needs_context.py", line 2, in <module>' in log
    assert "RuntimeError: Working outside of application context." in log
    assert "AppImportError: the app raised RuntimeError when it was imported" in log


def test_another_runtime_version_ends_with_one_line_and_2(boot: Callable[..., Container]) -> None:
    text = configuration(gthread()).replace("_kit.begin(runtime='", "_kit.begin(runtime='0.")
    container = boot(text)
    assert container.process.wait(DEADLINE) == 2
    lines = container.err.read_text().splitlines()
    assert len(lines) == 1
    assert re.fullmatch(r"kit: this configuration is for runtime 0\.\S+, the image has \S+: generate both.*", lines[0])
    assert container.out.read_text() == ""


def test_the_apps_hooks_run_after_the_kits(boot: Callable[..., Container], tmp_path: Path) -> None:
    (tmp_path / "hooks_here.py").write_text(
        "import sys\n"
        "def when_ready(server): print('app when_ready', file=sys.stderr, flush=True)\n"
        "def post_fork(server, worker): print('app post_fork', worker.age, file=sys.stderr, flush=True)\n"
        "not_a_hook = timeout = 1\n"
    )
    container = boot(configuration(gthread("app.module=os:getcwd", "app.hooks=hooks_here")))
    report = container.report()
    container.until(lambda: "app post_fork 2" in container.err.read_text())
    assert container.err.read_text().count("app when_ready") == 1
    assert report["settings"]["timeout"] == {"value": 30, "decided_by": "configuration"}
