"""Which settings go together and which do not: two lists."""

from __future__ import annotations

import time

import pytest

from generator.servers import SERVERS
from tests.fast_support import faults_of, plan_of

ACCEPTED = [
    (),
    ("server=gthread",),
    ("server=gthread", "threads=32"),
    ("server=gthread", "threads={per_cpu: 2}", "workers={per_cpu: 2, plus: 1}"),
    ("server=gthread", "connections=1"),
    ("server=gthread", "threads=8", "worker_connections=600", "workers=2"),
    ("workers=4", "worker_connections=300"),
    ("workers={per_cpu: 2, plus: 1, at_least: 1, at_most: 9}",),
    ("workers={per_cpu: 1, at_least: 3, at_most: 3}",),
    ("header_timeout=20",),
    ("keepalive=0",),
    ("access_log=json", "gunicorn={statsd_host: '127.0.0.1:8125'}"),
    *(
        (f"access_log={mode}", f"server={server}", "kubernetes.metrics=prometheus", "kubernetes.metrics_image=a/b")
        for mode in ("json", "text")
        for server in ("gevent", "gthread", "meinheld", "eventlet")
    ),
    ("threads=null",),
    ("max_requests=1000", "max_requests_jitter=1000"),
    ("backlog=4096",),
    ("backlog=8192", "somaxconn=8192"),
    ("backlog=512", "somaxconn=512"),
    ("connections=16000", "resources.memory=512Mi"),
    ("websocket=true", "connections=500"),
    ("server=sync", "connections=3", "server_packages={gunicorn: 26.2.0}"),
    ("server_packages={gunicorn: 27.0.1, gevent: 26.9.0}",),
    ("server=gthread", "websocket=true", "connections=100", "threads=101"),
    ("resources.cpu=0.5",),
    ("resources.cpu=500m",),
    ("resources.cpu='2'",),
    ("resources.memory=1.5Gi",),
    ("app.requirements=null",),
    ("app.module=pkg.mod:create_app()",),
    ("app.hooks=myapp.hooks",),
    ("app.runtime_packages=[libpq5, tzdata=2025b-4]",),
    ("app.path=.",),
    ("app.path=./a b/ü/",),
    ("request_timeout=300",),
    ("request_timeout=300", "graceful_timeout=20"),
    ("server=gthread", "request_timeout=3600"),
    ("server=meinheld", "request_timeout=300"),
    ("server=sync", "connections=3", "request_timeout=30"),
    ("server=sync", "connections=3", "request_timeout=300", "timeout=300"),
    ("health={readiness_path: /r?full=1, liveness_path: null}",),
    ("kubernetes={cpu_limit: none, namespace: web, replicas: 1, pre_stop_seconds: 0}",),
    ("env={MONKEY: a, KEYBOARD_LAYOUT: b, KEYNOTE: c}",),
    ("env={URL: 'https://db.example/a@b', MAIL: 'a@example.com'}",),
    ("env={PORTAL: x, HOMEPAGE: y, REPORT: z}",),
    ("env={TOKENIZERS_PARALLELISM: 'false', MAX_TOKENS: '4096', SESSION_TOKEN: '', USE_TOKEN: 'True'}",),
    ("env={DB_PASSWORD_FILE: /run/secrets/db, JWT_ACCESS_TOKEN_EXPIRES: 15m, API_KEY_HEADER: X-Api-Key}",),
    ("env={PUBLIC_KEY: MIIB, STRIPE_PUBLISHABLE_KEY: pk, TOKEN_URL: 'https://a/b', KEY_ID: abc, PASSWORD_MIN: x}",),
    ("env={GOOGLE_APPLICATION_CREDENTIALS: /var/run/gcp/key.json, SECRET: /path, SECRET_KEY: /}",),
    ("env={CACHE_KEY: user}", "env_allowed=[CACHE_KEY]"),
    ("env={PWD: /srv, GIT_COMMIT: 9fceb02d0ae598e95dc970b74767f19372d61af8, URL: 'redis://:$PASSWORD@r/0'}",),
    ("env={TAGS: 'env=prod,key=value', AUTH: 'shop.auth:check', DB_DSN: 'host=db dbname=x password=$DB_PASSWORD'}",),
    ("env={SENTRY_DSN: 'https://0123456789abcdef@o1.ingest.example/2'}", "env_allowed=[SENTRY_DSN]"),
    ("app.build_commands=['flask assets build && API_TOKEN=$(cat /run/secrets/token) npm ci']",),
    ("env={URL: 'git://git@host/a'}", "env_allowed=[URL]"),
    ("env={LD_PRELOAD: /usr/lib/libjemalloc.so.2, PYTHONHASHSEED: '0'}", "env_allowed=[LD_PRELOAD, PYTHONHASHSEED]"),
    ("app.module=shop:create_app()", "app.arguments=[production, 2, true, null, [a, b]]"),
    ("app.module=shop:create_app", "app.arguments={config_name: production}"),
    ("app.module=shop:create_app", "app.arguments={sort_key: name, cache_key: users}"),
    ("gunicorn.logconfig_dict={filters: {m: {(): app.Mask, keys: [password, token], tag_key: level}}, loggers: {}}",),
    ("app.build_commands=['SECRET_KEY=build-7f3a flask assets build']", "env_allowed=[SECRET_KEY]"),
    ("app.build_commands=['SECRET_KEY=dummy python manage.py collectstatic --noinput']",),
    ("app.wrapper=[newrelic-admin, run-program]",),
    ("app.mount=/tool", "health={readiness_path: /toolbox, host: 'a.example.com:8443'}"),
    (
        "app.mount=/a/tool",
        "kubernetes={allowed_cidrs: [{cidr: 10.7.0.0/24}], route: {kind: ingress, host: a.b, path: /a}}",
    ),
    ("forwarded_allow_ips='*'",),
    ("forwarded_allow_ips='10.0.0.0/8, ::1'",),
    ("gunicorn={limit_request_line: 8190, dogstatsd_tags: 'a:b', logconfig_dict: {}}",),
    ("group=team",),
    ("image=registry.example:5000/team/app:1.4",),
    ("image=registry.example:65535/app:99999",),
    ("image=registry.example/app@sha256:" + "a" * 64,),
]

