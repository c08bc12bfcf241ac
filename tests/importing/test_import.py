"""`import`: what each kind of source becomes, that its result is planned and audited clean, and no secret copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator.audit.audit import Source, audit
from generator.cli.commands import commands
from generator.pipeline import plan_profile
from generator.plan.plan import Plan
from generator.render.render import render
from tests.importing.cases import CASES, FLASK, project


def run(folder: Path, *words: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(commands, ["import", "--file", "new.yaml", *words], prog_name="container-kit")


def imported(name: str, folder: Path) -> tuple[str, Plan]:
    result = run(folder, *project(name, folder))
    assert result.exit_code == 0, result.output
    text = (folder / "new.yaml").read_text()
    return text, plan_profile(text, "new.yaml", (), folder)


@pytest.mark.parametrize("name", CASES)
def test_the_result_is_planned_and_audit_finds_nothing_in_it(name: str, tmp_path: Path) -> None:
    text, plan = imported(name, tmp_path)
    files = render(plan)
    names = [one for one in files if one.endswith(("gunicorn.conf.py", "Dockerfile", ".yaml"))]
    assert len(names) >= 3
    assert audit([Source(one, files[one]) for one in names]).findings == ()
    assert max(map(len, text.splitlines())) <= 120
    for one in files.values():
        assert "hunter2" not in one
    for secret in ("hunter2", "c2VjcmV0dG9rZW4x29", "TOKEN_OF_BUILD"):
        assert secret not in text


@pytest.mark.parametrize("worker", ["gevent", "meinheld"])
def test_the_copied_configurations(worker: str, tmp_path: Path) -> None:
    text, plan = imported(f"copied {worker}", tmp_path)
    profile = plan.profile
    assert (profile.server, profile.port, profile.backlog, profile.connections) == (worker, 5000, 2048, 1200)
    assert (profile.preload_app, profile.access_log, profile.loglevel) == (True, "text", "info")
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    for name in ("workers", "threads", "proc_name", "pid file", "loglevel", "logfile", "access log shows", "accesslog"):
        assert name in comments, name


def test_a_procfiles_other_processes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "Procfile").write_text("web: gunicorn app:app\nrelease: flask db upgrade\nworker: celery worker\n")
    result = run(tmp_path, "Procfile")
    assert result.exit_code == 0, result.output
    plan = plan_profile((tmp_path / "new.yaml").read_text(), "new.yaml", (), tmp_path)
    assert plan.before_start.command == ("flask", "db", "upgrade")
    assert [(job.service, job.command) for job in plan.jobs] == [("worker", ("celery", "worker"))]


def test_a_procfile_without_worker_class(tmp_path: Path) -> None:
    text, plan = imported("Procfile", tmp_path)
    profile = plan.profile
    assert (profile.server, profile.workers, profile.threads) == ("gthread", 4, 1)
    assert (profile.max_requests, profile.max_requests_jitter, profile.access_log) == (1000, 100, "text")
    assert "It was sync" in text


def test_variables_of_images_with_a_start_script(tmp_path: Path) -> None:
    text, plan = imported("tiangolo", tmp_path / "a")
    profile = plan.profile
    assert (profile.server, profile.app.module, profile.loglevel) == ("meinheld", "app:app", "warning")
    rule = profile.workers
    assert (rule.per_cpu, rule.at_least, rule.at_most) == (2, 2, 8)  # type: ignore[union-attr]
    assert profile.env == (("MODE", "x"),)
    assert "Python 3.9" in text
    profile = imported("tiangolo arguments", tmp_path / "b")[1].profile
    assert (profile.server, profile.workers, profile.threads, profile.keepalive) == ("gthread", 3, 4, 90)
    assert profile.resources.memory == 300 * 2**20


def test_a_deployment_as_helm_makes_it(tmp_path: Path) -> None:
    text, plan = imported("helm", tmp_path)
    profile, pods = plan.profile, plan.profile.kubernetes
    assert (profile.server, profile.workers, profile.port, profile.app.module) == ("gevent", 2, 5000, "app:app")
    assert (profile.resources.cpu, profile.resources.memory) == (1000, 512 * 2**20)
    assert (profile.health.readiness_path, profile.health.startup_seconds) == ("/healthz", 120)
    assert (pods.replicas, pods.namespace, pods.service_port) == (3, "shops", 8080)
    assert (pods.image_pull_secrets, pods.env_from) == (("pull",), ("shop-secrets", "keys"))
    assert profile.env == (("GREETING", "hello"),)
    for note in ("DB_PASSWORD", "INNOCENT", "livenessProbe", "terminationGracePeriodSeconds", "volumes tmp", "timeout"):
        assert note in text, note


def test_a_dockerfile_beside_the_configuration_is_read(tmp_path: Path) -> None:
    text, plan = imported("Dockerfile", tmp_path)
    app = plan.profile.app
    assert (app.build_packages, app.runtime_packages) == (("gcc", "libpq-dev"), ("libpq5",))
    assert (plan.profile.port, plan.profile.env) == (8080, (("MODE", "production"),))
    assert (plan.profile.threads, plan.profile.workers) == (8, 2)
    assert "curl: left out" in text


def test_a_secret_is_left_out_with_what_to_write_instead(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "Dockerfile").write_text("FROM python:3.13\nENV SECRET_KEY=hunter2hunter2\nCMD gunicorn app:app\n")
    assert run(tmp_path, "Dockerfile").exit_code == 0
    text = (tmp_path / "new.yaml").read_text()
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    assert "would all show them; name in env_secrets which Secret has it" in comments
    assert "hunter2" not in text


def test_what_comes_next_where_a_file_must_be_corrected_first(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "requirements.txt").write_text("flask\ngunicorn==20.1.0\n")
    result = run(tmp_path, "--", "gunicorn", "app:app")
    assert "before generate: requirements.txt:2:1: app.requirements: gunicorn==20.1.0" in result.stderr
    assert result.stdout.endswith("next, once that is corrected:\n  container-kit generate new.yaml\n")


def test_what_a_profile_has_no_place_for(tmp_path: Path) -> None:
    text, plan = imported("hooks and others", tmp_path)
    profile = plan.profile
    assert (profile.app.hooks, profile.gunicorn) == ("gunicorn_config", (("limit_request_line", 8000),))
    assert (profile.env, profile.port, profile.workers) == ((("GREETING", "hi"),), 9000, 3)
    assert (profile.keepalive, profile.forwarded_allow_ips) == (75, "127.0.0.1,::1")
    for note in ("statsd_prefix: not seen", "forwarded_allow_ips", "max_requests_jitter", "keepalive", "DB_PASSWORD"):
        assert note in text, note


def test_an_expression_that_may_hold_a_secret_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "gunicorn_config.py").write_text("raw_env = [make('DB_PASSWORD', 'hunter2hunter2')]\n")
    result = run(tmp_path, "gunicorn_config.py")
    text = (tmp_path / "new.yaml").read_text()
    assert "raw_env: not seen" in text
    assert "hunter2" not in text + result.output


def test_nothing_is_overwritten_or_guessed(tmp_path: Path) -> None:
    imported("Procfile", tmp_path)
    again = run(tmp_path, "Procfile")
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(empty).exit_code == 2
    (empty / "Procfile").write_text("web: python x.py\n")
    nothing = run(empty, "Procfile")
    assert (nothing.exit_code, "nothing here starts gunicorn" in nothing.stderr) == (2, True)
    asgi = run(empty, "--", "gunicorn", "-k", "uvicorn.workers.UvicornWorker", "app:app")
    assert (asgi.exit_code, "the kit has no such server" in asgi.stderr) == (2, True)
    assert not (empty / "new.yaml").exists()


def test_every_configuration_of_the_corpus_becomes_a_profile_or_an_error_with_a_reason(tmp_path: Path) -> None:
    """No crash on what people write; each profile that comes of it is planned, and audited before it is written."""
    from tests.audit.test_corpus import CASES as CORPUS

    made = 0  # the others are no Python or YAML, start something else, or name a worker that the kit has no server for
    for number, case in enumerate(CORPUS):
        folder = tmp_path / str(number)
        for source in case.sources:
            (folder / source.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / source.name).write_text(source.text)
        result = run(folder, "--module", "app:app", *(source.name for source in case.sources))
        assert result.exit_code in (0, 2), (case.title, result.output)
        assert "internal error" not in result.stderr, case.title
        made += result.exit_code == 0
    assert made >= len(CORPUS) * 4 / 5
