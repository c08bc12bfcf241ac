"""`import`: what each kind of source becomes, that its result is planned and audited clean, and no secret copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator.audit.audit import audit
from generator.audit.sources import Source
from generator.cli.commands import commands
from generator.pipeline import plan_profile
from generator.plan.plan import Plan
from generator.render.render import render
from tests.importing.cases import CASES, FLASK, HELM, project


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
    assert profile.resources.cpu_request == 250
    assert (profile.health.readiness_path, profile.health.startup_seconds) == ("/healthz", 120)
    assert (pods.replicas, pods.namespace, pods.service_port) == (3, "shops", 8080)
    assert (pods.image_pull_secrets, pods.env_from) == (("pull",), ("shop-secrets",))
    assert [(name, one.secret, one.key) for name, one in profile.env_secrets] == [("API_KEY", "keys", "API_KEY")]
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


#: Name and value of variables; of each value the part that must stand nowhere.
SECRETS = (
    ("DB_PWD", "hunter2", "hunter2"),
    ("MYSQL_PWD", "hunter2", "hunter2"),
    ("BASIC_AUTH", "admin:hunter2", "hunter2"),
    ("DB_DSN", "host=db password=hunter2", "hunter2"),
    ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=hunter2==;EndpointSuffix=x", "hunter2"),
    ("ALERTS", "https://hooks.slack.com/services/T000/B000/hunter2", "hunter2"),
    ("SENTRY_DSN", "https://0123456789abcdef@o1.ingest.example/2", "0123456789abcdef"),
    ("BLOB_SAS", "sv=2020&hunter2", "hunter2"),
    ("BLOB", "https://a.example/c?sig=hunter2%3D", "hunter2"),
    ("SESSION", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.hunter2", "hunter2"),
    ("CERTIFICATE", "-----BEGIN RSA PRIVATE KEY----- hunter2", "hunter2"),
    ("ACCESS", "AKIAIOSFODNN7EXAMPLE", "AKIA"),
    ("GITHUB", "ghp_hunter2", "hunter2"),
    ("SLACK", "xoxb-123456-hunter2", "hunter2"),
    ("DATABASE_URL", "postgres://app:hunter2@db/x", "hunter2"),
)


@pytest.mark.parametrize(("name", "value", "secret"), SECRETS, ids=lambda value: str(value)[:20])
def test_no_secret_is_copied_from_wherever_it_stands(name: str, value: str, secret: str, tmp_path: Path) -> None:
    pod = HELM.replace("{name: GREETING, value: hello}", f"{{name: {name}, value: '{value}'}}")
    service = f"services: {{web: {{command: gunicorn app:app, environment: {{{name}: '{value}'}}}}}}\n"
    sources = {
        "Dockerfile": f'FROM python:3.13\nENV {name}=\'{value}\'\nCMD ["gunicorn", "app:app"]\n',
        "compose.yaml": service,
        "pod.yaml": pod,
        "gunicorn_config.py": f"raw_env = ['{name}={value}']\n",
    }
    for number, (file, text) in enumerate(sources.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        for path, content in {"app.py": FLASK, "requirements.txt": "flask\n", file: text}.items():
            (folder / path).write_text(content)
        result = run(folder, file)
        assert result.exit_code == 0, result.output
        written = (folder / "new.yaml").read_text()
        assert secret not in written + result.output, file
        assert f"{name}: its value may be a secret" in comments_of(written), file


def comments_of(written: str) -> str:
    return " ".join(line.strip().removeprefix("# ") for line in written.splitlines() if line.strip().startswith("#"))


def test_no_secret_is_copied_where_another_file_must_be_corrected_first(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "requirements.txt").write_text("flask\ngunicorn==20.1.0\n")
    (tmp_path / "gunicorn_config.py").write_text("raw_env = ['DB_PWD=hunter2', 'SECRET_KEY=hunter2']\n")
    result = run(tmp_path, "gunicorn_config.py")
    assert "before generate: requirements.txt" in result.stderr
    assert "hunter2" not in (tmp_path / "new.yaml").read_text() + result.output


@pytest.mark.parametrize(
    ("configuration", "noted"),
    [
        (
            "logconfig_dict = {'version': 1, 'loggers': {}, 'root': {'handlers': ['mail']}, 'handlers': {'mail': "
            "{'class': 'logging.handlers.SMTPHandler', 'credentials': ('user', 'hunter2')}}}\n",
            "gunicorn.logconfig_dict",
        ),
        ("logconfig_dict = {'version': 1, 'extra': {'api_token': 'hunter2'}}\n", "gunicorn.logconfig_dict"),
        ("dogstatsd_tags = 'env:prod,password=hunter2'\n", "gunicorn.dogstatsd_tags"),
        ("statsd_prefix = make('hunter2').prefix\n", "statsd_prefix: not seen"),
        ("access_log_format = '%(h)s password=hunter2'\naccesslog = '-'\n", "gunicorn_config.py:1: the format"),
        ("pidfile = '/run/x?password=hunter2'\n", "gunicorn_config.py:1"),
        ("worker_tmp_dir = 'hunter2'\nerrorlog = 'https://u:hunter2@log.example/a'\n", "gunicorn_config.py:2"),
    ],
)
def test_no_secret_is_copied_from_a_setting(configuration: str, noted: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "gunicorn_config.py").write_text(configuration)
    result = run(tmp_path, "gunicorn_config.py", "--", "gunicorn", "-c", "gunicorn_config.py", "app:app")
    assert result.exit_code == 0, result.output
    written = (tmp_path / "new.yaml").read_text()
    assert "hunter2" not in written + result.output
    assert noted in comments_of(written)


def test_no_secret_is_copied_from_a_probe_or_a_command(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    probed = HELM.replace(
        "readinessProbe: {httpGet: {path: /healthz", "readinessProbe: {httpGet: {path: '/z?token=hunter2'"
    )
    (tmp_path / "pod.yaml").write_text(probed)
    (tmp_path / "Procfile").write_text(
        "worker: API_TOKEN=hunter2 celery -A tasks worker\nrelease: x --password hunter2\n"
    )
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.13\nRUN NPM_TOKEN=hunter2 npm ci\nRUN curl -u a:hunter2 https://x\nRUN tool hunter2 > x\n"
        "ENTRYPOINT load --token hunter2 && gunicorn app:app\n"
    )
    result = run(tmp_path, "pod.yaml")
    written = (tmp_path / "new.yaml").read_text()
    assert "hunter2" not in written + result.output
    for noted in ("health.readiness_path", "Procfile:1: worker", "Procfile:2: release", "Dockerfile:2: RUN", ":3: RUN"):
        assert noted in comments_of(written), noted
    (tmp_path / "new.yaml").unlink()
    result = run(tmp_path, "--alone", "Dockerfile")
    written = (tmp_path / "new.yaml").read_text()
    assert "hunter2" not in written + result.output
    assert "load before gunicorn: left out" in comments_of(written)


def test_what_is_no_secret_is_copied(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    values = {
        "GIT_COMMIT": "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "CLUSTER": "eu-west-1-blue-production",
        "UPLOADS": "/srv/uploads2/incoming",
        "URL": "https://api.example/v1?page=2",
        "TAGS": "env=prod,key=value",
    }
    lines = "".join(f"ENV {name}={value}\n" for name, value in values.items())
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.13\n{lines}CMD gunicorn app:app\n")
    assert run(tmp_path, "Dockerfile").exit_code == 0
    plan = plan_profile((tmp_path / "new.yaml").read_text(), "new.yaml", (), tmp_path)
    assert dict(plan.profile.env) == values


def imported_from(folder: Path, files: dict[str, str], *words: str) -> tuple[str, Plan]:
    """The comments, on one line, and the plan of what `import` makes of files."""
    for path, text in {"app.py": FLASK, "requirements.txt": "flask\n", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    result = run(folder, *(words or files))
    assert result.exit_code == 0, result.output
    written = (folder / "new.yaml").read_text()
    return comments_of(written), plan_profile(written, "new.yaml", (), folder)


WEB = "services: {{web: {{command: gunicorn {}, environment: {}}}}}\n"


def test_variables_that_gunicorn_reads_itself(tmp_path: Path) -> None:
    given = "{PORT: '5000', FORWARDED_ALLOW_IPS: 10.0.0.0/8, WEB_CONCURRENCY: '3'}"
    _, plan = imported_from(tmp_path / "a", {"compose.yaml": WEB.format("app:app", given)})
    profile = plan.profile
    assert (profile.port, profile.forwarded_allow_ips, profile.workers) == (5000, "10.0.0.0/8", 3)
    options = "-b :8080 -w 2 --forwarded-allow-ips 10.1.0.0/16 app:app"
    comments, plan = imported_from(tmp_path / "b", {"compose.yaml": WEB.format(options, given)})
    profile = plan.profile
    assert (profile.port, profile.forwarded_allow_ips, profile.workers) == (8080, "10.1.0.0/16", 2)
    for noted in (
        "PORT 5000: gunicorn listens where",
        "FORWARDED_ALLOW_IPS: forwarded_allow",
        "WEB_CONCURRENCY: workers",
    ):
        assert noted in comments, noted
    comments, plan = imported_from(tmp_path / "c", {"compose.yaml": WEB.format("-b 0.0.0.0:$PORT app:app", given)})
    # Compose reads $PORT before the shell does, of its own host.
    assert (plan.profile.port, "PORT 5000: gunicorn listens where bind says" in comments) == (8000, True)
    comments, plan = imported_from(tmp_path / "d", {"compose.yaml": WEB.format("app:app", "{PORT: '80'}")})
    assert (plan.profile.port, "port: allowed is a whole number from 1024" in comments) == (8000, True)
    comments, plan = imported_from(
        tmp_path / "e", {"compose.yaml": WEB.format("app:app", "{FORWARDED_ALLOW_IPS: '*'}")}
    )
    assert (plan.profile.forwarded_allow_ips, "forwarded_allow_ips" in comments) == ("127.0.0.1,::1", True)
    comments, plan = imported_from(tmp_path / "f", {"compose.yaml": WEB.format("app:app", "{PORT: '${PORT}'}")})
    assert "PORT: no number is known here" in comments
    dockerfile = "FROM python:3.13\nENV PORT=5001\nEXPOSE 9000\nCMD gunicorn app:app\n"
    assert imported_from(tmp_path / "g", {"Dockerfile": dockerfile})[1].profile.port == 5001


def test_the_port_that_requests_are_sent_to_where_none_is_given(tmp_path: Path) -> None:
    services = {
        "['80:5000']": 5000,
        "['127.0.0.1:80:5001/tcp', '9:9']": 5001,
        "[5002]": 5002,
        "[{target: 5003, published: 80}]": 5003,
        "['53:53/udp']": 8000,
    }
    for number, (ports, port) in enumerate(services.items()):
        text = f"services: {{web: {{command: gunicorn app:app, ports: {ports}}}}}\n"
        assert imported_from(tmp_path / str(number), {"compose.yaml": text})[1].profile.port == port, ports
    given = "services: {web: {command: gunicorn -b :8001 app:app, ports: ['80:5000']}}\n"
    assert imported_from(tmp_path / "given", {"compose.yaml": given})[1].profile.port == 8001
    pod = HELM.replace(', --bind, "0.0.0.0:5000"', "")
    assert imported_from(tmp_path / "pod", {"pod.yaml": pod})[1].profile.port == 5000


def test_variables_of_the_interpreter_and_those_that_follow_from_others(tmp_path: Path) -> None:
    text = "FROM python:3\nENV PYTHONUNBUFFERED=1 LANG=C.UTF-8 LC_ALL=de_DE.UTF-8 PIP_NO_CACHE_DIR=1 PYTHONPATH=/a/b\n"
    comments, plan = imported_from(tmp_path / "a", {"Dockerfile": text + "CMD gunicorn app:app\n"})
    assert plan.profile.env == ()
    assert "PYTHONPATH: use app.python_path" in comments
    assert "LC_ALL, PIP_NO_CACHE_DIR: left out" in comments
    assert "PYTHONUNBUFFERED" not in comments and " LANG" not in comments
    given = "{A: 'http://${HOST}/x', B: $NAME, C: '${D:-fine}', E: '', F: , G: $$5, H: $$NAME}"
    comments, plan = imported_from(tmp_path / "b", {"compose.yaml": WEB.format("app:app", given)})
    assert dict(plan.profile.env) == {"C": "fine", "E": "", "G": "$5", "H": "$NAME"}
    for noted in ("A: its value follows", "B: its value follows", "F: taken from where Compose runs; here .env.b"):
        assert noted in comments, noted
    comments, plan = imported_from(tmp_path / "c", {"gunicorn_config.py": "raw_env = ['A=$x']\n"},
                                   "--", "gunicorn", "-c", "gunicorn_config.py", "app:app")  # fmt: skip
    assert plan.profile.env == (("A", "$x"),)


def test_what_a_service_has_beside_its_command(tmp_path: Path) -> None:
    service = """\
