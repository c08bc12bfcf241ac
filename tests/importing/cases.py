"""What people start gunicorn with, one of each kind, as `import` finds it beside an app."""

from __future__ import annotations

from pathlib import Path

from generator.docs.seed import copied

FLASK = """\
from flask import Flask

app = Flask(__name__)


@app.get("/")
@app.get("/healthz")
def index():
    return "imported"
"""
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

#: Name to files and arguments of `import`; app.py and requirements.txt lie beside them.
CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    "copied gevent": ({"gunicorn_config.py": copied("gevent")}, ["gunicorn_config.py"]),
    "copied meinheld": (
        {"gunicorn_config.py": copied("meinheld")},
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


def project(name: str, folder: Path) -> list[str]:
    """Write the case's files into a folder; returns the arguments of `import`."""
    files, words = CASES[name]
    for path, text in {"app.py": FLASK, "requirements.txt": "flask\n", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return words
