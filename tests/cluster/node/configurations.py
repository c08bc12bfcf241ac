"""Configuration files of containerd, its network plugins, kubelet and kube-proxy."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import yaml

from .build import PAUSE_IMAGE, UNPACKED


def write_all(run: Path, name: str, node: str, pods: str, dns_ip: str) -> None:
    """Below ``run``, with the folders that they name."""
    for folder in ("cni", "log", "kubelet", "containerd", "etcd", "metrics", "var", "var-work", "pod-logs"):
        (run / folder).mkdir(parents=True)
    (run / "cni" / "10-kit.conflist").write_text(json.dumps(_network(pods)))
    (run / "containerd.toml").write_text(_containerd(run))
    (run / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (run / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(run, name, dns_ip)))
    (run / "proxy.yaml").write_text(yaml.safe_dump(_proxy(run, node, pods)))


def _network(pods: str) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni-ipam",
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "kit", "plugins": [{**bridge, "ipam": addresses}, ports]}


def _containerd(run: Path) -> str:
    # restrict_oom_score_adj: this machine's root may lack CAP_SYS_RESOURCE.
    return f"""version = 2
root = "{run}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{UNPACKED}/usr/lib/cni"
    conf_dir = "{run}/cni"
"""


def _kubelet(run: Path, name: str, dns_ip: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{run}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{name}",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failSwapOn": False,
        "maxOpenFiles": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "podLogsDir": f"{run}/pod-logs",
        "volumePluginDir": f"{run}/volume-plugins",
        "resolvConf": f"{run}/resolv.conf",
        "clusterDNS": [dns_ip],
        "clusterDomain": "cluster.local",
    }


def _proxy(run: Path, node: str, pods: str) -> dict[str, Any]:
    # conntrack's limits are the machine's, and not ours to set.
    conntrack = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": node,
        "clusterCIDR": pods,
        "clientConnection": {"kubeconfig": f"{run}/proxy.conf"},
        "conntrack": conntrack,
    }


def metrics_api(ip: str, port: int) -> list[dict[str, Any]]:
    """The objects by which the API server finds metrics-server, a process of the node and no pod."""
    metadata = {"name": "metrics-server", "namespace": "kube-system"}
    labels = {"kubernetes.io/service-name": "metrics-server"}
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{**ports[0], "port": 443}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "service": {"name": "metrics-server", "namespace": "kube-system"},
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    ]
