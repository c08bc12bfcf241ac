"""A plain nginx pod that stands in for an ingress controller: TLS ends there, and each host has its Service.

It addresses the Service, as ingress-nginx does with `service-upstream`, over connections that it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.containers.command import CommandFailed
from generator.proof.kubectl import Kubectl, ready

from .cluster import Cluster, wait

PORT = 8443
_CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=kit -keyout /tmp/key.pem -out /tmp/cert.pem"
_CONFIGURATION = """\
pid /tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/response; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    ssl_certificate /tmp/cert.pem;
    ssl_certificate_key /tmp/key.pem;
    proxy_http_version 1.1;
    # As ingress controllers are by default: scheme and address set afresh, Host passed on.
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $remote_addr;
%s}
"""
_HOST = """\
    upstream %(app)s { server %(address)s; keepalive 64; }
    server {
        listen 8443 ssl;
        server_name %(host)s;
        location / { proxy_pass http://%(app)s; }
    }
"""


def start(kubectl: Kubectl, cluster: Cluster, image: str, hosts: Mapping[str, str]) -> str:
    """Run it in kubectl's namespace, and wait until a pod of the tests reaches it; its Service's IP:PORT.

    ``hosts`` gives each host the name of a Service of the tests' namespace; they do not change afterwards.
    """
    text = ""
    for host, app in hosts.items():
        service = cluster.get("service", app)["spec"]
        address = f"{service['clusterIP']}:{service['ports'][0]['port']}"
        text += _HOST % {"app": app, "address": address, "host": host}
    kubectl.apply(*_objects(image, _CONFIGURATION % text))
    wait(lambda: ready(kubectl.get("pod", "ingress")), 120, "the ingress is ready")
    address = kubectl.get("service", "ingress")["spec"]["clusterIP"]
    client = next(pod for app in hosts.values() for pod in cluster.pods(app) if ready(pod))["metadata"]["name"]
    # A node learns of a Service's endpoints after the pod is ready: until then it refuses, "No route to host".
    wait(lambda: _reaches(cluster, client, address), 60, "the ingress's Service is reached")
    return f"{address}:443"


def _reaches(cluster: Cluster, pod: str, address: str) -> bool:
    try:
        cluster.python(pod, f"import socket; socket.create_connection(({address!r}, 443), 5).close()")
    except CommandFailed:
        return False
    return True


def _objects(image: str, configuration: str) -> tuple[Mapping[str, Any], ...]:
    metadata = {"name": "ingress", "labels": {"app": "ingress"}}
    container = {
        "name": "nginx",
        "image": image,
        "command": ["sh", "-c", f"{_CERTIFICATE} && exec nginx -e stderr -c /conf/nginx.conf -g 'daemon off;'"],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "conf", "mountPath": "/conf"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 101, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "conf", "configMap": {"name": "ingress"}}, {"name": "tmp", "emptyDir": {}}],
    }
    ports = [{"port": 443, "targetPort": PORT}]
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"nginx.conf": configuration}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": "ingress"}, "ports": ports},
        },
    )
