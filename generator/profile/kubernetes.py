"""The profile's ``kubernetes`` section: what only the manifests need, each setting once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from . import field_types as f
from .records import Entry, Patch, Peer, Volume, network, records, yaml_value
from .section import LABEL, Section

#: Minors that the manifests can be checked against (a test compares with the installed schemas); before 1.27 an HPA
#: cannot look at one container alone.
MINORS = tuple(f"1.{number}" for number in range(27, 38))
_NAME = f.text("a DNS label", "web", LABEL, 63)
_OBJECT = f.text("an object's name", "app-settings", rf"{LABEL}(\.{LABEL})*", 253)
_HOST = f.text("a host name", "app.example.com", rf"(\*\.)?{LABEL}(\.{LABEL})*", 253)
_IMAGE = f.text("an image reference", "registry.example/tool:1.4", r"[a-z0-9][A-Za-z0-9._/:@-]*", 500)
_PORT = f.integer(1, 65535, 5432)
_FOLDER = f.text("an absolute path", "/data", r"(/[A-Za-z0-9._-]+)+", 500)

_VOLUMES = records(
    Volume,
    {
        "name": Entry(_NAME, True),
        "mount_path": Entry(_FOLDER, True),
        "claim": Entry(_OBJECT),
        "secret": Entry(_OBJECT),
        "config_map": Entry(_OBJECT),
        "size": Entry(f.memory_quantity()),
        "read_only": Entry(f.boolean()),
    },
    one_of=("claim", "secret", "config_map", "size"),
    example="[{name: uploads, mount_path: /data, claim: uploads}]",
)
_EGRESS = records(
    Peer,
    {"cidr": Entry(network()), "namespace": Entry(_NAME), "port": Entry(_PORT)},
    one_of=("cidr", "namespace"),
    example="[{cidr: 10.0.0.0/8, port: 5432}, {namespace: cache}]",
)
_POINTER = r"/[A-Z][A-Za-z]*(/[^/\s]+)+"
_PATCHES = records(
    Patch,
    {
        "op": Entry(f.choice(("add", "replace", "remove")), True),
        "path": Entry(f.text("a JSON pointer below a kind", "/Deployment/spec/paused", _POINTER, 1000), True),
        "value": Entry(yaml_value()),
        "why": Entry(
            f.text("one line", "the cluster's team asks for it", r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+", 500), True
        ),
    },
    one_of=(),
    example="[{op: add, path: /Deployment/spec/template/spec/priorityClassName, value: web, why: web comes first}]",
)


class Route(Section):
    """How requests from outside reach the Service; none leaves that to others."""

    kind: Annotated[str, f.choice(("none", "ingress", "httproute"))] = Field(
        "none", description="An Ingress, a Gateway API HTTPRoute, or none."
    )
    host: Annotated[str | None, _HOST.or_null()] = Field(None, description="Host name that is routed to the Service.")
    path: Annotated[str, f.text("an absolute URL path", "/", r"/[A-Za-z0-9_.~/-]*", 1024)] = Field(
        "/", description="Everything below it is routed."
    )
    class_name: Annotated[str | None, _OBJECT.or_null()] = Field(
        None, description="Ingress: the controller's class; null takes the cluster's default."
    )
    tls_secret: Annotated[str | None, _OBJECT.or_null()] = Field(
        None, description="Ingress: Secret with the certificate; null is plain HTTP."
    )
    gateway: Annotated[str | None, _OBJECT.or_null()] = Field(
        None, description="HTTPRoute: the Gateway it attaches to."
    )
    gateway_namespace: Annotated[str | None, _NAME.or_null()] = Field(
        None, description="HTTPRoute: the Gateway's namespace; null is the pods' own."
    )


class Kubernetes(Section):
    """What only the manifests need."""

    namespace: Annotated[str | None, _NAME.or_null()] = Field(
        None, description="Namespace of every object; null leaves it to kubectl."
    )
    create_namespace: Annotated[bool, f.boolean()] = Field(
        False, description="Write the Namespace too; deleting the file then deletes all that lives in it."
    )
    minimum_version: Annotated[str, f.choice(MINORS, "1.30")] = Field(
        "1.30", description="Oldest Kubernetes minor that the manifests must fit."
    )
    maximum_version: Annotated[str | None, f.choice(MINORS, "1.34").or_null()] = Field(
        None, description=f"Newest one; null is {MINORS[-1]}, the newest whose schemas the kit has."
    )
    connections: Annotated[int | None, f.integer(1, 1_000_000_000, 100_000).or_null()] = Field(
        None, description="Open connections that all pods together must hold; null is one container's."
    )
    headroom_percent: Annotated[int, f.integer(0, 1000, 50)] = Field(
        50, description="How far the autoscaler may go above what the connections need, for load that CPUs feel."
    )
    replicas: Annotated[int | None, f.integer(1, 1000, 2).or_null()] = Field(
        None, description="A fixed number of pods, without an autoscaler; null derives a range from connections."
    )
    min_replicas: Annotated[int | None, f.integer(1, 1000, 2).or_null()] = Field(
        None, description="Fewest pods of the autoscaler; null derives it from connections."
    )
    max_replicas: Annotated[int | None, f.integer(1, 1000, 6).or_null()] = Field(
        None, description="Most pods of the autoscaler; null derives it from connections and headroom_percent."
    )
    target_cpu_percent: Annotated[int, f.integer(10, 95, 70)] = Field(
        70, description="Share of its CPU request that the autoscaler lets an average pod use."
    )
    backend_connections: Annotated[int | None, f.integer(1, 10_000_000, 200).or_null()] = Field(
        None, description="What the backend allows, say a database's max_connections; null checks nothing."
    )
    backend_pool: Annotated[int | None, f.integer(1, 1_000_000, 10).or_null()] = Field(
        None, description="Most connections of one worker to that backend; null is its threads, or all its requests."
    )
    service_port: Annotated[int, f.integer(1, 65535, 80)] = Field(80, description="Port of the Service.")
    cpu_limit: Annotated[str, f.choice(("resources", "none"))] = Field(
        "resources", description="none sets a request but no limit; workers then follow the request, not the node."
    )
    pre_stop_seconds: Annotated[int, f.integer(0, 300, 5)] = Field(
        5, description="Wait before SIGTERM, so that endpoints forget the pod while it still accepts."
    )
    image_pull_policy: Annotated[str | None, f.choice(("Always", "IfNotPresent", "Never")).or_null()] = Field(
        None, description="null is Always for an image that the profile names, IfNotPresent for <name>:dev."
    )
    image_pull_secrets: Annotated[tuple[str, ...], f.list_of(_OBJECT)] = Field(
        (), description="Secrets with which the node pulls the images."
    )
    openshift: Annotated[bool, f.boolean()] = Field(
        False, description="Leave the user to the cluster, which gives each namespace a range of its own."
    )
    env_from: Annotated[tuple[str, ...], f.list_of(_OBJECT)] = Field(
        (), description="Secrets whose keys become variables; a pod does not start while one is missing."
    )
    volumes: Annotated[tuple[Volume, ...], _VOLUMES] = Field((), description="Folders of the app.")
    allowed_namespaces: Annotated[tuple[str, ...], f.list_of(_NAME)] = Field(
        (), description="Namespaces, beside its own, whose pods may connect: an ingress controller's, Prometheus'."
    )
    egress: Annotated[tuple[Peer, ...] | None, _EGRESS.or_null()] = Field(
        None, description="All that the pods may connect to, beside DNS; null leaves it open."
    )
    route: Route = Field(default_factory=dict, validate_default=True, description="The way in from outside.")
    metrics: Annotated[str, f.choice(("off", "prometheus"))] = Field(
        "off", description="prometheus adds a statsd exporter beside the server."
    )
    metrics_image: Annotated[str | None, _IMAGE.or_null()] = Field(None, description="Image of the statsd exporter.")
    proxy: Annotated[bool, f.boolean()] = Field(
        False, description="Put a buffering nginx (proxy_image) in front of the server, inside the pod."
    )
    patches: Annotated[tuple[Patch, ...], _PATCHES] = Field(
        (), description="Changes of the generated manifest; each `why` becomes the comment beside it."
    )
