"""Contradictions within the kubernetes section, and what the chosen server cannot be given in a pod."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Fault
from ..plan import proxy
from ..plan.kubernetes import METRICS_PORT
from ..plan.peers import proxy_networks
from ..plan.places import object_name
from ..plan.replicas import backend_connections, connections_of_a_worker, pods_needed, replica_range
from ..profile.kubernetes import MINORS
from ..profile.load import Draft
from ..profile.schema import Profile
from ..runtime.sizing import Numbers
from ..servers.server import Server
from .scheduling import scheduling_faults
from .volumes import volume_faults


def kubernetes_faults(draft: Draft, profile: Profile, server: Server, numbers: Numbers | None) -> Iterator[Fault]:
    """Every fault of the section that no field can find alone; ``numbers`` as for ``check``."""
    if any(fault.path.startswith("kubernetes") for fault in draft.faults):
        return  # a default stands in for something faulty, so the rest cannot be judged
    yield from _versions_and_namespace(draft, profile)
    if not draft.has_fault("connections"):
        yield from _replicas(draft, profile)
    yield from _route(draft, profile)
    yield from _allowed_cidrs(draft, profile)
    yield from _sidecars(draft, profile, server)
    yield from volume_faults(draft, profile)
    yield from scheduling_faults(draft, profile)
    yield from _patches(draft, profile)
    paths = (profile.health.readiness_path, profile.health.liveness_path)
    if paths[0] and paths[0] == paths[1]:
        allowed = "another page than readiness_path: a pod that is only too busy for requests would be restarted"
        yield draft.fault("health.liveness_path", allowed, "name a page that depends on nothing else, or remove it")
    if numbers is not None:
        yield from _backend(draft, profile, server, numbers)


def _backend(draft: Draft, profile: Profile, server: Server, numbers: Numbers) -> Iterator[Fault]:
    """More connections to a backend than it allows: no other tool multiplies workers, threads and pods."""
    section = profile.kubernetes
    limit = section.backend_connections
    if limit is None:
        if section.backend_pool is not None:
            allowed = "only with backend_connections: a pool is checked against what the backend allows"
            yield draft.fault("kubernetes.backend_pool", allowed, "add kubernetes.backend_connections")
        return
    pods = section.replicas or replica_range(profile)[1].value
    product = backend_connections(profile, server, numbers, pods)
    if product is None or product.value <= limit:
        return
    each, name = connections_of_a_worker(profile, server, numbers)
    fits = limit // (numbers.workers.value * pods)
    setting = "threads" if name == "threads" else "kubernetes.backend_pool"
    remedy = f"lower {setting} to {fits} or less"
    if not fits or name == "request at a time":
        remedy = "lower workers, or kubernetes." + ("replicas" if section.replicas else "max_replicas")
    allowed = f"at least {product.value}: {numbers.workers.value} workers x {each} {name} x {pods} pods may all be open"
    yield draft.fault("kubernetes.backend_connections", allowed, f"{remedy}, or raise the backend's limit", code="K013")


def _versions_and_namespace(draft: Draft, profile: Profile) -> Iterator[Fault]:
    section = profile.kubernetes
    newest = section.maximum_version or MINORS[-1]
    if MINORS.index(newest) < MINORS.index(section.minimum_version):
        allowed = f"minimum_version ({section.minimum_version}) or newer"
        yield draft.fault("kubernetes.maximum_version", allowed, "raise it, or lower minimum_version")
    if len(object_name(profile)) > 63:
        allowed = f"at most {62 - len(profile.name)} characters: the objects are named {object_name(profile)}"
        yield draft.fault("group", allowed, "shorten it, or name", code="K017")
    if section.create_namespace and section.namespace in (None, "default"):
        allowed = "only with a namespace of its own"
        yield draft.fault("kubernetes.create_namespace", allowed, "add kubernetes.namespace, or remove it")


def _replicas(draft: Draft, profile: Profile) -> Iterator[Fault]:
    section, needed = profile.kubernetes, pods_needed(profile)
    total = section.connections or profile.connections
    for name in ("min_replicas", "max_replicas"):
        value = getattr(section, name)
        if value is not None and section.replicas is not None:
            allowed = "not beside replicas: a fixed number has no range"
            yield draft.fault(f"kubernetes.{name}", allowed, "remove it, or replicas")
    for name in ("replicas", "min_replicas", "max_replicas"):
        value = getattr(section, name)
        if value is not None and value < needed:
            allowed = f"at least {needed}: {total} connections, {profile.connections} a pod, whatever their CPUs do"
            remedy = "raise it, lower kubernetes.connections, or leave it out"
            yield draft.fault(f"kubernetes.{name}", allowed, remedy, code="K013")
    minimum, maximum = replica_range(profile)
    if section.max_replicas is not None and maximum.value < minimum.value:
        allowed = f"at least the minimum of {minimum.value} ({minimum.reason})"
        yield draft.fault("kubernetes.max_replicas", allowed, "raise it, or set min_replicas")


def _route(draft: Draft, profile: Profile) -> Iterator[Fault]:
    section, route = profile.kubernetes, profile.kubernetes.route
    belongs = {
        "class_name": "ingress",
        "tls_secret": "ingress",
        "gateway": "httproute",
        "gateway_namespace": "httproute",
    }
    if route.annotations and route.kind == "none":
        remedy = "remove it, or set kubernetes.route.kind"
        yield draft.fault("kubernetes.route.annotations", "only with kind: ingress or httproute", remedy)
    for name, kind in {"host": route.kind, **belongs}.items():
        if getattr(route, name) is not None and (route.kind == "none" or kind != route.kind):
            allowed = f"only with kind: {'ingress or httproute' if name == 'host' else kind}"
            yield draft.fault(f"kubernetes.route.{name}", allowed, "remove it, or set kubernetes.route.kind")
    if route.kind == "none":
        return
    if route.host is None:
        allowed = "a host name: one route takes no other's requests"
        yield draft.fault("kubernetes.route.host", allowed, "add it", code="K005")
    if route.kind == "httproute" and route.gateway is None:
        yield draft.fault("kubernetes.route.gateway", "the name of a Gateway", "add it", code="K005")
    if not section.allowed_namespaces and not section.allowed_cidrs:
        allowed = "the namespace that the requests come from, or the NetworkPolicy stops them"
        remedy = "name the ingress controller's or the Gateway's namespace; your own, if it is there"
        yield draft.fault("kubernetes.allowed_namespaces", allowed, remedy, code="K005")
    yield from _scheme(draft, profile)


def _scheme(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Whoever ends TLS in front must be believed, or the app makes links and redirects with http.

    ``allowed_cidrs`` says who that is. A namespace does not: its addresses are not in the profile, and "*" would let
    everybody whom the NetworkPolicy admits, or in a cluster without one anybody, choose scheme and client address.
    """
    if draft.has_fault("forwarded_allow_ips") or profile.is_set("forwarded_allow_ips") or proxy_networks(profile):
        return
    namespace = next(iter(profile.kubernetes.allowed_namespaces), "NAMESPACE")
    allowed = (
        "beside the addresses of what ends TLS: the app takes every request for http, in links and redirects, until "
        "it believes their X-Forwarded-Proto"
    )
    remedy = (
        "add, say, forwarded_allow_ips: 10.244.0.0/16, the network of the controller's pods "
        f"(kubectl get pods -n {namespace} -o wide shows their addresses); for a load balancer outside of the cluster "
        "kubernetes.allowed_cidrs: [{cidr: 10.7.0.0/24}], its subnets"
    )
    yield draft.fault("kubernetes.route.kind", allowed, remedy, code="K018")


