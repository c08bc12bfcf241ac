"""Where a cluster puts the pods and what it notes on its objects; each setting once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import field_types as f
from . import formats
from .records import Record, section, setting
from .workload import OBJECT_NAME

_PREFIX = rf"({formats.LABEL}(\.{formats.LABEL})*/)?"
_KEY = f.text(
    "a key of a label or an annotation",
    "example.com/pool",
    rf"{_PREFIX}[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?",
    253,
)
_LABEL_VALUE = f.text("a label's value", "web", r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", 63)
#: The API server puts "requests." before it, and must have a domain of at most 253 characters then too.
_EXTENDED = f.text(
    "a resource of a domain",
    "amd.com/gpu",
    rf"(?!requests\.)(?=[^/]{{1,244}}/){formats.LABEL}(\.{formats.LABEL})+/[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?",
    308,
)
ANNOTATIONS = f.mapping_of(_KEY, f.text("text of one line", "internal", r"[^\r\n\x00]*"))
NODE_SELECTOR = f.mapping_of(_KEY, _LABEL_VALUE)
EXTENDED_RESOURCES = f.mapping_of(_EXTENDED, f.integer(1, 1_000_000, 1))
PRIORITY_CLASS = OBJECT_NAME
#: Checked by the schemas of the manifest's Kubernetes versions, as a patch is.
AFFINITY = replace(f.yaml_value(), allowed="a pod's affinity, as Kubernetes spells it", example="{podAffinity: {}}")


@dataclass(frozen=True, kw_only=True)
class Toleration(Record):
    """A taint of nodes that the pods may be put on all the same."""

    key: str | None = setting(_KEY.or_null(), "Key of the taint; null is every taint.", default=None)
    operator: str = setting(
        f.choice(("Equal", "Exists")), "Whether value must be the taint's, or none is compared.", default="Equal"
    )
    value: str | None = setting(_LABEL_VALUE.or_null(), "Value of the taint.", default=None)
    effect: str | None = setting(
        f.choice(("NoSchedule", "PreferNoSchedule", "NoExecute")).or_null(), "Its effect; null is all.", default=None
    )
    seconds: int | None = setting(
        f.integer(0, 1_000_000, 300).or_null(), "How long a pod stays after NoExecute; null is for ever.", default=None
    )


TOLERATIONS = f.list_of(section(Toleration))
