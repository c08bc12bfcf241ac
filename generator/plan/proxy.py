"""The buffering proxy in front of the server, worked out: how much it holds, whom it believes, how long it waits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from hashlib import sha256

from ..profile.schema import Profile
from ..runtime.sizing import Number, Numbers
from ..servers.server import Server
from . import proxy_numbers
from .peers import EVERYONE, believed, believed_in_a_pod
from .places import object_name
from .texts import cpu_text
from .times import Times

#: An unprivileged process may listen here, and images of nginx that run without root do.
PORT = 8080
#: Responds to the health check, on the container's own loopback only.
HEALTH_PORT = 8081
#: In its container: there while nginx is about to stop.
STOPPING_FILE = "/tmp/stopping"
#: nginx's own user in the official image; nothing in the container belongs to it.
USER_ID = 101
#: Docker takes its networks from 172.17.0.0/12 and 192.168.0.0/16; this block is outside of both.
_NETWORKS = ipaddress.IPv4Network("10.213.0.0/16")
_PREFIX = 29


@dataclass(frozen=True)
class Proxy:
    """The derived values of one profile's nginx; templates see it as ``plan.proxy``."""

    image: str
    #: Whether a registry may have the app's image.
    app_pull_policy: str
    project: str
    #: The build context, as seen from the compose file's folder.
    context: str
    #: Where the app listens, as seen from the proxy.
    upstream: str
    subnet: str
    #: Of it, where containers without an address of their own get one; None where there are none.
    ip_range: str | None
    #: The host, for every client that comes in by a port published on the loopback.
    gateway: str | None
    #: The only peer whose X-Forwarded-Proto the app believes.
    address: str
    app_address: str
    #: Arguments of the server, beside those of the image.
    app_args: tuple[str, ...]
    #: Proxies in front of this one, whose word on client and scheme is taken; and what holds for all others.
    trusted: tuple[str, ...]
    trusts_all: bool
    #: The same in a pod, which may have load balancers in front that Compose has not.
    trusted_in_a_pod: tuple[str, ...]
    cpus: Number
    cpus_text: str
    workers: Number
    connections: Number
    descriptors: Number
    per_address: Number
    bodies: Number
    uploads_per_address: Number
    address_zone: Number
    header_timeout: Number
    read_timeout: Number
    #: Of a WebSocket; None where the profile has none.
    websocket_timeout: Number | None
    stop_seconds: Number
    body_bytes: Number
    response_bytes: Number
    #: In Compose each has a room of its own in memory; in a pod, if it has one, they share one on the node's disk.
    body_room_bytes: Number
    response_room_bytes: Number
    pod_tmp_bytes: Number | None
    memory_bytes: Number
    pod_memory_bytes: Number | None
    #: None where the server closes each connection anyway.
    idle_connections: Number | None
    idle_seconds: Number | None
    port: int = PORT
    health_port: int = HEALTH_PORT
    tmp_bytes: int = proxy_numbers.SPARE_TMP_BYTES
    upload_kilobytes: int = proxy_numbers.UPLOAD_BYTES // 1000
    small_body_pattern: str = proxy_numbers.SMALL_BODY
    user_id: int = USER_ID
    #: None in Compose, where no other proxy takes over.
    stopping_file: str | None = None

    def in_a_pod(self, app_port: int) -> Proxy:
        """The same beside the app, where both share the loopback and no host stands for its clients."""
        return replace(
            self,
            upstream=f"127.0.0.1:{app_port}",
            gateway=None,
            trusted=self.trusted_in_a_pod,
            stopping_file=STOPPING_FILE,
        )

    @property
    def shared_addresses(self) -> tuple[str, ...]:
        """Addresses that stand for many clients, so that none of them is one client's."""
        own = (*((self.gateway,) if self.gateway else ()), "127.0.0.1", "::1")
        return tuple(dict.fromkeys((*own, *(() if self.trusts_all else self.trusted))))

    def by_name(self) -> dict[str, Number]:
        """For --explain."""
        names = ["workers", "connections", "descriptors", "per_address", "uploads_per_address"]
        names += ["idle_connections", "idle_seconds", "header_timeout", "read_timeout", "websocket_timeout"]
        names += ["body_bytes", "body_room_bytes", "response_bytes"]
        names += ["response_room_bytes", "pod_tmp_bytes", "memory_bytes", "pod_memory_bytes"]
        return {f"proxy_{name}": number for name in names if (number := getattr(self, name)) is not None}