services:
  web:
    build: {context: ., args: {API_TOKEN: hunter2}}
    command: gunicorn app:app
    environment: [MODE=production, FROM_SHELL]
    env_file: [.env, {path: extra.env}]
    ports: ["80:8000"]
    depends_on: [db]
    deploy: {replicas: 3, update_config: {parallelism: 1}}
"""
    comments, plan = imported_from(tmp_path, {"compose.yaml": service})
    name = plan.name
    assert plan.profile.env == (("MODE", "production"),)
    for noted in (
        f"env_file .env, extra.env: not read, since it may hold secrets; Compose takes variables from .env.{name} here",
        "FROM_SHELL: taken from where Compose runs",
        "ports, depends_on, deploy.update_config: left out",
        "build arguments: left out",
        "deploy.replicas 3: write it as kubernetes.replicas",
    ):
        assert noted in comments, noted
    assert "hunter2" not in (tmp_path / "new.yaml").read_text()
    alone = {"compose.yaml": "services: {web: {command: gunicorn app:app, env_file: web.env}}\n"}
    assert "env_file web.env: not read" in imported_from(tmp_path / "b", alone)[0]


def test_what_a_build_decides(tmp_path: Path) -> None:
    text = """\
FROM node:22 AS assets
RUN npm ci && npm run build
FROM python:3.13-slim AS base
ARG BUILD_KIND=release
ENV BUILD_KIND=$BUILD_KIND
FROM base
ARG APP_VERSION
ARG UNUSED=x
ENV APP_VERSION=$APP_VERSION
ENV LONG v-$APP_VERSION
ENV MODE=production
RUN apt-get update && apt-get install -y libpq5 && rm -rf /var/lib/apt/lists/*
RUN pip install -r requirements.txt && python manage.py collectstatic --noinput
HEALTHCHECK CMD wget -q localhost
CMD gunicorn app:app
"""
    comments, plan = imported_from(tmp_path, {"app.py": FLASK.replace("/healthz", "/x"), "Dockerfile": text})
    assert dict(plan.profile.env) == {"BUILD_KIND": "release", "MODE": "production"}
    for noted in (
        "The build argument BUILD_KIND could give another value; here it is the default.",
        "Dockerfile:9: APP_VERSION: the build argument APP_VERSION has no default",
        "Dockerfile:2: RUN npm ci && npm run build: left out; app.build_commands",
        "Dockerfile:13: RUN python manage.py collectstatic: left out; app.build_commands",
        "Dockerfile:14: HEALTHCHECK: left out",
        "Dockerfile:10: LONG: the build argument APP_VERSION has no default",
    ):
        assert noted in comments, noted
    assert "Dockerfile:12: RUN" not in comments and "UNUSED" not in comments
    pod = (
        "kind: Deployment\nspec: {template: {spec: {containers: [{name: a, command: [gunicorn, 'app:app'], "
        "env: [{name: BUILD_KIND, value: own}, {name: APP_VERSION, value: '1'}]}]}}}\n"
    )
    comments, plan = imported_from(tmp_path / "pod", {"Dockerfile": text, "pod.yaml": pod})
    assert dict(plan.profile.env) == {"BUILD_KIND": "own", "MODE": "production", "APP_VERSION": "1"}
    assert "could give another" not in comments and "Dockerfile:10: LONG: the build argument" in comments


@pytest.mark.parametrize(
    ("command", "wrapper", "noted"),
    [
        ("CMD exec gunicorn app:app", (), ""),
        ('CMD ["ddtrace-run", "gunicorn", "app:app"]', ("ddtrace-run",), ""),
        ("CMD newrelic-admin run-program gunicorn app:app", ("newrelic-admin", "run-program"), ""),
        ('ENTRYPOINT ["tini", "--"]\nCMD ["python", "-m", "gunicorn", "app:app"]', (), ""),
        ("CMD poetry run gunicorn app:app", (), ""),
        ('ENTRYPOINT ["./entry.sh"]\nCMD ["gunicorn", "app:app"]', (), "./entry.sh before gunicorn: left out"),
        (
            'ENTRYPOINT ["./entry.sh", "ddtrace-run"]\nCMD ["gunicorn", "app:app"]',
            ("ddtrace-run",),
            "./entry.sh before",
        ),
        (
            "CMD flask db upgrade && exec gunicorn app:app",
            (),
            "flask db upgrade before gunicorn: left out; app.before_",
        ),
        ('CMD ["sh", "-c", "cd /x && flask db upgrade; gunicorn app:app"]', (), "flask db upgrade before gunicorn"),
    ],
)
def test_what_stands_before_gunicorn(command: str, wrapper: tuple[str, ...], noted: str, tmp_path: Path) -> None:
    dockerfile = f"FROM python:3.13\n{command}\n"
    comments, plan = imported_from(tmp_path, {"Containerfile": dockerfile})
    assert plan.profile.app.wrapper == wrapper
    assert noted in comments and ("before gunicorn" in comments) == bool(noted)


@pytest.mark.parametrize(
    ("target", "module", "arguments"),
    [
        ("app:create_app('production', 2)", "app:create_app()", ((None, "production"), (None, 2))),
        ("app:create_app(config='production')", "app:create_app()", (("config", "production"),)),
        ("app:create_app()", "app:create_app()", ()),
        ("app:create_app(api_key='hunter2')", "app:create_app()", ()),
    ],
)
def test_a_factorys_literal_arguments(target: str, module: str, arguments: tuple[object, ...], tmp_path: Path) -> None:
    comments, plan = imported_from(tmp_path, {}, "--", "gunicorn", target)
    app = plan.profile.app
    assert (app.module, app.arguments) == (module, arguments)
    assert "hunter2" not in (tmp_path / "new.yaml").read_text()
    assert ("app.arguments: left out for what may be a secret" in comments) == ("hunter2" in target)


@pytest.mark.parametrize("target", ["app:create_app(1, b=2)", "app:create_app(**x)", "app:create_app(load())"])
def test_arguments_that_no_profile_has_are_refused_with_the_way_out(target: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    result = run(tmp_path, "--", "gunicorn", target)
    assert (result.exit_code, "and its arguments, literals, as arguments" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("files", "words", "wrapper", "noted"),
    [
        ({"Procfile": "web: ddtrace-run gunicorn app:app\n"}, (), ("ddtrace-run",), ""),
        ({"Procfile": "web: flask db upgrade && gunicorn app:app\n"}, (), (), "flask db upgrade before gunicorn"),
        ({"Procfile": "web: A=1 gunicorn app:app\n"}, (), (), ""),
        ({"start.sh": "#!/bin/sh\nset -e\nflask db upgrade\nexec gunicorn app:app\n"}, (), (), "start.sh: lines 3:"),
        ({"start.sh": "#!/bin/sh\n\nexport MODE=test\nA=b\ngunicorn app:app\n"}, (), (), ""),
        ({"start.sh": "#!/bin/sh\nexec newrelic-admin run-program gunicorn app:app\n"}, (),
         ("newrelic-admin", "run-program"), ""),
        ({}, ("--", "ddtrace-run", "gunicorn", "app:app"), ("ddtrace-run",), ""),
        ({}, ("--", "chpst", "gunicorn", "app:app"), (), "command line:1: chpst before gunicorn"),
        ({}, ("--", "-w", "2", "app:app"), (), ""),
    ],
)  # fmt: skip
def test_what_stands_before_a_process(
    files: dict[str, str], words: tuple[str, ...], wrapper: tuple[str, ...], noted: str, tmp_path: Path
) -> None:
    comments, plan = imported_from(tmp_path, files, *files, *words)
    assert plan.profile.app.wrapper == wrapper
    assert noted in comments and ("left out" in comments) == bool(noted)


def test_a_variable_whose_name_no_profile_has_is_named(tmp_path: Path) -> None:
    comments, plan = imported_from(tmp_path, {"compose.yaml": WEB.format("app:app", "{cluster.name: a, B-C: d, E: f}")})
    assert plan.profile.env == (("E", "f"),)
    assert "'cluster.name': left out" in comments and "'B-C': left out" in comments


def test_what_yaml_merges_is_named(tmp_path: Path) -> None:
    text = "x-all: &all {MODE: test}\nservices: {web: {command: gunicorn app:app, environment: {<<: *all, A: b}}}\n"
    comments, plan = imported_from(tmp_path, {"compose.yaml": text})
    assert ("what << takes in" in comments) == (("MODE", "test") not in plan.profile.env)
    assert ("A", "b") in plan.profile.env and "<<" not in dict(plan.profile.env)


RENDERED = """\
apiVersion: v1
kind: List
items:
  - kind: Service
    metadata: {name: metrics}
    spec:
      selector: {name: shop}
      ports: [{port: 9102, targetPort: metrics}, {port: 8080, targetPort: http}]
  - kind: Service
    metadata: {name: other, namespace: elsewhere}
    spec: {selector: {name: shop}, ports: [{port: 7000}]}
---
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {name: shop}, ports: [{port: 8000}]}
---
kind: Deployment
metadata: {name: shop, namespace: shops}
spec:
  replicas: 2
  minReadySeconds: 5
  strategy: {type: Recreate}
  template:
    metadata: {labels: {name: shop, tier: web}, annotations: {prometheus.io/scrape: "true"}}
    spec:
      nodeSelector: {disk: ssd}
      serviceAccountName: shop
      containers:
        - name: shop
          image: registry.example/shop:1.2
          command: [gunicorn, "app:app"]
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: SELF, value: "$(POD_IP):8000"}
            - {name: LEVEL, valueFrom: {configMapKeyRef: {name: shop, key: level}}}
            - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: pg, key: password}}}
            - {name: PRICE, value: "$$5 $$(X) ${Y}"}
            - {name: EMPTY}
          envFrom:
            - configMapRef: {name: shop-config}
            - secretRef: {name: shop-secrets}
            - {configMapRef: {name: more, optional: true}, prefix: X_}
          resources: {limits: {cpu: 1, memory: 512Mi}, requests: {cpu: 1, memory: 256Mi}}
        - {name: exporter, image: e}
---
kind: HorizontalPodAutoscaler
metadata: {name: cache}
spec: {scaleTargetRef: {kind: StatefulSet, name: shop}, minReplicas: 5, maxReplicas: 9,
       metrics: [{type: Resource, resource: {name: cpu, target: {averageUtilization: 55}}},
                 {type: Resource, resource: {name: memory, target: {averageUtilization: 80}}}]}
---
kind: Ingress
metadata: {name: shop}
spec: {rules: [{host: shop.example, http: {paths: [{path: /, backend: {service: {name: metrics}}}]}}]}
---
kind: HTTPRoute
metadata: {name: cache}
spec: {rules: [{backendRefs: [{name: postgresql}]}]}
---
kind: Service
metadata: {name: postgresql}
spec: {selector: {name: postgresql}, ports: [{port: 5432}]}
---
kind: Service
metadata: {name: nothing-selected}
spec: {ports: [{port: 6000}]}
"""


def test_a_rendered_chart_with_others_beside_the_app(tmp_path: Path) -> None:
    comments, plan = imported_from(tmp_path, {"all.yaml": RENDERED})
    profile, pods = plan.profile, plan.profile.kubernetes
    assert (pods.service_port, pods.replicas, pods.min_replicas, pods.namespace) == (8080, 2, None, "shops")
    sources = [one if isinstance(one, str) else (one.config_map, one.prefix) for one in pods.env_from]
    assert sources == [("shop-config", None), "shop-secrets", ("more", "X_")]
    assert profile.env == (("EMPTY", ""), ("PRICE", "$5 $(X) ${Y}"))
    assert [(name, one.secret, one.key) for name, one in profile.env_secrets] == [("DB_PASSWORD", "pg", "password")]
    for noted in (
        "SELF: its value follows from variables",
        "LEVEL comes from the key level of the ConfigMap shop: kubernetes.env_from",
        "envFrom more: was optional",
        "containers exporter: left out",
        "nodeSelector: left out; write it as kubernetes.node_selector",
        "serviceAccountName: left out; kubernetes.patches",
        "minReadySeconds: left out; kubernetes.patches",
        "strategy: left out: the manifest here has its own",
        "annotations prometheus.io/scrape: left out",
        "image registry.example/shop:1.2: another is built here",
        "memory request 256Mi: a pod here asks for its limit, 512Mi",
        "Ingress: left out; write it as kubernetes.route",
    ):
        assert noted in comments, noted
    assert "HTTPRoute" not in comments and "it was a" not in comments


def test_a_stateful_set_becomes_a_deployment(tmp_path: Path) -> None:
    comments, _ = imported_from(tmp_path, {"all.yaml": RENDERED.replace("kind: Deployment", "kind: StatefulSet")})
    assert "it was a StatefulSet; here it is a Deployment" in comments


def test_a_container_with_a_command_of_its_own_has_its_images_variables(tmp_path: Path) -> None:
    files = {
        "Dockerfile": "FROM python:3.13\nARG UNUSED=x\nENV MODE=test LEVEL=info PORT=5001\nCMD gunicorn app:app\n",
        "compose.yaml": WEB.format("-w 2 app:app", "{LEVEL: debug}"),
    }
    profile = imported_from(tmp_path, files)[1].profile
    assert (dict(profile.env), profile.port) == ({"MODE": "test", "LEVEL": "debug"}, 5001)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    files = {
        "Procfile": "web: gunicorn app:app\n",
        "bad.yaml": "a: {b: c\n",
        "chart.yaml": "kind: Deployment\nmetadata: {{ .Values.metadata }}\n",
    }
    comments, _ = imported_from(tmp_path, files)
    assert "bad.yaml:1: not read: no YAML" in comments
    assert "chart.yaml:2: not read: it is a template: render it first" in comments


def test_the_autoscaler_is_the_one_of_these_pods(tmp_path: Path) -> None:
    text = RENDERED.replace("kind: StatefulSet, name: shop", "kind: Deployment, name: shop")
    pods = imported_from(tmp_path, {"all.yaml": text})[1].profile.kubernetes
    assert (pods.min_replicas, pods.max_replicas, pods.target_cpu_percent) == (5, 9, 55)


def test_without_a_service_of_its_own_no_port_is_taken(tmp_path: Path) -> None:
    text = RENDERED.replace("selector: {name: shop}", "selector: {name: another}")
    assert imported_from(tmp_path, {"all.yaml": text})[1].profile.kubernetes.service_port == 80


def test_a_long_setting_without_a_comment_has_none(tmp_path: Path) -> None:
    tags = ",".join(f"tag{number}:value" for number in range(12))
    imported_from(tmp_path, {"gunicorn_config.py": f"dogstatsd_tags = {tags!r}\n"}, "gunicorn_config.py")
    assert "#" not in [line.strip() for line in (tmp_path / "new.yaml").read_text().splitlines()]


def test_the_images_python_comes_before_the_projects(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "a"\nrequires-python = "<3.13"\n',
        "Dockerfile": "FROM python:3.13\nCMD gunicorn app:app\n",
    }
    assert imported_from(tmp_path, files, "Dockerfile")[1].profile.python == "3.13"


def test_what_comes_next_where_a_file_must_be_corrected_first(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "requirements.txt").write_text("flask\ngunicorn==20.1.0\n")
    result = run(tmp_path, "--", "gunicorn", "app:app")
    assert result.exit_code == 2
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


def test_a_procfile_with_a_line_over_two(tmp_path: Path) -> None:
    text = "clock: sleep \\\n 1\nweb: flask warm && gunicorn app:app \\\n -w 3\n"
    comments, plan = imported_from(tmp_path, {"Procfile": text})
    assert plan.profile.workers == 3 and "flask warm" in comments


PLACED = {
    "app.py": FLASK,
    "Dockerfile": """\
# The first line.
FROM python:3.12-slim
RUN apt-get update \\
 && apt-get install -y curl libpq5
ENV MODE=a \\
    API_TOKEN=hunter2hunter2
ENV PYTHONPATH=/x GUNICORN_CMD_ARGS="--statsd-host=10.0.0.1:8125 --reload"
ARG VERSION
ENV A=b \\
    REL=$VERSION
CMD ["gunicorn", "app:app"]
""",
    "compose.yaml": """\
services:
  web:
    build: {context: ., args: {VERSION: "1"}}
    image: shop:1
    environment:
      GREETING: hello
      DB_PASSWORD: hunter2
      HOME: /root
      HANDED:
    env_file: [.env]
    networks: [a]
    deploy: {replicas: 2}
""",
    "k8s/app.yaml": """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
      annotations: {a: b}
    spec:
      hostNetwork: true
      nodeSelector: {a: b}
      volumes:
        - {name: tmp, emptyDir: {}}
      containers:
        - name: shop
          image: shop:1
          command: [gunicorn, "app:app"]
          env:
            - name: GREETING
              value: hello
            - name: DB_PASSWORD
              value: hunter2
            - {name: LEVEL, valueFrom: {configMapKeyRef: {name: a, key: b}}}
          resources:
            limits: {memory: 512Mi}
            requests:
              memory: 256Mi
          livenessProbe:
            httpGet: {path: /healthz, port: 8000}
          tty: true
        - {name: beside, image: b}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  type: NodePort
""",
    "gunicorn.service": """\
[Service]
Environment=MODE=a
Environment="API_TOKEN=hunter2hunter2" \\
  "DB_PASSWORD=hunter2"
ExecStart=/usr/bin/gunicorn app:app
""",
    "Procfile": "web: gunicorn \\\n  app:app\nrelease: flask db upgrade\nworker: celery -b redis://:hunter2@a\n",
}


@pytest.mark.parametrize(
    ("files", "noted"),
    [
        (("Dockerfile",), ("Dockerfile:6: API_TOKEN", "Dockerfile:4: curl", "Dockerfile:7: PYTHONPATH",
                           "Dockerfile:10: REL", "Dockerfile:7: workers restart")),
        (("Dockerfile", "compose.yaml"),
         ("Dockerfile:6: API_TOKEN", "compose.yaml:7: DB_PASSWORD", "compose.yaml:8: HOME", "compose.yaml:9: HANDED",
          "compose.yaml:10: env_file", "compose.yaml:4: image", "compose.yaml:3: build arguments",
          "compose.yaml:12: deploy.replicas", "compose.yaml:11: networks")),
        (("Dockerfile", "k8s/app.yaml"),
         ("Dockerfile:6: API_TOKEN", "app.yaml:2: it was a StatefulSet", "app.yaml:9: annotations",
          "app.yaml:11: hostNetwork", "app.yaml:12: nodeSelector", "app.yaml:13: volumes", "app.yaml:17: image",
          "app.yaml:23: DB_PASSWORD", "app.yaml:24: LEVEL", "app.yaml:28: memory request", "app.yaml:29: livenessProbe",
          "app.yaml:31: tty", "app.yaml:32: containers", "app.yaml:39: the Service was")),
        (("gunicorn.service",), ("gunicorn.service:3: API_TOKEN", "gunicorn.service:4: DB_PASSWORD")),
        (("Procfile",), ("Procfile:4: worker", "# Procfile:3")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and len(value) < 3 else "",
)  # fmt: skip
def test_each_note_has_the_place_of_what_it_is_about(
    files: tuple[str, ...], noted: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "k8s").mkdir()
    for name in (*files, "app.py"):
        (tmp_path / name).write_text(PLACED[name])
    result = run(tmp_path, "--alone", *files)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "new.yaml").read_text()
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    assert [note for note in noted if note not in comments and note not in text] == []


def test_the_place_of_a_variable_that_a_start_script_reads(tmp_path: Path) -> None:
    text = """\
FROM tiangolo/meinheld-gunicorn-flask:python3.9
ENV MODULE_NAME=app
ENV WORKERS_PER_CORE=0.5
ENV LOG_LEVEL=loud
"""
    (tmp_path / "Dockerfile").write_text(text)
    (tmp_path / "app.py").write_text(FLASK)
    result = run(tmp_path, "--alone", "Dockerfile")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "new.yaml").read_text()
    for note in ("app:app               # Dockerfile:2", "Dockerfile:3: WORKERS_PER_CORE", "Dockerfile:4: loglevel",
                 "Dockerfile:1: Python 3.9"):  # fmt: skip
        assert note in text, text


def test_debug_mode_is_left_out_and_recycling_kept_with_the_reason(tmp_path: Path) -> None:
    files = {
        "app.py": FLASK,
        "Dockerfile": "FROM python:3.13-slim\nENV FLASK_ENV=development\nENV FLASK_DEBUG=1 MODE=a\n"
        "CMD gunicorn --max-requests 1000 --max-requests-jitter 50 app:app\n",
        "Procfile": "web: FLASK_ENV=production FLASK_DEBUG=0 gunicorn app:app\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert run(tmp_path, "--alone", "Dockerfile").exit_code == 0
    text = (tmp_path / "new.yaml").read_text()
    assert plan_profile(text, "new.yaml", (), tmp_path).profile.env == (("MODE", "a"),)
    assert "# Dockerfile:2: FLASK_ENV: left out: Flask before 2.3" in text
    assert "# Dockerfile:3: FLASK_DEBUG: left out: it turns debug mode on" in text
    kept = (
        "# Kept. Requests after which a worker is replaced; 0 never. Only for an app that leaks.\nmax_requests: 1000\n"
    )
    assert kept in text
    (tmp_path / "new.yaml").unlink()
    assert run(tmp_path, "--alone", "Procfile").exit_code == 0
    profile = plan_profile((tmp_path / "new.yaml").read_text(), "new.yaml", (), tmp_path).profile
    assert profile.env == (("FLASK_DEBUG", "0"), ("FLASK_ENV", "production"))
