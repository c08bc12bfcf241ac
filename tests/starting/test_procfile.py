"""What a Procfile starts beside the web process becomes app.before_start and jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.starting.procfile import left_out, process_entries
from tests.starting.test_new import FLASK, made, project

#: (Procfile, app.before_start, {name of the job: command})
PROCFILES: list[tuple[str, Any, dict[str, list[str]]]] = [
    ("web: gunicorn a:app\n", None, {}),
    ("web: gunicorn a:app\nrelease: flask db upgrade\n", ["flask", "db", "upgrade"], {}),
    ("release: python manage.py migrate --noinput", ["python", "manage.py", "migrate", "--noinput"], {}),
    ("release: a && b", ["sh", "-c", "a && b"], {}),
    ("release: X=1 flask 'db' upgrade", ["sh", "-c", "X=1 flask 'db' upgrade"], {}),
    (
        "worker: celery -A tasks worker -n 'one two'",
        None,
        {"worker": ["celery", "-A", "tasks", "worker", "-n", "one two"]},
    ),
    ("worker: rq worker --url $REDIS_URL", None, {"worker": ["sh", "-c", "rq worker --url $REDIS_URL"]}),
    (
        "Clock_2: python clock.py\napp: python x.py",
        None,
        {"clock-2": ["python", "clock.py"], "app-job": ["python", "x.py"]},
    ),
    ("# worker: x\nworker:\n: y\nadmin: gunicorn b:app", None, {}),
    ("worker: rq worker --url redis://u:hunter2@r/0", None, {}),
    ("worker: API_TOKEN=$TOKEN celery", None, {"worker": ["sh", "-c", "API_TOKEN=$TOKEN celery"]}),
    ("worker: rq --url redis://:$P@r", None, {"worker": ["sh", "-c", "rq --url redis://:$P@r"]}),
]


@pytest.mark.parametrize(("text", "release", "jobs"), PROCFILES)
def test_lines_become_settings(text: str, release: Any, jobs: dict[str, list[str]]) -> None:
    found = {one.path: one for one in process_entries(text, "Procfile")}
    assert (found["app.before_start"].value if "app.before_start" in found else None) == release
    assert {job["name"]: job["command"] for job in (found["jobs"].value if "jobs" in found else [])} == jobs


#: Commands of a line, each with a secret.
SECRETS = (
    "load postgres://u:hunter2@db/x",
    "API_TOKEN=hunter2 celery -A tasks worker",
    "env API_TOKEN=hunter2 celery",
    "flask db upgrade && MYSQL_PWD=hunter2 celery",
    "flask db upgrade; export DB_PWD=hunter2; celery",
    "celery --password=hunter2",
    "celery --password hunter2",
    "celery --dsn 'host=db password=hunter2'",
    "flower --basic-auth=admin:hunter2",
    "curl -u admin:hunter2 https://a",
    "notify https://hooks.slack.com/services/T000/B000/hunter2",
)


@pytest.mark.parametrize("command", SECRETS)
def test_a_secret_is_copied_nowhere_and_reported_as_left_out(command: str, tmp_path: Path) -> None:
    text = f"web: gunicorn a:app\nrelease: {command}\nworker: celery worker\nother: {command}\n"
    (jobs,) = process_entries(text, "Procfile")
    assert [job["name"] for job in jobs.value] == ["worker"]
    assert [note.split(" left out")[0] for note in left_out(text, "Procfile")] == [
        "Procfile:2: release:", "Procfile:4: other:"]  # fmt: skip
    made(project(tmp_path, {"a.py": FLASK, "Procfile": text}))
    written = (tmp_path / "new.yaml").read_text()
    assert "hunter2" not in written
    assert "Procfile:2: release: left out for what may be a secret" in written


def test_that_nothing_is_left_is_said_too(tmp_path: Path) -> None:
    made(project(tmp_path, {"a.py": FLASK, "Procfile": "release: load postgres://u:hunter2@db/x\n"}))
    written = (tmp_path / "new.yaml").read_text()
    assert "Procfile:1: release: left out" in written and "hunter2" not in written


def test_a_first_profile_has_them(tmp_path: Path) -> None:
    lines = "web: gunicorn a:app\nrelease: flask db upgrade\nworker: celery worker\nclock: python clock.py\n"
    plan = made(project(tmp_path, {"a.py": FLASK, "Procfile": lines}))
    assert plan.before_start.command == ("flask", "db", "upgrade")
    assert [job.service for job in plan.jobs] == ["worker", "clock"]
