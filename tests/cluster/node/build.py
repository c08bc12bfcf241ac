"""Build a whole Kubernetes node into the user's cache, from Go's module proxy and Debian's archive.

``python -m tests.cluster.node.build``: about 25 minutes on two cores, 6 GB of caches, 0.6 GB of binaries. What is
there is kept. Needs Go >= 1.24, apt-get (Debian 12 or newer) and runc.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

MINOR, PATCH = 34, 4
VERSION = f"v1.{MINOR}.{PATCH}"
COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
#: What a managed cluster brings beside Kubernetes: figures for autoscalers, and network policies that are enforced.
#: kube-router does so by iptables and ipset, which this kernel has; sigs.k8s.io/kube-network-policies needs nftables'
#: queue expression, which it has not.
ADDONS = {
    "metrics-server": ("sigs.k8s.io/metrics-server/cmd/metrics-server", "v0.8.0"),
    "kube-router": ("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", "v2.1.0"),
}
#: What runs in pods, beside the app.
SIDECARS = {"statsd_exporter": ("github.com/prometheus/statsd_exporter", "v0.31.0")}
#: What judges manifests without a cluster.
LINTERS = {"kube-score": ("github.com/zegl/kube-score/cmd/kube-score", "v1.20.0")}
#: Whose HTTPRoute is a definition that clusters add to their own.
GATEWAY_API = ("sigs.k8s.io/gateway-api", "v1.4.1")
#: By name: package and version.
_BUILT = ADDONS | SIDECARS | LINTERS
#: Unpacked and not installed: what is installed on the machine stays as it is.
PACKAGES = ("etcd-server", "containerd", "containernetworking-plugins")
SUITE = "trixie"
#: Linked against the machine's own libc, so from its own suite.
PACKAGES_OF_THE_MACHINE = ("ipset", "libipset13")
PAUSE_IMAGE = "localhost/pause:1"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kit-cluster"
BIN, UNPACKED, PAUSE_TAR = CACHE / "bin", CACHE / "debs" / "root", CACHE / "pause.tar"
HTTPROUTE = CACHE / "httproutes.yaml"

_UNPACKED_FILES = ("usr/bin/etcd", "usr/bin/containerd", "usr/sbin/ipset")

_PAUSE = """// Pause holds a pod's namespaces and reaps what is orphaned in them.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			os.Exit(0)
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
"""


def missing() -> list[str]:
    """What is not in the cache, in words."""
    found = []
    kubelet = BIN / "kubelet"
    version = (
        subprocess.run([kubelet, "--version"], check=False, capture_output=True, text=True).stdout
        if kubelet.exists()
        else ""
    )
    if version.strip() != f"Kubernetes {VERSION}":
        found.append(f"Kubernetes {VERSION}")
    found += [name for name in (*COMMANDS, *_BUILT) if not (BIN / name).exists()]
    found += [name for name in _UNPACKED_FILES if not (UNPACKED / name).exists()]
    found += [] if PAUSE_TAR.exists() else ["the pause image"]
    found += [] if HTTPROUTE.exists() else ["the Gateway API"]
    return found


def build() -> None:
    """Everything that is missing."""
    for folder in (BIN, CACHE / "src", CACHE / "debs", CACHE / "log"):
        folder.mkdir(parents=True, exist_ok=True)
    if any(name in COMMANDS or name.startswith("Kubernetes ") for name in missing()):
        _kubernetes()
    for name in _BUILT:
        command(name)
    if not all((UNPACKED / name).exists() for name in _UNPACKED_FILES):
        codename = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(), re.M)
        assert codename, "Debian names its release"
        _debian_packages(SUITE, PACKAGES)
        _debian_packages(codename[1], PACKAGES_OF_THE_MACHINE)
    if not PAUSE_TAR.exists():
        _pause_image()
    if not HTTPROUTE.exists():
        _gateway_api()


def _go(*words: str, cwd: Path) -> str:
    environment = {
        **os.environ,
        "GOMODCACHE": os.environ.get("GOMODCACHE", str(CACHE / "gomod")),
        "GOCACHE": os.environ.get("GOCACHE", str(CACHE / "gocache")),
        "GOFLAGS": "-mod=mod",
        "CGO_ENABLED": "0",
        "GOMEMLIMIT": "3GiB",
    }
    done = subprocess.run(
        ["nice", "-n", "19", "go", *words], check=False, cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"go {' '.join(words)}:\n{done.stderr[-3000:]}")
    return done.stdout


def _kubernetes() -> None:
    """From its Go module, whose go.mod asks for k8s.io/*@v0.0.0 and leaves it to a go.work to replace them.

    That is not part of the module: one of our own pins each of them to the version of the same release instead.
    """
    source = CACHE / "src" / "kubernetes"
    source.mkdir(parents=True, exist_ok=True)
    for file in ("go.mod", "go.sum"):
        (source / file).unlink(missing_ok=True)
    _go("mod", "init", "kit.invalid/kubernetes", cwd=source)
    downloaded = json.loads(_go("mod", "download", "-json", f"k8s.io/kubernetes@{VERSION}", cwd=source))
    upstream = Path(downloaded["GoMod"]).read_text()
    go, godebug = (re.search(rf"^{word} (\S+)$", upstream, re.M) for word in ("go", "godebug"))
    assert go and godebug, "its go.mod names both"
    edits = [f"-go={go[1]}", f"-godebug={godebug[1]}", f"-require=k8s.io/kubernetes@{VERSION}"]
    for module in re.findall(r"^\tk8s\.io/(\S+) v0\.0\.0$", upstream, re.M):
        pinned = f"k8s.io/{module}@v0.{MINOR}.{PATCH}"
        edits += [f"-require={pinned}", f"-replace=k8s.io/{module}={pinned}"]
    _go("mod", "edit", *edits, cwd=source)
    imports = "".join(f'\t_ "k8s.io/kubernetes/cmd/{command}"\n' for command in COMMANDS)
    (source / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\nimport (\n{imports})\n")
    _go("mod", "tidy", "-e", cwd=source)
    package = "k8s.io/component-base/version"
    stamp = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": str(MINOR)}
    flags = " ".join(["-s", "-w", *(f"-X {package}.{name}={value}" for name, value in stamp.items())])
    for command in COMMANDS:
        start = time.monotonic()
        # Without -pgo=off, kubelet's own default.pgo has every dependency compiled once more.
        words = ["build", "-p", "2", "-pgo=off", "-trimpath", "-ldflags", flags, "-o", str(BIN / command)]
        _go(*words, f"k8s.io/kubernetes/cmd/{command}", cwd=source)
        print(f"built {command} in {time.monotonic() - start:.0f} s", flush=True)


def command(name: str) -> None:
    """One that is no part of Kubernetes, if it is missing; its module builds as it is."""
    if (BIN / name).exists():
        return
    package, version = _BUILT[name]
    source, start = CACHE / "src" / name, time.monotonic()
    source.mkdir(parents=True, exist_ok=True)
    if not (source / "go.mod").exists():
        _go("mod", "init", f"kit.invalid/{name}", cwd=source)
    _go("get", f"{package}@{version}", cwd=source)
    words = ["build", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", str(BIN / name)]
    _go(*words, package, cwd=source)
    print(f"built {name} in {time.monotonic() - start:.0f} s", flush=True)


def _gateway_api() -> None:
    """The definition of HTTPRoute, with its rules, from the module that has it."""
    source = CACHE / "src" / "gateway-api"
    source.mkdir(parents=True, exist_ok=True)
    if not (source / "go.mod").exists():
        _go("mod", "init", "kit.invalid/gateway-api", cwd=source)
    module, version = GATEWAY_API
    folder = Path(json.loads(_go("mod", "download", "-json", f"{module}@{version}", cwd=source))["Dir"])
    shutil.copyfile(folder / "config" / "crd" / "standard" / "gateway.networking.k8s.io_httproutes.yaml", HTTPROUTE)


def _debian_packages(suite: str, packages: tuple[str, ...]) -> None:
    folder = CACHE / "debs"
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    listed = Path("/etc/apt/sources.list.d/debian.sources").read_text()
    mirror = re.search(r"^URIs:\s*(\S+)", listed, re.M)
    assert mirror, "Debian's own sources name a mirror"
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keys}] {mirror[1]} {suite} main\n")
    options = {
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    subprocess.run([*apt, "update", "-qq"], check=True)
    subprocess.run([*apt, "download", "-qq", *packages], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, UNPACKED], check=True)
    for name in ("lists", "cache"):
        shutil.rmtree(folder / name)


def _pause_image() -> None:
    """The process that holds a pod's namespaces, and the node's PID 1, which hands itself over to it."""
    source = CACHE / "src" / "pause"
    source.mkdir(parents=True, exist_ok=True)
    (source / "main.go").write_text(_PAUSE)
    if not (source / "go.mod").exists():
        _go("mod", "init", "kit.invalid/pause", cwd=source)
    _go("build", "-trimpath", "-ldflags", "-s -w", "-o", str(BIN / "pause"), ".", cwd=source)
    layer = _tar([("pause", (BIN / "pause").read_bytes(), 0o755)])
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = [("layer.tar", layer), ("config.json", _json(configuration)), ("manifest.json", _json(manifest))]
    PAUSE_TAR.write_bytes(_tar((name, data, 0o644) for name, data in files))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _tar(files: Iterable[tuple[str, bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data, mode in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


if __name__ == "__main__":
    build()
    sys.exit(f"still missing: {', '.join(left)}" if (left := missing()) else 0)
