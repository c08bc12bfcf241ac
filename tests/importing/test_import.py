"""`import`: what each kind of source becomes, that its result is planned and audited clean, and no secret copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator.audit.audit import Source, audit
from generator.cli.commands import commands
from generator.docs.seed import SEED
from generator.pipeline import plan_profile
from generator.plan.plan import Plan
from generator.render.render import render

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
#: The two configurations of the page that people copy; they differ in worker_class only.
COPIED = "\n".join(["import multiprocessing", *(line.text for line in SEED if "meinheld" not in line.text)]) + "\n"
MEINHELD = "egg:meinheld#gunicorn_worker"
HELM = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: release-shop, namespace: shops, labels: {app.kubernetes.io/managed-by: Helm}}
spec:
  replicas: 3
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      imagePullSecrets: [{name: pull}]
      terminationGracePeriodSeconds: 60
      volumes: [{name: tmp, emptyDir: {}}]
      containers:
        - name: shop
          image: registry.example/shop:1.2
          command: [gunicorn]
          args: [-w, "2", -k, gevent, --bind, "0.0.0.0:5000", --timeout, "120", "app:app"]
          ports: [{containerPort: 5000}]
          env:
            - {name: GREETING, value: hello}
            - {name: DB_PASSWORD, value: hunter2hunter2}
            - {name: INNOCENT, value: c2VjcmV0dG9rZW4x29}
            - {name: API_KEY, valueFrom: {secretKeyRef: {name: keys, key: API_KEY}}}
          envFrom: [{secretRef: {name: shop-secrets}}]
          resources: {requests: {cpu: 250m, memory: 256Mi}, limits: {cpu: "1", memory: 512Mi}}
          readinessProbe: {httpGet: {path: /healthz, port: 5000}}
          livenessProbe: {httpGet: {path: /healthz, port: 5000}}
          startupProbe: {httpGet: {path: /healthz, port: 5000}, periodSeconds: 5, failureThreshold: 24}
---
apiVersion: v1
kind: Service
metadata: {name: release-shop}
spec: {selector: {app: shop}, ports: [{port: 8080, targetPort: 5000}]}
"""
DOCKERFILE = """\
FROM python:3.13 AS build
ARG TOKEN_OF_BUILD=abc
RUN apt-get update && apt-get install -y gcc libpq-dev
FROM python:3.13-slim
ENV MODE=production PYTHONUNBUFFERED=1
RUN apt-get update && apt-get install -y --no-install-recommends libpq5 curl
EXPOSE 8080
CMD ["gunicorn", "-c", "gunicorn_config.py", "app:app"]
"""

CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    "copied gevent": ({"gunicorn_config.py": COPIED}, ["gunicorn_config.py"]),
    "copied meinheld": (
        {"gunicorn_config.py": COPIED.replace("gevent", MEINHELD)},
        ["gunicorn_config.py", "--", "gunicorn", "-c", "gunicorn_config.py", "app:app"],
    ),
    "Procfile": ({"Procfile": "web: gunicorn app:app -w 4 --max-requests 1000 --access-logfile -\n"}, ["Procfile"]),
    "tiangolo": (
        {
            "Dockerfile": "FROM tiangolo/meinheld-gunicorn-flask:python3.9\nENV MODULE_NAME=app WORKERS_PER_CORE=2 "
            "MAX_WORKERS=8 LOG_LEVEL=warning TIMEOUT=60 MODE=x\nCOPY . /app\n"
        },
        ["Dockerfile"],
    ),
    "tiangolo arguments": (
        {
            "compose.yaml": "services:\n  web:\n    build: .\n    environment: {APP_MODULE: 'app:app', "
            "WEB_CONCURRENCY: '3', GUNICORN_CMD_ARGS: '--keep-alive 90 -k gthread --threads 4'}\n    mem_limit: 300m\n"
        },
        ["compose.yaml"],
    ),
    "helm": ({"k8s/app.yaml": HELM}, ["k8s/app.yaml"]),
    "Dockerfile": (
        {"gunicorn_config.py": "workers = 2\nworker_class = 'gthread'\nthreads = 8\n", "Dockerfile": DOCKERFILE},
        ["gunicorn_config.py"],
    ),
    "hooks and others": (
        {
            "gunicorn_config.py": "bind = '0.0.0.0:9000'\nworkers = 3\nlimit_request_line = 8000\n"
            "forwarded_allow_ips = '*'\nmax_requests_jitter = 5\nkeepalive = 2\nproc_name = 'x'\n"
            "raw_env = ['GREETING=hi', 'DB_PASSWORD=hunter2hunter2']\n"
            "import os\nstatsd_prefix = os.environ['PREFIX']\n"
            "def post_fork(server, worker):\n    pass\n"
        },
        ["gunicorn_config.py"],
    ),
    "command line": ({}, ["--", "gunicorn", "-w", "8", "--bind", "0.0.0.0:8000", "-k", "gevent", "app:app"]),
}


def run(folder: Path, *words: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(commands, ["import", "--file", "new.yaml", *words], prog_name="container-kit")


def imported(name: str, folder: Path) -> tuple[str, Plan]:
    files, words = CASES[name]
    for path, text in {"app.py": FLASK, "requirements.txt": "flask\n", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    result = run(folder, *words)
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
