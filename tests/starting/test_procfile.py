"""What a Procfile starts beside the web process becomes app.before_start and jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.starting.procfile import process_entries
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
]


@pytest.mark.parametrize(("text", "release", "jobs"), PROCFILES)
def test_lines_become_settings(text: str, release: Any, jobs: dict[str, list[str]]) -> None:
    found = {one.path: one for one in process_entries(text, "Procfile")}
    assert (found["app.before_start"].value if "app.before_start" in found else None) == release
    assert {job["name"]: job["command"] for job in (found["jobs"].value if "jobs" in found else [])} == jobs


def test_a_password_is_copied_nowhere_and_reported_as_left_out() -> None:
    text = "release: load postgres://u:hunter2@db/x\nworker: celery worker\nother: rq redis://u:hunter2@r\n"
    (jobs,) = process_entries(text, "Procfile")
    assert [job["name"] for job in jobs.value] == ["worker"]
    assert "hunter2" not in str(jobs) and jobs.why.endswith("left out for a password in a URL: release, other")


def test_a_first_profile_has_them(tmp_path: Path) -> None:
    lines = "web: gunicorn a:app\nrelease: flask db upgrade\nworker: celery worker\nclock: python clock.py\n"
    plan = made(project(tmp_path, {"a.py": FLASK, "Procfile": lines}))
    assert plan.before_start.command == ("flask", "db", "upgrade")
    assert [job.service for job in plan.jobs] == ["worker", "clock"]