def _allowed_cidrs(draft: Draft, profile: Profile) -> Iterator[Fault]:
    for number, source in enumerate(profile.kubernetes.allowed_cidrs):
        if source.proxy and source.cidr.endswith("/0"):
            allowed = "a network of proxies; from this one anybody could say that a request came by https"
            path = f"kubernetes.allowed_cidrs.{number}.cidr"
            yield draft.fault(path, allowed, "name the subnets, or drop proxy", code="K018")


def _sidecars(draft: Draft, profile: Profile, server: Server) -> Iterator[Fault]:
    section = profile.kubernetes
    metrics = section.metrics == "prometheus"
    if metrics and section.metrics_image is None:
        allowed = "an image, since metrics is on"
        yield draft.fault("kubernetes.metrics_image", allowed, "add kubernetes.metrics_image", code="K005")
    if section.metrics_image is not None and not metrics:
        yield draft.fault("kubernetes.metrics_image", "only with metrics", "remove it, or turn metrics on")
    for given, switch in ((metrics, "metrics"), (section.proxy, "proxy")):
        if given and MINORS.index(section.minimum_version) < MINORS.index("1.29"):
            allowed = "1.29 or newer with metrics or proxy: sidecars that stop after the server are on since then"
            yield draft.fault("kubernetes.minimum_version", allowed, f"raise it, or turn {switch} off")
    if metrics and not _counts(server):
        allowed = f"off with {server.name}, which counts nothing for statsd"
        yield draft.fault("kubernetes.metrics", allowed, "turn it off, or choose gevent or gthread", code="K011")
    for given, port in ((metrics, METRICS_PORT), (section.proxy, proxy.PORT), (section.proxy, proxy.HEALTH_PORT)):
        if given and profile.port == port:
            yield draft.fault("port", f"not {port}, which a sidecar has", "choose another", code="K015")


def _counts(server: Server) -> bool:
    cell = server.settings.get("statsd_host")
    return server.family == "gunicorn" and (cell is None or cell.verdict == "honoured")


def _patches(draft: Draft, profile: Profile) -> Iterator[Fault]:
    for number, patch in enumerate(profile.kubernetes.patches):
        if patch.has_value != (patch.op != "remove"):
            allowed = "no value with remove" if patch.has_value else f"a value with {patch.op}"
            yield draft.fault(
                f"kubernetes.patches.{number}", allowed, "remove it" if patch.has_value else "add value", code="K030"
            )
