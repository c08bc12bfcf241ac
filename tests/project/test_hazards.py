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
        (root / name).write_text(text)
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
    ],
)  # fmt: skip
def test_found_where_it_matters(
    tmp_path: Path, files: Mapping[str, str], overrides: tuple[str, ...], expected: list[str]
) -> None:
    assert hazards(tmp_path, files, *overrides) == expected


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
