"""An app below a path, and the forms of its arguments: what the servers import is what the profile says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gunicorn.util import import_app

from generator.render.render import render
from generator.runtime import boot
from generator.runtime.mount import mounted
from generator.runtime.pywsgi.configuration import load_app
from tests.fast_support import HOSTILE_STRINGS, ROOT, plan_of, yaml_quoted


def get(path: str, mount: str = "/tool", **more: str) -> tuple[str, Any]:
    """The status, and what the app saw; None where nothing reached it."""
    seen: list[tuple[str, str]] = []
    status: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append((environ["SCRIPT_NAME"], environ["PATH_INFO"]))
        start_response("200 OK", [])
        return [b""]

    environ = {"PATH_INFO": path, **more}
    list(mounted(app, mount)(environ, lambda line, headers: status.append(line)))
    return status[0], seen[0] if seen else None


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/tool", ("/tool", "")),
        ("/tool/", ("/tool", "/")),
        ("/tool/a/b", ("/tool", "/a/b")),
        ("/tool//a", ("/tool", "//a")),
        ("/tool/tool", ("/tool", "/tool")),
        *((path, None) for path in ("/", "", "*", "/toolbox", "/Tool/", "/a/tool/", "//tool/", "tool/")),
    ],
)
def test_the_app_sees_its_own_paths_and_nothing_else(path: str, seen: tuple[str, str] | None) -> None:
    assert get(path) == ("200 OK" if seen else "404 Not Found", seen)


def test_a_mount_of_a_server_in_front_stays() -> None:
    assert get("/tool/a", SCRIPT_NAME="/outer") == ("200 OK", ("/outer/tool", "/a"))


ARGUMENTS = [
    ("[production]", (("production",), {})),
    ('[production, 2, -1, 1.5, true, null, "2", [a, [b, 1]]]',
     (("production", 2, -1, 1.5, True, None, "2", ("a", ("b", 1))), {})),
    ("{config_name: production, workers: 3}", ((), {"config_name": "production", "workers": 3})),
    ("[]", ((), {})),
    *((f"[{yaml_quoted(text)}]", ((text,), {})) for text in HOSTILE_STRINGS),
    *((f"{{name: {yaml_quoted(text)}}}", ((), {"name": text})) for text in HOSTILE_STRINGS),
]  # fmt: skip
FACTORY = "def create_app(*given, **named):\n    def app(*_): ...\n    app.given = given, named\n    return app\n"


@pytest.mark.parametrize(("arguments", "expected"), ARGUMENTS, ids=lambda value: ascii(value)[:30])
def test_a_factory_gets_exactly_the_profiles_arguments(
    arguments: str, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "factory_here.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = f"name: web\napp:\n  module: factory_here:create_app()\n  path: docker/app\n  arguments: {arguments}\n"
    rest = "server: gevent\nconnections: 1200\nresources: {cpu: 1, memory: 512Mi}\n"
    for server in ("gevent", "pywsgi"):
        plan = plan_of(base=lines + rest.replace("gevent", server))
        text = next(text for path, text in render(plan).items() if path.endswith(".conf.py"))
        line = next(line for line in text.split("\n") if line.startswith("wsgi_app = "))
        found: dict[str, str] = {}
        exec(line, found)  # the very line that the server runs
        load = load_app if server == "pywsgi" else import_app
        assert load(found["wsgi_app"]).given == expected


def test_words_before_the_servers_name_wrap_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(boot.WRAPPED, raising=False)
    plan = plan_of("", "app.wrapper=[newrelic-admin, run-program]")
    words = list(plan.entrypoint[plan.entrypoint.index("kit_runtime") + 1 :])
    assert words == ["newrelic-admin", "run-program", "gunicorn"]
    called: list[list[str]] = []
    boot.main([*words, "--workers", "3"], execvp=lambda _, argv: called.append(argv))
    assert called[0][:2] == words[:2]
    assert called[0][2:] == [*boot.PROGRAMS["gunicorn"], "--config", "/etc/kit/gunicorn.conf.py", "--workers", "3"]
    assert os.environ[boot.WRAPPED] == str(os.getpid())
    monkeypatch.delenv(boot.WRAPPED)
    boot.main([*words, "gunicorn", "--version"], execvp=lambda _, argv: called.append(argv))
    assert called[1] == ["gunicorn", "--version"], "a command is not wrapped"
    assert boot.WRAPPED not in os.environ


@pytest.mark.parametrize(("pid", "code"), [("os.getpid()", 0), ("os.getppid()", 2)])
def test_a_wrapper_that_does_not_exec_is_found(pid: str, code: int) -> None:
    lines = [
        "import os",
        "from generator.runtime import boot, configuration, version",
        f"os.environ[boot.WRAPPED] = str({pid})",
        "configuration.begin(version.runtime_version())",
        "assert boot.WRAPPED not in os.environ",
    ]
    words = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("kit: app.wrapper started the server as a child" if code else "")
