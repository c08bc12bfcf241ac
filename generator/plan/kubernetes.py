"""What only the manifests need, worked out: how many pods, how they stop, what they may hold; each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..profile.kubernetes import MINORS
from ..profile.schema import Profile
from ..runtime.sizing import MIB, USABLE_MEMORY_PERCENT, Number, Numbers, ceil_div, memory_needed
from ..servers.server import Server
from .before_start import BeforeStart
from .peers import believed, believed_in_a_pod
from .places import CONFIGURATION_FOLDER, object_name
from .proxy import STOPPING_FILE
from .replicas import MAX_SURGE, backend_connections, fixed_reason, replica_range, target_cpu
from .texts import docker_size
from .times import Times

#: Heartbeat files are a few bytes each; this is memory, hence small.
SHM_BYTES = 16 * MIB
#: Begins the names of annotations that ingress-nginx reads; without them it waits 60 s and takes 1 MiB.
INGRESS_NGINX = "nginx.ingress.kubernetes.io"
#: Ports of the sidecar: those that its image is known for, and that an unprivileged user may open.
STATSD_PORT = 9125
METRICS_PORT = 9102


@dataclass(frozen=True)
class KubernetesPlan:
    """The derived values of one profile's manifests."""

    #: Of every object: the profile's, and its group's behind it, so that equal names in two groups never meet.
    name: str
    #: The oldest and the newest minor that the manifests must fit.
    minors: tuple[str, ...]
    #: Templates of the objects, in the order in which kubectl should create them.
    kinds: tuple[str, ...]
    #: A fixed number of pods; None where the autoscaler has the range below.
    replicas: Number | None
    min_replicas: Number
    max_replicas: Number
    target_cpu: Number
    max_surge: int
    #: All connections that all pods may open to the stated backend; None where none is stated.
    backend_connections: Number | None
    memory: Number
    shm_bytes: int
    image_pull_policy: str
    image_pull_reason: str
    sidecar_pull_policy: str
    #: "sleep" (the kubelet waits), "exec" (a process in the container does), "proxy" (it waits for nginx) or None.
    pre_stop: str | None
    #: What a shell does to start the proxy, and before it and the server of one pod stop: they tell by files.
    start_proxy: str
    stop_proxy: str
    wait_for_proxy: str
    user_id: int | None
    fs_group: int | None
    #: Arguments of the server, beside those of the image.
    args: tuple[str, ...]
    #: The server's own port by name: the Service's traffic goes to "http", wherever that is.
    app_port_name: str
    route_path: str
    #: Of the Ingress or HTTPRoute: the profile's, beside what its controller needs to know of times and sizes.
    route_annotations: tuple[tuple[str, str], ...]
    disruption_note: str
    network_note: str
    dns_ports: tuple[int, ...]
    #: Whether parts of the manifest are the profile's own words, so that what is wrong with it may be theirs.
    is_foreign: bool
    #: Whether anything starts before the server: a sidecar, or app.before_start.
    has_init_containers: bool
    #: The label that tells the pods of jobs from the app's, which have none.
    component: str = ""
    statsd_port: int = STATSD_PORT
    metrics_port: int = METRICS_PORT

    def by_name(self) -> dict[str, Number]:
        """For --explain."""
        found: dict[str, Number] = {}
        if self.replicas is not None:
            found["replicas"] = self.replicas
        else:
            found |= {"min_replicas": self.min_replicas, "max_replicas": self.max_replicas}
            found["target_cpu_percent"] = self.target_cpu
        return found | ({"backend_connections": self.backend_connections} if self.backend_connections else {})


