"""One CA for the node, and a certificate and kubeconfig for each of its components, by openssl, for 30 days."""

from __future__ import annotations

import subprocess
from pathlib import Path

_CLIENT = "extendedKeyUsage=clientAuth"


def issue_all(run: Path, node: str, ip: str, service_ip: str) -> None:
    """Into ``run``/pki, and a kubeconfig beside it for each client."""
    folder = run / "pki"
    folder.mkdir(parents=True)
    _openssl(folder, "ecparam -name prime256v1 -genkey -noout -out ca.key")
    _openssl(folder, "req -x509 -new -key ca.key -subj /CN=kit-ca -days 30 -out ca.crt")
    _openssl(folder, "ecparam -name prime256v1 -genkey -noout -out sa.key")
    _openssl(folder, "ec -in sa.key -pubout -out sa.pub")
    names = f"subjectAltName=IP:127.0.0.1,IP:{ip},IP:{service_ip},DNS:kubernetes.default.svc"
    _issue(folder, "apiserver", "/CN=kube-apiserver", names)
    _issue(folder, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", _CLIENT)
    _issue(folder, "front-proxy", "/CN=front-proxy", _CLIENT)
    clients = {
        "admin": "/O=system:masters/CN=admin",
        "kubelet": f"/O=system:nodes/CN=system:node:{node}",
        "controller-manager": "/CN=system:kube-controller-manager",
        "scheduler": "/CN=system:kube-scheduler",
        "proxy": "/CN=system:kube-proxy",
    }
    for name, subject in clients.items():
        _issue(folder, name, subject, _CLIENT)
        (run / f"{name}.conf").write_text(
            "apiVersion: v1\nkind: Config\n"
            f"clusters: [{{name: kit, cluster: {{server: 'https://127.0.0.1:6443', "
            f"certificate-authority: {folder}/ca.crt}}}}]\n"
            f"users: [{{name: {name}, user: {{client-certificate: {folder}/{name}.crt, "
            f"client-key: {folder}/{name}.key}}}}]\n"
            f"contexts: [{{name: kit, context: {{cluster: kit, user: {name}}}}}]\ncurrent-context: kit\n"
        )


def _issue(folder: Path, name: str, subject: str, extensions: str) -> None:
    _openssl(folder, f"ecparam -name prime256v1 -genkey -noout -out {name}.key")
    _openssl(folder, f"req -new -key {name}.key -subj {subject} -out {name}.csr")
    (folder / f"{name}.ext").write_text(f"{extensions}\n")
    ca = "-CA ca.crt -CAkey ca.key -CAcreateserial -days 30"
    _openssl(folder, f"x509 -req -in {name}.csr {ca} -out {name}.crt -extfile {name}.ext")


def _openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split(" ")], cwd=folder, check=True, capture_output=True)
