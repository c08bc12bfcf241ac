"""What `docker build` needs where a machine reaches its packages through a proxy or a mirror."""

from __future__ import annotations

import os
from collections.abc import Mapping

HOST_BUILD_ARGS = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
)


def host_build_args(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxy and index settings of this machine, for `docker build --build-arg`."""
    return {name: environ[name] for name in HOST_BUILD_ARGS if environ.get(name)}


def host_proxies(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxy settings alone, for an image that takes nothing from a package index."""
    return {name: value for name, value in host_build_args(environ).items() if name.lower().endswith("_proxy")}