def plan_kubernetes(
    profile: Profile, server: Server, numbers: Numbers, times: Times, before_start: BeforeStart, user_id: int
) -> KubernetesPlan:
    """The manifests' own values; the rules have refused what contradicts itself."""
    section = profile.kubernetes
    minimum, maximum = replica_range(profile)
    replicas = None if section.replicas is None else Number(section.replicas, "profile", fixed_reason(profile))
    newest = section.maximum_version or MINORS[-1]
    statsd = ("--statsd-host", f"127.0.0.1:{STATSD_PORT}", "--statsd-prefix", profile.name)
    policy, why = _pull_policy(profile)
    memory = profile.resources.memory
    return KubernetesPlan(
        name=object_name(profile),
        minors=tuple(dict.fromkeys((section.minimum_version, newest))),
        kinds=tuple(_kinds(profile, before_start)),
        replicas=replicas,
        min_replicas=replicas or minimum,
        max_replicas=replicas or maximum,
        target_cpu=target_cpu(profile),
        max_surge=MAX_SURGE,
        backend_connections=backend_connections(profile, server, numbers, (replicas or maximum).value),
        memory=_memory(numbers, profile),
        # Sizing leaves part of the limit to anything but workers (USABLE_MEMORY_PERCENT); /dev/shm fits into it.
        shm_bytes=min(SHM_BYTES, _whole_mib(memory // 16)),
        image_pull_policy=policy,
        image_pull_reason=why,
        # Their images are somebody else's, named by the profile: a tag may move.
        sidecar_pull_policy=section.image_pull_policy or "Always",
        pre_stop=_pre_stop(profile),
        start_proxy=f"rm -f {STOPPING_FILE}; exec nginx -c {CONFIGURATION_FOLDER}/nginx.conf -g 'daemon off;'",
        stop_proxy=f": > {STOPPING_FILE}; sleep {section.pre_stop_seconds}; kill -QUIT 1",
        # The pid file is there while nginx runs.
        wait_for_proxy=f"sleep {section.pre_stop_seconds}; cd /tmp/proxy; "
        f"while [ -e nginx.pid ] && [ -e {STOPPING_FILE.rpartition('/')[2]} ]; do sleep 0.2; done",
        user_id=None if section.openshift else user_id,
        fs_group=user_id
        if any(v.claim for v in (*profile.volumes, *section.volumes)) and not section.openshift
        else None,
        args=(*(statsd if section.metrics == "prometheus" else ()), *_believed(profile, server)),
        route_path=_route_path(profile),
        route_annotations=_route_annotations(profile, times),
        app_port_name="app" if section.proxy else "http",
        disruption_note=_disruption_note(replicas or minimum),
        network_note=_network_note(profile),
        # OpenShift's DNS pods listen on 5353, and policies see the port behind the Service.
        has_init_containers=section.proxy or section.metrics == "prometheus" or before_start.in_pod,
        is_foreign=bool(section.patches) or section.affinity is not None,
        dns_ports=(53, 5353) if section.openshift else (53,),
    )


def _memory(numbers: Numbers, profile: Profile) -> Number:
    demand, workers = numbers.demand, numbers.workers.value
    limit, shared = profile.resources.memory, profile.resources.shared_memory
    of_it = f" ({shared / MIB:g} MiB of it shared_memory, which workers share)" if shared else ""
    needed = memory_needed(demand, workers)
    reason = (
        f"{workers} workers x {demand.worker_memory_bytes / MIB:g} MiB + "
        f"{demand.master_memory_bytes / MIB:g} MiB master{of_it} + "
        f"{demand.connections} connections x {demand.connection_memory_bytes / 1024:g} KiB, "
        f"in {USABLE_MEMORY_PERCENT} % of the limit: needs {ceil_div(needed, MIB)} of {limit / MIB:g} MiB."
    )
    return Number(limit, "resources.memory", reason)


def _route_path(profile: Profile) -> str:
    """The route's own path, or else the app's mount: a controller passes paths on as they are."""
    given, mount = profile.kubernetes.route.path, profile.app.mount
    return mount if mount and not profile.is_set("kubernetes.route.path") else given


def _route_annotations(profile: Profile, times: Times) -> tuple[tuple[str, str], ...]:
    """An Ingress has no field for times and sizes; controllers other than ingress-nginx do not read these names."""
    given = dict(profile.kubernetes.route.annotations)
    if profile.kubernetes.route.kind != "ingress":
        return tuple(given.items())
    own: dict[str, str] = {}
    if times.route_seconds is not None:
        seconds = str(times.route_seconds.value)
        own = {f"{INGRESS_NGINX}/proxy-{side}-timeout": seconds for side in ("read", "send")}
    if profile.is_set("proxy_max_body"):
        own[f"{INGRESS_NGINX}/proxy-body-size"] = docker_size(profile.proxy_max_body)
    return tuple({**own, **given}.items())


def _pull_policy(profile: Profile) -> tuple[str, str]:
    given = profile.kubernetes.image_pull_policy
    if given is not None:
        return given, "From the profile's kubernetes.image_pull_policy."
    if profile.image is None:
        return (
            "IfNotPresent",
            "Built here and put on the node by hand: no registry has this tag. The profile's image names another.",
        )
    if "@sha256:" in profile.image:
        return "Always", "Layers of this digest stay on the node; only the right to pull them is checked each time."
    return "Always", "A tag may move: the registry is queried for its digest each time; layers stay on the node."


def _pre_stop(profile: Profile) -> str | None:
    if profile.kubernetes.proxy:
        return "proxy"
    if not profile.kubernetes.pre_stop_seconds:
        return None
    # The kubelet's own sleep is on by default since 1.30.
    minor = int(profile.kubernetes.minimum_version.split(".")[1])
    return "sleep" if minor >= 30 else "exec"


def _kinds(profile: Profile, before_start: BeforeStart) -> Iterator[str]:
    section = profile.kubernetes
    if section.create_namespace:
        yield "namespace"
    yield from ("serviceaccount", "configmap", "service")
    if before_start.is_job:
        yield from ("before_start_configmap", "role", "rolebinding", "before_start_networkpolicy", "job")
    yield "deployment"
    if section.replicas is None:
        yield "horizontalpodautoscaler"
    yield from ("poddisruptionbudget", "networkpolicy")
    if profile.jobs:
        yield from ("jobs_deployment", "jobs_networkpolicy")
    if section.route.kind != "none":
        yield section.route.kind


def _believed(profile: Profile, server: Server) -> tuple[str, ...]:
    if not server.honours("forwarded_allow_ips"):
        return ()
    # Beside the server the proxy is the loopback, and the only one whose word on the scheme reaches it.
    peers = ("127.0.0.1",) if profile.kubernetes.proxy else believed_in_a_pod(profile)
    differs = profile.kubernetes.proxy or peers != believed(profile)
    return ("--forwarded-allow-ips", ",".join(peers)) if differs else ()


def _whole_mib(size: int) -> int:
    return max(1, size // MIB) * MIB


def _disruption_note(minimum: Number) -> str:
    if minimum.value == 1:
        return "there is only one, so it is down until another node has started it"
    return f"the other {minimum.value - 1} or more go on"


def _network_note(profile: Profile) -> str:
    section = profile.kubernetes
    ports = "the ports http and metrics" if section.metrics == "prometheus" else "the port http"
    peers = "pods of this namespace"
    if section.allowed_namespaces:
        peers += " and of the others listed"
    if section.allowed_cidrs:
        peers += ", and the networks listed,"
    more = "" if section.allowed_namespaces or section.allowed_cidrs else " (kubernetes.allowed_namespaces admits more)"
    egress = (
        "Egress: only what is listed"
        if section.egress is not None
        else "Egress: not limited; kubernetes.egress in the profile lists what the pods may connect to"
    )
    return f"Ingress: only {peers} may connect{more}, to {ports}. {egress}."
