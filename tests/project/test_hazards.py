"""What bites in production: found by reading alone, each with its place, and only where it matters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.errors import ProfileError
from generator.pipeline import plan_profile
from generator.project.hazards import KINDS
from tests.fast_support import ROOT

PROFILE = """name: web
app: {module: "shop:app", path: ., requirements: requirements.txt}
server: gevent
connections: 100
resources: {cpu: 1, memory: 256Mi}
"""


def hazards(root: Path, files: Mapping[str, str], *overrides: str) -> list[str]:
    for name, text in {"requirements.txt": "flask\n", "shop.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + ("app = print\n" if name == "shop.py" else ""))
    plan = plan_profile(PROFILE, "web.yaml", overrides, root)
    return [f"{one.mark.file}:{one.mark.line} {one.kind.name}" for one in plan.project.hazards]


@pytest.mark.parametrize(
    ("files", "overrides", "expected"),
    [
        ({"requirements.txt": "flask\npsycopg2-binary==2.9\n"}, (), ["requirements.txt:2 psycopg2"]),
        ({"requirements.txt": "psycopg2\n"}, ("server=gthread",), []),
        ({"requirements.txt": "psycopg2 ; sys_platform == 'win32'\n"}, (), []),
        ({"requirements.txt": "psycopg2\n", "shop.py": "import psycogreen.gevent\n"}, (), []),
        ({"requirements.txt": "mysqlclient\n"}, ("server=meinheld",), ["requirements.txt:1 mysqlclient"]),
        ({"shop.py": "def view():\n    import MySQLdb\n"}, (), ["shop.py:2 mysqlclient"]),
        ({"shop.py": "import grpc\n"}, (), ["shop.py:1 grpcio"]),
        ({"shop.py": "import grpc.experimental.gevent as g\ng.init_gevent()\n"}, (), []),
        ({"requirements.txt": "APScheduler\n"}, ("server=gthread",), ["requirements.txt:1 apscheduler"]),
        ({"requirements.txt": "Flask_SocketIO\n"}, (),
         ["requirements.txt:1 flask-socketio", "requirements.txt:1 websocket"]),
        ({"requirements.txt": "flask-socketio\n"}, ("websocket=true",), ["requirements.txt:1 flask-socketio"]),
        ({"requirements.txt": "flask-socketio\n"}, ("websocket=true", "kubernetes.replicas=1"), []),
        ({"requirements.txt": "flask-socketio\n"}, ("websocket=true", "workers=2", "kubernetes.replicas=1"),
         ["requirements.txt:1 flask-socketio"]),
        ({"requirements.txt": "flask-sock\n"}, ("kubernetes.replicas=1",), ["requirements.txt:1 websocket"]),
        ({"shop.py": "from flask_sock import Sock\n"}, (), ["shop.py:1 websocket"]),
        ({"requirements.txt": "gevent-websocket\n"}, ("websocket=true",), ["requirements.txt:1 gevent-websocket"]),
        ({"shop.py": "import requests\ns = requests.Session()\n"}, (), ["shop.py:2 client-at-import"]),
        ({"shop.py": "from boto3 import client as c\nx = [c('s3')]\n"}, (), ["shop.py:2 client-at-import"]),
        ({"shop.py": "import boto3\nx = lambda: boto3.client('s3')\ndef f():\n    boto3.client('s3')\n"}, (), []),
        ({"shop.py": "import boto3\nx = boto3.client('s3')\n"}, ("preload_app=false",), []),
        ({"shop.py": "import boto3\nx = boto3.client('s3')\n", "h.py": ""}, ("app.hooks=h",), []),
        ({"shop.py": "import threading\nthreading.Thread(target=print).start()\n"}, (), ["shop.py:2 thread-at-import"]),
        ({"shop.py": "import threading as t\nx = t.Timer(1, print)\nx.start()\n"}, (), ["shop.py:3 thread-at-import"]),
        ({"shop.py": "import threading\nx = threading.Thread()\n"}, (), []),
        ({}, ("server=meinheld", "health.readiness_path=/ready"), ["--set health.readiness_path:1 probed-page"]),
        ({}, ("health.readiness_path=/ready",), []),
        ({"shop.py": "app = 1\napp.debug = True\n"}, (), ["shop.py:2 debug"]),
        ({"shop.py": "app.config['DEBUG'] = True\n"}, (), ["shop.py:1 debug"]),
        ({"shop.py": "app.config.update(DEBUG=True)\n"}, (), ["shop.py:1 debug"]),
        ({"shop.py": "app.config['DEBUG'] = True\n"}, ("server=flask",), []),
        ({"shop.py": "class Development:\n    DEBUG = True\n"}, (), []),
        ({"shop.py": "if __name__ == '__main__':\n    app.debug = True\n"}, (), []),
        ({"shop.py": "app.config.from_object('conf.x')\n", "conf/x.py": "DEBUG = True\n"}, (), ["conf/x.py:1 debug"]),
        ({"shop.py": "from views import a\n", "views/__init__.py": "", "views/a.py": "import grpc\n"}, (),
         ["views/a.py:1 grpcio"]),
        ({"scripts/job.py": "import grpc\n", "tests/test_x.py": "import psycopg2\n"}, (), []),
        ({"shop.py": "def (:\n"}, (), []),
        ({"Procfile": "web: gunicorn x\n"}, (), ["Procfile:1 procfile"]),
        ({"gunicorn.conf.py": "workers = 9\n"}, (), ["gunicorn.conf.py:1 gunicorn-conf"]),
        ({"requirements.txt": "psycopg2\n"}, ("app.warnings_ignored={psycopg2: one query at start}",), []),
        ({"shop.py": "import flask\napp = flask.Flask('x')\napp.run(port=80)\n"}, (), ["shop.py:3 serves-at-import"]),
        ({"shop.py": "import flask\nx = flask.Flask('x')\nif x:\n    x.run()\n"}, (), ["shop.py:4 serves-at-import"]),
        ({"shop.py": "from views import app\napp.run()\n", "views.py": "app = print\n"}, (),
         ["shop.py:2 serves-at-import"]),
        ({"shop.py": "import waitress\nwaitress.serve(print)\n"}, (), ["shop.py:2 serves-at-import"]),
        ({"shop.py": "from wsgiref.simple_server import make_server as m\nm('', 1, 2).serve_forever()\n"}, (),
         ["shop.py:2 serves-at-import"]),
        ({"shop.py": "from flask_sock import x\nimport flask\na = flask.Flask('x')\ndef main():\n    a.run()\n"},
         ("websocket=true",), []),
        ({"shop.py": "import flask\nif __name__ == '__main__':\n    app.run()\n"}, (), []),
        ({"shop.py": "import asyncio, subprocess\nasyncio.run(print())\nsubprocess.run('x')\n"}, (), []),
        ({"shop.py": "import flask\napp = flask.Flask('x')\napp.run()\n"}, ("server=flask",), []),
        ({"shop.py": "def f():\n    return Response(x, mimetype='text/event-stream')\n"}, (),
         ["shop.py:2 event-stream"]),
        ({"shop.py": "h = {'Content-Type': 'text/event-stream; charset=utf-8'}\n"}, (), ["shop.py:1 event-stream"]),
        ({"shop.py": "r = Response(mimetype='text/event-stream', headers={'x-accel-buffering': 'no'})\n"}, (), []),
        ({"shop.py": "r = Response(x, mimetype='text/event-stream')\nr.headers['X-Accel-Buffering'] = 'no'\n"}, (), []),
        ({"shop.py": "x = 'text/event-stream' in accept\n"}, (), []),
        ({}, ("env={FLASK_DEBUG: '1'}",), ["--set env:1 debug"]),
        ({}, ("env={FLASK_DEBUG: '0'}",), []),
        ({"shop.py": "import sys, here, flask\n", "here.py": ""}, ("app.requirements=null",),
         ["shop.py:1 nothing-installed"]),
        ({"shop.py": "import sys, here\nfrom . import x\n", "here/a.py": ""}, ("app.requirements=null",), []),
        ({"gunicorn_config.py": "def post_fork(server, worker):\n    pass\n"}, ("app.hooks=gunicorn_config",), []),
        ({"src/views.py": "import grpc\n", "shop.py": "import views\n"}, (), ["src/views.py:1 grpcio"]),
    ],
)  # fmt: skip
def test_found_where_it_matters(
    tmp_path: Path, files: Mapping[str, str], overrides: tuple[str, ...], expected: list[str]
) -> None:
    assert hazards(tmp_path, files, *overrides) == expected


@pytest.mark.parametrize(
    ("target", "files", "says"),
    [
        ("shop:app", {}, None),
        ("shp:app", {}, "no module shp below .; shop is there"),
        ("shop.web:app", {}, "no module shop.web below ."),
        ("pack.web:app", {"pack/__init__.py": "", "pack/wsgi.py": ""}, "no module pack.web below ."),
        ("pack.web:app", {"pack/__init__.py": "", "pack/web.cpython-313-x86_64-linux-gnu.so": ""}, None),
        ("pack.web:app", {"lib/pack/web.py": "app = 1\n"}, None),
        ("pack.web:app", {"src/pack/web.py": "app = 1\n"}, None),
        ("other.web:app", {"requirements.txt": "Apache_Other[x]\n"}, None),
        ("shop:application", {}, "shop.py has no application; it has app"),
        ("wsgi:app", {"wsgi.py": "from shop import app\n"}, None),
        ("wsgi:app", {"wsgi.py": "from shop import *\n"}, None),
        ("wsgi:app", {"wsgi.py": "def __getattr__(name):\n    return 1\n"}, None),
        ("wsgi:app", {"wsgi.py": "globals()['app'] = 1\n"}, None),
        ("wsgi:app", {"wsgi.py": "def f():\n    global app\n    app = 1\nf()\n"}, None),
        ("wsgi:app", {"wsgi.py": "try:\n    import x as app\nexcept ImportError:\n    app = None\n"}, None),
        ("wsgi:app", {"wsgi.py": "def (:\n"}, None),
        ("wsgi:app", {"wsgi.py": "def f(app):\n    app = 1\n"}, "wsgi.py has no app"),
        ("wsgi:app", {"wsgi.py": "# -*- coding: latin-1 -*-\n# \xe4\napp = 1\n"}, None),
        ("pack:app", {"pack/__init__.py": "", "pack/app.py": ""}, None),
        ("wsgi:make", {"wsgi.py": "def make(a=None):\n    return 1\n"}, "make of wsgi.py is a factory: write make()"),
        ("wsgi:make", {"wsgi.py": "def make(a=1, b=2):\n    return 1\n"}, "make of wsgi.py is a factory: write make()"),
        ("wsgi:make", {"wsgi.py": "def make(environ, start_response):\n    return []\n"}, None),
        ("wsgi:make", {"wsgi.py": "def make(*given):\n    return []\n"}, None),
        ("wsgi:make", {"wsgi.py": "@wsgi\ndef make(request):\n    return []\n"}, None),
        ("wsgi:make()", {"wsgi.py": "def make(name=None):\n    return 1\n"}, None),
        ("wsgi:app()", {"wsgi.py": "from flask import Flask\napp = Flask('x')\n"},
         "app of wsgi.py is an application, no factory: write it without ()"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported(target: str, files: Mapping[str, str], says: str | None, tmp_path: Path) -> None:
    texts = {"requirements.txt": "flask\n", "shop.py": "app = 1\n", **files}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    plan = plan_profile(PROFILE, "web.yaml", (f"app.module={target}",), tmp_path)
    found = [one.shown for one in plan.project.hazards if one.kind.name == "not-importable"]
    assert found == ([] if says is None else [f"app.module: {says}"])


def test_hooks_that_are_not_there(tmp_path: Path) -> None:
    assert hazards(tmp_path, {}, "app.hooks=nosuch") == ["--set app.hooks:1 not-importable"]


def test_nothing_is_run(tmp_path: Path) -> None:
    hazards(tmp_path, {"shop.py": f"open({str(tmp_path / 'ran')!r}, 'w')\n"})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("profile", sorted(ROOT.glob("tests/apps/*/profile.yaml")), ids=lambda path: path.parent.name)
def test_no_false_alarm_on_the_apps_of_the_tests(profile: Path) -> None:
    if profile.parent.name != "wheels":  # its wheels are folders until the test packs them
        assert plan_profile(profile.read_text(), "profile.yaml", (), profile.parent).project.hazards == ()


@pytest.mark.parametrize("profile", sorted(ROOT.glob("profiles/**/*.yaml")), ids=lambda path: path.stem)
def test_no_false_alarm_on_the_sample_app(profile: Path) -> None:
    assert plan_profile(profile.read_text(), profile.name, (), ROOT).project.hazards == ()


def test_strict_makes_them_errors(tmp_path: Path) -> None:
    hazards(tmp_path, {"requirements.txt": "psycopg2\n"})
    (tmp_path / "web.yaml").write_text(PROFILE)
    command = ["--output", str(tmp_path), str(tmp_path / "web.yaml")]
    strict = CliRunner().invoke(commands, ["generate", "--strict", *command], obj={})
    assert strict.exit_code == 2 and "requirements.txt:1:1: psycopg2" in strict.stderr
    assert not (tmp_path / "docker").exists()
    result = CliRunner().invoke(commands, ["generate", *command], obj={})
    assert result.exit_code == 0 and "warning: requirements.txt:1:1: psycopg2" in result.stderr


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"app\.warnings_ignored\.psycopg: "):
        hazards(tmp_path, {}, "app.warnings_ignored={psycopg: x}")


def test_names_are_unique() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