SERVER_NAMES = "one of " + ", ".join(sorted(SERVERS))
RESERVED = "variables of the app; this one is reserved for the server"
SECRET = "no secrets: the image, its history and the manifests would all show them"
REFUSED = [
    # --set, field path, part of what is allowed, part of what to do
    (("server=gunicorn",), "server", SERVER_NAMES, "take one of them"),
    (("server=gevnt",), "server", SERVER_NAMES, "did you mean gevent?"),
    (("threads=4",), "threads", "ignored: gevent serves requests in greenlets", "remove it"),
    (("server=gthread", "header_timeout=10"), "header_timeout", "ignored: gthread waits for headers", "another server"),
    (("gunicorn.asgi_loop=auto",), "gunicorn.asgi_loop", "only gunicorn's asgi worker reads it", "another server"),
    (("python=3.15",), "python", "one of 3.11, 3.12, 3.13, 3.14 for gevent: those that its lock", "write 3.14"),
    (("workers={per_cpu: 1, at_least: 3, at_most: 2}",), "workers.at_most", "at_least (3) or more", "raise it"),
    (("workers=0",), "workers", "from 1 to 1024", "for example: 4"),
    (("max_requests_jitter=1",), "max_requests_jitter", "0 while max_requests is 0", "set max_requests too"),
    (("max_requests=10", "max_requests_jitter=11"), "max_requests_jitter", "at most max_requests (10)", "lower it"),
    (("backlog=4097",), "backlog", "at most somaxconn (4096)", "set somaxconn to what the node allows"),
    (("workers=2", "worker_connections=599"), "worker_connections", "599 x 2 workers hold 1198", "raise workers"),
    (("server=gthread", "workers=90", "threads=16", "worker_connections=16"), "worker_connections",
     "more than threads (16)", "lower threads"),
    (("connections=16001", "resources.memory=256Mi"), "resources.memory",
     "at least 510Mi for 16001 connections with one gevent worker", "raise it, or lower connections"),
    (("connections=1", "resources.memory=60Mi"), "resources.memory", "at least 61Mi for 1 connections", "raise it"),
    (("websocket=true", "resources.memory=256Mi"), "resources.memory", "at least 318Mi for 1200 connections",
     "raise it, or lower connections"),
    (("server=gthread", "websocket=true", "connections=100", "threads=100"), "threads",
     "more than connections (100) with gthread and websocket: each WebSocket holds a", "write threads: 101"),
    (("server=gthread", "websocket=true", "connections=1024", "resources.memory=1Gi"), "threads",
     "more than connections (1024)", "lower connections below 1024"),
    (("server=sync", "websocket=true", "connections=2"), "websocket", "timeout kills that", "choose another server"),
    (("server_packages={gunicorn: 23.0.0}",), "server_packages.gunicorn", "gunicorn 27.0.1 for gevent: what the tests",
     "take one of these"),
    (("server_packages={gunicorn: 26.2.0}",), "server_packages.gunicorn", "gunicorn 27.0.1 for gevent", "server: sync"),
    (("server=sync", "connections=2", "server_packages={gunicorn: 25.0.0}"), "server_packages.gunicorn",
     "gunicorn 27.0.1 or 26.2.0 for sync", "take one of these"),
    (("server_packages={flask: 3.1.3}",), "server_packages.flask", "a package of gevent: gunicorn, gevent",
     "remove it"),
    (("resources.worker_memory=1Gi",), "resources.memory", "at least 1349Mi", "raise it, or lower connections"),
    (("name=app",), "name", "not app or runtime or servers", "choose another"),
    (("name=servers",), "name", "not app or runtime or servers", "choose another"),
    (("group=runtime",), "group", "not app or runtime", "choose another"),
    (("name=1web",), "name", "starts with a letter", "for example: large"),
    (("name=web-",), "name", "a DNS label", "for example: large"),
    (("name=" + "a" * 41,), "name", "at most 40 characters", "it has 41"),
    (("app.path=/etc",), "app.path", "relative to the build context", "without .."),
    (("app.path=a/../..",), "app.path", "relative to the build context", "without .."),
    (("app.path='~'",), "app.path", "relative to the build context", "without .."),
    (("app.requirements=r*.txt",), "app.requirements", "relative to the build context", "rename it"),
    (("app.path=a$b",), "app.path", "relative to the build context", "COPY reads"),
    (("app.module=code.py",), "app.module", "module:name or module:factory()", "flask_server:app"),
    (("app.build_packages=[-y]",), "app.build_packages.0", "a Debian package", "libpq5"),
    (("app.build_packages=[a1, 'a && id']",), "app.build_packages.1", "a Debian package", "libpq5"),
    (("app.module=class:def",), "app.module", "module:name", "class is a keyword of Python"),
    (("app.module=app:def",), "app.module", "module:name", "def is a keyword of Python"),
    (("app.module=pkg.import:make()",), "app.module", "module:name", "import is a keyword of Python"),
    (("app.module='app:'",), "app.module", "module:name or module:factory()", "flask_server:app"),
    (("app.module=app:make(1)",), "app.module", "module:name or module:factory()", "as arguments: [...] beside it"),
    (("app.module=app:make('a')",), "app.module", "module:name", "from app import make; app = make(...)"),
    (("app.hooks=my.lambda",), "app.hooks", "a module name", "lambda is a keyword of Python"),
    (("image=app:ünicode",), "image", "an image reference", "registry.example"),
    (("image=registry.example:99999/app",), "image", "an image reference", "99999 is not from 1 to 65535"),
    (("image=registry.example:0/app",), "image", "an image reference", "0 is not from 1 to 65535"),
    (("proxy_image=registry.example:65536/nginx",), "proxy_image", "an image reference", "65536 is not from 1 to"),
    (("health.readiness_path=readyz",), "health.readiness_path", "an absolute URL path", "/readyz"),
    (("health.readiness_path=\"/a\\r\\nX: y\"",), "health.readiness_path", "an absolute URL path", "/readyz"),
    (("health.readiness_path=/ü",), "health.readiness_path", "an absolute URL path in ASCII", "/readyz"),
    (("forwarded_allow_ips=10.0.0.1/8",), "forwarded_allow_ips", "addresses and networks", "has host bits set"),
    (("forwarded_allow_ips='fe80::1%x; y z'",), "forwarded_allow_ips", "addresses and networks", "leave out the scope"),
    (("forwarded_allow_ips='fe80::1%eth0'",), "forwarded_allow_ips", "addresses and networks", "leave out the scope"),
    (("resources.cpu=0",), "resources.cpu", "from 10m to 1024", "500m"),
    (("resources.cpu=1.2345",), "resources.cpu", "from 10m to 1024", "500m"),
    (("resources.memory=1GB",), "resources.memory", "from 1Mi to 64Ti", "write 1Gi"),
    (("image=UPPER",), "image", "an image reference", "registry.example"),
    (("gunicorn.bind='0:1'",), "gunicorn.bind", "does not own", "bind is set by the kit: use port"),
    (("gunicorn.timeout=9",), "gunicorn.timeout", "does not own", "stands at the top level of a profile: move it"),
    (("gunicorn.logfile=x",), "gunicorn.logfile", "does not own", "'logfile'; did you mean errorlog?"),
    (("gunicorn.limit_request_lines=1",), "gunicorn.limit_request_lines", "does not own", "mean limit_request_line?"),
    (("gunicorn.limit_request_line='1'",), "gunicorn.limit_request_line", "does not own", "is of type int: remove"),
    (("gunicorn.post_fork=x",), "gunicorn.post_fork", "does not own", "write it in the module that app.hooks names"),
    *(((f"env.{name}=x",), f"env.{name}", SECRET, "name in env_secrets which Secret has it") for name in (
        "PASSWORD", "DB_PASSWD", "CLIENT_SECRET", "secret_key", "GITHUB_TOKEN", "KEY", "API_KEYS", "APIKEY", "KEY_2",
        "AWS_CREDENTIALS", "SIGNINGKEY", "PGPASSWORD", "SECRET_KEY_FALLBACKS", "API_TOKEN_PROD", "DB_PASS", "PGPASS")),
    *(((f"env.{name}={value}",), f"env.{name}", SECRET, f"env_allowed: [{name}]") for name, value in (
        ("DB_PASSWORD", "123456"), ("API_TOKEN", "1234567890"), ("SECRET_ACCESS_KEY", "/wJalrXUtnFEMI0K7MDENG/bPxRfi"),
        ("SECRET_KEY", "/a+b"), ("PRIVATE_KEY", "x"))),
    *(((f"env.ANY={value}",), "env.ANY", SECRET, "env_allowed: [ANY]") for value in (
        "'host=db password=hunter2'", "'AccountName=a;AccountKey=abc123=='", "https://hooks.slack.com/services/T0/B0/X",
        "https://0123456789abcdef@o1.ingest.example/2", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
        "'-----BEGIN RSA PRIVATE KEY-----'", "AKIAIOSFODNN7EXAMPLE", "ghp_abc123", "xoxb-123456-abcdef")),
    *(((f"env.{name}={value}",), f"env.{name}", SECRET, f"env_allowed: [{name}]") for name, value in (
        ("DB_PWD", "hunter2"), ("MYSQL_PWD", "hunter2"), ("BASIC_AUTH", "'admin:hunter2'"), ("BLOB_SAS", "sv"))),
    (("gunicorn.logconfig_dict={handlers: {mail: {class: x, credentials: [u, hunter2]}}, loggers: {}, "
      "root: {handlers: [mail]}}",),
     "gunicorn.logconfig_dict", "logconfig_dict.handlers.mail.credentials", "the app's own code"),
    (("gunicorn.dogstatsd_tags='password=hunter2'",), "gunicorn.dogstatsd_tags", "no secrets", "leave it out"),
    (("app.build_commands=[make, 'NPM_TOKEN=abc npm ci']",), "app.build_commands.1", "history", "app.build_secrets"),
    (("app.wrapper=[ddtrace-run, --api-key, hunter2]",), "app.wrapper.2", "no secrets", "name it in env_secrets"),
    (("env_allowed=[API_KEY]",), "env_allowed.0", "names of variables in env", "correct the name"),
    (("env.PYTHONHOME=/x", "env_allowed=[PYTHONHOME]"), "env.PYTHONHOME", RESERVED, "remove it"),
    (("env.LD_AUDIT=/x", "env_allowed=[LD_AUDIT]"), "env.LD_AUDIT", RESERVED, "remove it"),
    (("env.PORT=80", "env_allowed=[PORT]"), "env.PORT", RESERVED, "use port"),
    (("env.PYTHONHASHSEED=0",), "env.PYTHONHASHSEED", RESERVED, "or write env_allowed: [PYTHONHASHSEED]"),
    (("env.SCRIPT_NAME=/tool",), "env.SCRIPT_NAME", RESERVED, "use app.mount"),
    (("app.arguments=production",), "app.arguments", "a list or a mapping of values", "[production]"),
    (("app.arguments={a-b: 1}",), "app.arguments", "a list or a mapping of values", "no parameter of a Python"),
    (("app.arguments={lambda: 1}",), "app.arguments", "a list or a mapping of values", "no parameter"),
    (("app.arguments=[{a: 1}]",), "app.arguments", "a list or a mapping of values", "in a module of your own"),
    (("app.arguments={secret_key: abc}",), "app.arguments.secret_key", "no secrets", "read it from the environment"),
    (("app.arguments=['postgres://u:p@h/d']",), "app.arguments.0", "no secrets", "read it from the environment"),
    (("app.wrapper=[ddtrace-run, gunicorn]",), "app.wrapper.1", "no word like", "follows by itself"),
    (("app.mount=/",), "app.mount", "an absolute URL path without a slash at its end", "/tool"),
    (("app.mount=/a/../b",), "app.mount", "an absolute URL path without a slash at its end", "/tool"),
    (("app.mount=/tool", "health.readiness_path=/tool/r"), "health.readiness_path", "of the app's own", "write /r"),
    (("app.mount=/tool", "health.readiness_path=/tool"), "health.readiness_path", "of the app's own", "write /"),
    (("app.mount=/toolbox", "kubernetes.allowed_cidrs=[{cidr: 10.7.0.0/24}]",
      "kubernetes.route={kind: ingress, host: a.b, path: /tool}"),
     "kubernetes.route.path", "/toolbox (app.mount)", "app.mount is routed"),
    (("health.host='a b'",), "health.host", "a host name", "app.example.com"),
    (("health.host=\"a\\r\\nX: y\"",), "health.host", "a host name", "app.example.com"),
    *(((f"server={name}",), "server", "", remedy) for name, remedy in (
        ("uvicorn.workers.UvicornWorker", "an ASGI app needs an image with an ASGI server"),
        ("uvicorn", "For a WSGI app write gevent"), ("uvicorn_worker.UvicornWorker", "For a WSGI app write gevent"),
        ("gunicorn.workers.ggevent.GeventWorker", "write gevent"))),
    (("port=80",), "port", "from 1024 to 65535", "kubernetes.service_port"),
    (("server=sync", "connections=3", "request_timeout=31"), "request_timeout", "at most timeout (30) with sync",
     "write timeout: 31"),
    (("server=meinheld", "proxy_max_body=17Mi"), "proxy_max_body", "at most 16Mi with meinheld", "choose gthread"),
    (("request_timeout=0",), "request_timeout", "from 1 to 3600", "for example: 300"),
    (("timeout=0",), "timeout", "from 1 to 3600", "would leave a worker that hangs for ever"),
    (("pythonpath=src",), "pythonpath", "one of", "write app.python_path"),
    (("gunicorn.pythonpath=src",), "gunicorn.pythonpath", "does not own", "use app.python_path"),
    (("gunicorn.logconfig_dict=[a]",), "gunicorn.logconfig_dict", "does not own", "write a mapping"),
    (("env.URL='postgres://user:x@db/1'",), "env.URL", SECRET, "remove it here"),
    (("env.URL='see HTTPS://u@h'",), "env.URL", SECRET, "remove it here"),
    *(((f"env.{name}=1",), f"env.{name}", RESERVED, remedy) for name, remedy in (
        ("GUNICORN_CMD_ARGS", "write the setting in the profile"), ("WEB_CONCURRENCY", "use workers"),
        ("PORT", "use port"), ("PYTHONPATH", "use app.python_path"), ("LD_PRELOAD", "env_allowed: [LD_PRELOAD]"),
        ("PATH", "the image sets it"),
        ("SENDFILE", "any value turns sendfile off"), ("KIT_CPU_MILLICORES", "remove it"), ("LISTEN_FDS", "remove"),
        ("FORWARDED_ALLOW_IPS", "use forwarded_allow_ips"), ("HOME", "the image sets it"), ("PIP_CERT", "remove it"))),
    (("env_secrets={PORT: {secret: a, key: b}}",), "env_secrets.PORT", RESERVED, "use port"),
    (("env_secrets={LD_PRELOAD: {secret: a, key: b}}",), "env_secrets.LD_PRELOAD", RESERVED, "remove it"),
    (("env_secrets={A: {secret: a, key: b}}", "env={A: b}"), "env_secrets.A", "a name that env has not", "remove one"),
    (("env_secrets={A: {secret: a, key: ../b}}",), "env_secrets.A.key", "a key of a Secret", "for example: uri"),
    (("env_secrets={A: x}",), "env_secrets.A", "a mapping with secret, key", "write its settings below it"),
    (("volumes=[{name: a, mount_path: /d, claim: c}]",), "volumes.0.access_mode",
     "ReadWriteMany or ReadOnlyMany without", "set kubernetes.replicas: 1"),
    (("volumes=[{name: a, mount_path: /d, size: 1Gi}]", "kubernetes.volumes=[{name: a, mount_path: /e, size: 1Gi}]"),
     "kubernetes.volumes.0.name", "a name beside", "choose another"),
    (("env.A-B=1",), "env.A-B", "a name that is a variable name", "rename it, for example GREETING"),
    (("env.A=\"x\\ny\"",), "env.A", "text of one line", "for example: hello"),
    (("env.A=" + "x" * 10_241,), "env.A", "text of one line", "at most 10240 characters; it has 10241"),
]  # fmt: skip


@pytest.mark.parametrize("overrides", ACCEPTED, ids=" ".join)
def test_accepted(overrides: tuple[str, ...]) -> None:
    assert plan_of("", *overrides).numbers.workers.value >= 1


@pytest.mark.parametrize(("overrides", "path", "allowed", "remedy"), REFUSED, ids=lambda value: str(value)[:50])
def test_refused(overrides: tuple[str, ...], path: str, allowed: str, remedy: str) -> None:
    faults = faults_of("", *overrides)
    assert [fault.path for fault in faults] == [path]
    assert allowed in faults[0].allowed
    assert remedy in faults[0].remedy


@pytest.mark.parametrize("letter", ["a", "://", "a:", "/@", "a-"])
def test_a_long_value_is_judged_in_linear_time(letter: str) -> None:
    def cpu_seconds(length: int) -> float:
        value, rounds = letter * (length // len(letter)), []
        for _ in range(3):
            started = time.process_time()
            plan_of("", f"env.A='{value}'")
            rounds.append(time.process_time() - started)
        return min(rounds)

    assert cpu_seconds(10_240) < 20 * cpu_seconds(1_024), "ten times the length; a hundred would be its square"
