"""What a newer cluster would warn of, or no longer know: versions, labels, annotations, fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .problem import Problem

#: Group versions that are gone or going, and what to write instead.
_VERSIONS = {
    "apps/v1beta1": "apps/v1",
    "apps/v1beta2": "apps/v1",
    "autoscaling/v2beta1": "autoscaling/v2",
    "autoscaling/v2beta2": "autoscaling/v2",
    "extensions/v1beta1": "apps/v1 or networking.k8s.io/v1",
    "networking.k8s.io/v1beta1": "networking.k8s.io/v1",
    "policy/v1beta1": "policy/v1",
    "gateway.networking.k8s.io/v1alpha2": "gateway.networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1beta1": "gateway.networking.k8s.io/v1",
}
_KEYS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "kubernetes.io/ingress.class": "spec.ingressClassName",
    "container.seccomp.security.alpha.kubernetes.io/pod": "securityContext.seccompProfile",
    "seccomp.security.alpha.kubernetes.io/pod": "securityContext.seccompProfile",
    "container.apparmor.security.beta.kubernetes.io/app": "securityContext.appArmorProfile",
    "service.alpha.kubernetes.io/tolerate-unready-endpoints": "spec.publishNotReadyAddresses",
}
_FIELDS = {
    "serviceAccount": "serviceAccountName",
    "gitRepo": "an init container",
    "loadBalancerIP": "an annotation of the provider",
    "topologyKeys": "trafficDistribution",
}


def warnings(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Each use of something deprecated, with what replaced it."""
    version = str(document["apiVersion"])
    if version in _VERSIONS:
        yield "apiVersion", f"{version} is deprecated: write {_VERSIONS[version]}"
    yield from _deprecated(document, "")


def _deprecated(value: Any, field: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            place = f"{field}.{key}" if field else str(key)
            if instead := _KEYS.get(key) or _FIELDS.get(key):
                yield place, f"is deprecated: write {instead}"
            for text in [item] if isinstance(item, str) else []:
                if text in _KEYS:
                    yield place, f"{text} is deprecated: write {_KEYS[text]}"
            if key != "data":
                yield from _deprecated(item, place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _deprecated(item, f"{field}.{number}")
