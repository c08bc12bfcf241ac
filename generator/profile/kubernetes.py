"""The profile's ``kubernetes`` section: what only the manifests need, each setting once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from . import field_types as f
from . import formats
from .records import Record, section, setting
from .scheduling import AFFINITY, ANNOTATIONS, NODE_SELECTOR, PRIORITY_CLASS, TOLERATIONS, Toleration
from .workload import ENV_FROM, EnvSource
from .workload import FOLDER as _FOLDER
from .workload import LABEL_NAME as _NAME
from .workload import OBJECT_NAME as _OBJECT

#: Minors that the manifests can be checked against (a test compares with the installed schemas); before 1.27 an HPA
#: cannot look at one container alone.
MINORS = tuple(f"1.{number}" for number in range(27, 38))
#: The first two are for one pod at a time, here: two of them need not be on the same node.
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany")
_HOST = f.text("a host name", "app.example.com", formats.HOST, 253)
#: A Gateway's controller refuses //, /./ and /../ in it.
_ROUTE_PATH = r"/|(/(?!\.{1,2}(/|$))[A-Za-z0-9_.~-]+)+/?"
_POINTER = r"/[A-Z][A-Za-z]*(/[^/\s]+)+"


@dataclass(frozen=True, kw_only=True)
class Volume(Record):
    """A folder of the app: one of a PersistentVolumeClaim, a Secret, a ConfigMap, or an empty folder of a size."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("claim", "secret", "config_map", "size")

    name: str = setting(_NAME, "Name of the volume.")
    mount_path: str = setting(_FOLDER, "Where the app sees it.")
    claim: str | None = setting(_OBJECT, "PersistentVolumeClaim that it is.", default=None)
    secret: str | None = setting(_OBJECT, "Secret whose keys are its files.", default=None)
    config_map: str | None = setting(_OBJECT, "ConfigMap whose keys are its files.", default=None)
    size: int | None = setting(formats.memory_quantity(), "Limit of an empty folder on the node's disk.", default=None)
    read_only: bool = setting(f.boolean(), "Whether the app may not write to it.", default=False)


@dataclass(frozen=True, kw_only=True)
class AppVolume(Volume):
    """The same for pod and Compose, which takes a volume of Docker's for a claim."""

    access_mode: str = setting(
        f.choice(ACCESS_MODES),
        "Of the claim: only one with ReadWriteMany or ReadOnlyMany can be in several pods.",
        default="ReadWriteOnce",
    )


