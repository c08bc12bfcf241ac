"""What requests, tolerations and annotations together must not be."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Fault
from ..profile.load import Draft
from ..profile.schema import Profile

#: Annotations of the pods that the manifests write themselves; the second one's family only with metrics.
_OWN_ANNOTATION = "container-kit.dev/configuration-sha256"
_METRICS_ANNOTATIONS = "prometheus.io/"


def scheduling_faults(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Every fault of them that no field can find alone."""
    yield from _request(draft, profile)
    yield from _tolerations(draft, profile)
    section = profile.kubernetes
    if section.affinity is not None and not isinstance(section.affinity, dict):
        allowed = "a mapping with nodeAffinity, podAffinity or podAntiAffinity"
        yield draft.fault("kubernetes.affinity", allowed, "correct it", code="K006")
    for key, _ in section.pod_annotations:
        own = section.metrics == "prometheus" and key.startswith(_METRICS_ANNOTATIONS)
        if own or key == _OWN_ANNOTATION:
            allowed = f"none that the manifest has by itself, as {key}"
            yield draft.fault("kubernetes.pod_annotations", allowed, "remove it", code="K015")


def _request(draft: Draft, profile: Profile) -> Iterator[Fault]:
    request = profile.resources.cpu_request
    if request is None or draft.has_fault("resources"):
        return
    if profile.kubernetes.cpu_limit == "none":
        allowed = "not beside cpu_limit: none, where resources.cpu is the request"
        yield draft.fault("resources.cpu_request", allowed, "remove it, and give the request as resources.cpu")
    elif request > profile.resources.cpu:
        yield draft.fault("resources.cpu_request", "at most resources.cpu, which is the limit", "lower it")


def _tolerations(draft: Draft, profile: Profile) -> Iterator[Fault]:
    for number, one in enumerate(profile.kubernetes.tolerations):
        path = f"kubernetes.tolerations.{number}"
        if one.operator == "Exists" and one.value is not None:
            yield draft.fault(f"{path}.value", "none with operator: Exists", "remove it")
        if one.operator == "Equal" and one.key is None:
            yield draft.fault(path, "a key with operator: Equal", "add key, or write operator: Exists")
        if one.seconds is not None and one.effect != "NoExecute":
            yield draft.fault(f"{path}.seconds", "only with effect: NoExecute", "remove it, or add the effect")