def plan_proxy(profile: Profile, server: Server, numbers: Numbers, times: Times, folder: str) -> Proxy:
    """The proxy of a profile that has no faults; ``folder`` is where its files go, below the output root."""
    others = containers_beside(profile)
    prefix = compose_prefix(others)
    network = ipaddress.IPv4Network(profile.proxy_subnet) if profile.proxy_subnet else subnet_of(folder, prefix)
    gateway, address, app_address = (str(network[place]) for place in (1, 2, 3))
    trusts_all = believed(profile) == EVERYONE
    cpus = proxy_numbers.cpus(profile)
    workers = proxy_numbers.workers(numbers)
    connections, descriptors = proxy_numbers.connections(profile, workers.value)
    idle_connections, idle_seconds = proxy_numbers.idle(profile, server, numbers, workers.value)
    per_address, bodies = proxy_numbers.per_address(profile), proxy_numbers.bodies(profile)
    uploads = proxy_numbers.uploads_per_address(bodies)
    response_bytes = proxy_numbers.response_bytes(profile)
    body_room = proxy_numbers.body_room(profile, bodies, per_address)
    response_room = proxy_numbers.response_room(response_bytes)
    spooled = body_room.value + response_room.value + proxy_numbers.SPARE_TMP_BYTES
    memory_bytes, pod_memory_bytes = proxy_numbers.memory(profile, spooled)
    pod_tmp = proxy_numbers.pod_tmp(profile, response_bytes, per_address, uploads)
    in_a_pod = profile.kubernetes.proxy
    believes = server.honours("forwarded_allow_ips")
    return Proxy(
        image=profile.proxy_image,
        app_pull_policy="missing" if profile.image else "never",
        project=object_name(profile),
        context="/".join([".."] * (folder.count("/") + 1)),
        upstream=f"{app_address}:{profile.port}",
        subnet=str(network),
        ip_range=str([*network.subnets(1)][1]) if others else None,
        gateway=gateway,
        address=address,
        app_address=app_address,
        app_args=("--forwarded-allow-ips", address) if believes else (),
        trusted=("0.0.0.0/0", "::/0") if trusts_all else believed(profile),
        trusted_in_a_pod=("0.0.0.0/0", "::/0") if trusts_all else believed_in_a_pod(profile),
        trusts_all=trusts_all,
        cpus=cpus,
        cpus_text=cpu_text(cpus.value),
        workers=workers,
        connections=connections,
        descriptors=descriptors,
        per_address=per_address,
        bodies=bodies,
        uploads_per_address=uploads,
        address_zone=proxy_numbers.address_zone(profile),
        header_timeout=proxy_numbers.header_timeout(profile, server),
        read_timeout=proxy_numbers.read_timeout(times),
        websocket_timeout=proxy_numbers.websocket_timeout(profile),
        stop_seconds=proxy_numbers.stop_seconds(times),
        idle_connections=idle_connections,
        idle_seconds=idle_seconds,
        body_bytes=Number(profile.proxy_max_body, "proxy_max_body", "proxy_max_body; a larger body gets a 413"),
        response_bytes=response_bytes,
        body_room_bytes=body_room,
        response_room_bytes=response_room,
        pod_tmp_bytes=pod_tmp if in_a_pod else None,
        memory_bytes=memory_bytes,
        pod_memory_bytes=pod_memory_bytes if in_a_pod else None,
    )


def containers_beside(profile: Profile) -> int:
    """How many containers of Compose get an address from the network, beside the proxy and the app with theirs."""
    return int(bool(profile.app.before_start)) + sum(job.replicas for job in profile.jobs)


def compose_prefix(others: int) -> int:
    """The length of the smallest network's prefix: the upper half is for the others, less the broadcast address."""
    return _PREFIX if not others else min(_PREFIX - 1, 31 - others.bit_length())


def subnet_of(folder: str, prefix: int = _PREFIX) -> ipaddress.IPv4Network:
    """A network of its own for each profile, always the same one: two on one host must not overlap."""
    number = int.from_bytes(sha256(folder.encode()).digest()[:4], "big") % 2 ** (prefix - _NETWORKS.prefixlen)
    return ipaddress.IPv4Network((int(_NETWORKS[0]) + number * 2 ** (32 - prefix), prefix))