@dataclass(frozen=True, kw_only=True)
class Peer(Record):
    """Where the pods may connect to: a network or the pods of a namespace, on one port or on all."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("cidr", "namespace")

    cidr: str | None = setting(formats.network(), "A network.", default=None)
    namespace: str | None = setting(_NAME, "Namespace whose pods are meant.", default=None)
    port: int | None = setting(f.integer(1, 65535, 5432), "The one port; without it all.", default=None)


@dataclass(frozen=True, kw_only=True)
class Source(Record):
    """A network outside of the cluster's pods whose hosts may connect: a load balancer's, its health checks'."""

    cidr: str = setting(formats.network(), "The network.")
    proxy: bool | None = setting(
        f.boolean().or_null(),
        "Whether its hosts are proxies, whose X-Forwarded-Proto and X-Forwarded-For are believed in the pod; null: "
        "with a route, if neither another item nor forwarded_allow_ips says who is.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Patch(Record):
    """One change of the generated manifest; ``path`` is a JSON pointer whose first step is the object's kind."""

    op: str = setting(f.choice(("add", "replace", "remove")), "What to do.")
    path: str = setting(
        f.text("a JSON pointer below a kind", "/Deployment/spec/paused", _POINTER, 1000), "Kind of object, then field."
    )
    name: str | None = setting(_OBJECT.or_null(), "Name of the object, where the app's own is not meant.", default=None)
    value: Any = setting(f.yaml_value(), "What to add or to replace by.", default=None)
    why: str = setting(
        f.text("one line", "required by the cluster's team", r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+", 500),
        "The comment beside the change.",
    )

    @property
    def has_value(self) -> bool:
        """Whether it gives a value; null is one."""
        return "value" in self.places


@dataclass(frozen=True, kw_only=True)
class Route(Record):
    """How requests from outside reach the Service; none leaves that to others."""

    kind: str = setting(
        f.choice(("none", "ingress", "httproute")), "An Ingress, a Gateway API HTTPRoute, or none.", default="none"
    )
    host: str | None = setting(_HOST.or_null(), "Host name that is routed to the Service.", default=None)
    path: str = setting(
        f.text("an absolute URL path without empty or dotted parts", "/", _ROUTE_PATH, 1024),
        "Everything below it is routed.",
        default="/",
    )
    class_name: str | None = setting(
        _OBJECT.or_null(), "Ingress: the controller's class; null takes the cluster's default.", default=None
    )
    tls_secret: str | None = setting(
        _OBJECT.or_null(), "Ingress: Secret with the certificate; null is plain HTTP.", default=None
    )
    gateway: str | None = setting(_OBJECT.or_null(), "HTTPRoute: the Gateway it attaches to.", default=None)
    gateway_namespace: str | None = setting(
        _NAME.or_null(), "HTTPRoute: the Gateway's namespace; null is the pods' own.", default=None
    )
    annotations: tuple[tuple[str, str], ...] = setting(
        ANNOTATIONS, "Annotations of the Ingress or HTTPRoute: what its controller has no field for.", default=()
    )


@dataclass(frozen=True, kw_only=True)
class Kubernetes(Record):
    """What only the manifests need."""

    namespace: str | None = setting(
        _NAME.or_null(), "Namespace of every object; null leaves it to kubectl.", default=None
    )
    create_namespace: bool = setting(
        f.boolean(), "Write the Namespace too; deleting the file then deletes all that lives in it.", default=False
    )
    minimum_version: str = setting(
        f.choice(MINORS, "1.30"), "Oldest Kubernetes minor that the manifests must fit.", default="1.30"
    )
    maximum_version: str | None = setting(
        f.choice(MINORS, "1.34").or_null(),
        f"Newest one; null is {MINORS[-1]}, the newest whose schemas the kit has.",
        default=None,
    )
    connections: int | None = setting(
        f.integer(1, 1_000_000_000, 100_000).or_null(),
        "Open connections that all pods together must hold; null is one container's.",
        default=None,
    )
    headroom_percent: int = setting(
        f.integer(0, 1000, 50),
        "How far the autoscaler may go above what the connections need, for load that CPUs feel.",
        default=50,
    )
    replicas: int | None = setting(
        f.integer(1, 1000, 2).or_null(),
        "A fixed number of pods, without an autoscaler; null derives a range from connections.",
        default=None,
    )
    min_replicas: int | None = setting(
        f.integer(1, 1000, 2).or_null(),
        "Fewest pods of the autoscaler; null derives it from connections.",
        default=None,
    )
    max_replicas: int | None = setting(
        f.integer(1, 1000, 6).or_null(),
        "Most pods of the autoscaler; null derives it from connections and headroom_percent.",
        default=None,
    )
    target_cpu_percent: int = setting(
        f.integer(10, 95, 70), "Share of its CPU request that the autoscaler lets an average pod use.", default=70
    )
    backend_connections: int | None = setting(
        f.integer(1, 10_000_000, 200).or_null(),
        "What the backend allows, say a database's max_connections; null checks nothing.",
        default=None,
    )
    backend_pool: int | None = setting(
        f.integer(1, 1_000_000, 10).or_null(),
        "Most connections of one worker to that backend; null is its threads, or all its requests.",
        default=None,
    )
    service_port: int = setting(f.integer(1, 65535, 80), "Port of the Service.", default=80)
    cpu_limit: str = setting(
        f.choice(("resources", "none")),
        "none sets a request but no limit; workers then follow the request, not the node.",
        default="resources",
    )
    pre_stop_seconds: int = setting(
        f.integer(0, 300, 5), "Wait before SIGTERM, so that endpoints forget the pod while it still accepts.", default=5
    )
    node_selector: tuple[tuple[str, str], ...] = setting(
        NODE_SELECTOR, "Labels of the nodes that the pods may run on.", default=()
    )
    tolerations: tuple[Toleration, ...] = setting(
        TOLERATIONS, "Taints of nodes that the pods may run on all the same.", default=()
    )
    affinity: Any = setting(AFFINITY, "The pods' affinity, beside their spread over zones and nodes.", default=None)
    priority_class: str | None = setting(
        PRIORITY_CLASS.or_null(), "PriorityClass of the pods; null is the cluster's default.", default=None
    )
    pod_annotations: tuple[tuple[str, str], ...] = setting(ANNOTATIONS, "Annotations of the pods.", default=())
    service_annotations: tuple[tuple[str, str], ...] = setting(ANNOTATIONS, "Annotations of the Service.", default=())
    service_account_annotations: tuple[tuple[str, str], ...] = setting(
        ANNOTATIONS, "Annotations of the ServiceAccount, by which a cloud gives the pods a role.", default=()
    )
    image_pull_policy: str | None = setting(
        f.choice(("Always", "IfNotPresent", "Never")).or_null(),
        "Of all images. null is Always for one that the profile names, a sidecar's too; IfNotPresent for <name>:dev.",
        default=None,
    )
    image_pull_secrets: tuple[str, ...] = setting(
        f.list_of(_OBJECT), "Secrets with which the node pulls the images.", default=()
    )
    openshift: bool = setting(
        f.boolean(), "Leave the user to the cluster, which gives each namespace a range of its own.", default=False
    )
    env_from: tuple[EnvSource | str, ...] = setting(
        ENV_FROM,
        "Secrets (by name) and ConfigMaps whose keys become variables; a pod does not start while one is missing.",
        default=(),
    )
    volumes: tuple[Volume, ...] = setting(f.list_of(section(Volume)), "Folders that only the pods have.", default=())
    allowed_namespaces: tuple[str, ...] = setting(
        f.list_of(_NAME),
        "Namespaces, beside its own, whose pods may connect: an ingress controller's, Prometheus'.",
        default=(),
    )
    allowed_cidrs: tuple[Source, ...] = setting(
        f.list_of(section(Source)),
        "Networks that may connect too: load balancers that address pods themselves, their health checks.",
        default=(),
    )
    egress: tuple[Peer, ...] | None = setting(
        f.list_of(section(Peer)).or_null(),
        "All that the pods may connect to, beside DNS; null leaves it open.",
        default=None,
    )
    route: Route = setting(section(Route), "The way in from outside.")
    metrics: str = setting(
        f.choice(("off", "prometheus")), "prometheus adds a statsd exporter beside the server.", default="off"
    )
    metrics_image: str | None = setting(
        formats.image("registry.example/statsd-exporter:1.4").or_null(), "Image of the statsd exporter.", default=None
    )
    proxy: bool = setting(
        f.boolean(), "Put a buffering nginx (proxy_image) in front of the server, inside the pod.", default=False
    )
    patches: tuple[Patch, ...] = setting(
        f.list_of(section(Patch)),
        "Changes of the generated manifest; each `why` becomes the comment beside it.",
        default=(),
    )
