"""Which container has which Dockerfile's image, as far as files tell."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from .containers import Build, Container
from .dockerfile import Image

#: Images that everybody runs beside an app, by the last part of their name.
_OTHERS = re.compile(
    r"(adminer|alertmanager|alpine|beanstalkd|busybox|caddy|cadvisor|certbot|clamav|clickhouse(-server)?|cloud-?sql-proxy"
    r"|cockroach|consul|couchdb|cp-.*|curl|datadog.*|database|db|elasticsearch|envoy|etcd|flower|fluent-?bit|fluentd"
    r"|git-sync|grafana|haproxy|httpd|influxdb|jaeger.*|kafka|keycloak|keydb|kibana|localstack|logstash|loki"
    r"|mailcatcher|mailhog|mailpit|mailserver|mariadb|memcached|metabase|minio|mongo(db)?|mosquitto|mysql(-server)?"
    r"|nats|neo4j|nginx|nginx-.*|node|oauth2-proxy|opensearch.*|opentelemetry-collector.*|otel-?collector|pause"
    r"|percona.*|pg|pgadmin4?|pgbouncer|phpmyadmin|postgis|postgres|postgresql|prometheus|promtail|proxyv2|pushgateway"
    r"|rabbitmq|redis|redis-.*|solr|statsd|telegraf|traefik|valkey|varnish|vault|vector|watchtower"
    r"|whoami|zipkin|zookeeper|.*-(exporter|agent|operator|postgres|redis|nginx))"
)
#: Reads the Dockerfile of a build, which may be one that is read already; None without it.
Read = Callable[[Build, Image | None], Image | None]


def is_another(container: Container) -> bool:
    """Whether its image is evidently a third party's."""
    if container.build is not None:
        return False
    return _OTHERS.fullmatch(_bare(container.image) or container.name.lower()) is not None


def _bare(image: str) -> str:
    """The last part of an image's name: registry.example/shops/web:1@sha256:… is web."""
    return re.split(r"[:@]", image.rpartition("/")[2])[0].lower()


def images_of(
    containers: Sequence[Container], images: Sequence[Image], read: Read
) -> Iterator[tuple[Container, Image | None, str]]:
    """Each container with its image, if a Dockerfile here is that; otherwise with what keeps that from being known."""
    exact = {_path(one.build) for one in containers if one.build is not None}
    elsewhere = [one for one in images if posixpath.normpath(one.file) not in exact]
    built = {_bare(one.image): one for one in containers if one.build is not None and one.image}
    waiting = [one for one in containers if _is_open(one, built)]
    any_builds = any(one.build is not None for one in containers)
    named = [one for one in waiting if one.build is None and not (any_builds and one.is_service)]
    chosen, open_ones = _chosen(named, images), {id(one) for one in named}
    for one in containers:
        source = one if one.build is not None else built.get(_bare(one.image)) if one.image else None
        if source is not None and source.build is not None:
            yield one, *_built(one, source.build, images, elsewhere, read)
        elif id(one) in open_ones:
            image = chosen.get(id(one))
            yield one, image, "" if image is not None or one.starts else _unknown(one, images)
        else:
            yield one, None, ""


def _is_open(one: Container, built: dict[str, Container]) -> bool:
    return not one.has_entry and not is_another(one) and _bare(one.image) not in built


def _unknown(one: Container, images: Sequence[Image]) -> str:
    shown = f"the image {one.image:.80}" if one.image else "its image"
    if not images:
        return f"{one.name}: what {shown} starts, no Dockerfile being among the files"
    return f"{one.name}: whether {shown} is the Dockerfile's, so what it starts"


def _chosen(named: Sequence[Container], images: Sequence[Image]) -> dict[int, Image]:
    """The containers that can only be the one image that starts gunicorn: by their image, else by a port or name."""
    ours = [one for one in images if one.command is not None] or [one for one in images if one.words]
    named = [one for one in named if not one.starts or any(image.entry is not None for image in ours)]
    if len(ours) != 1:
        return {}
    names = {*PurePosixPath(ours[0].file.lower()).parts[:-1], *PurePosixPath(ours[0].file.lower()).name.split(".")}
    by_port = [one for one in named if {*one.ports} & {*ours[0].ports}]
    by_name = [one for one in named if {_bare(one.image), one.name.lower()} & names]
    for found in (named, by_port, by_name):
        if len({_bare(one.image) or one.name for one in found}) == 1:
            return {id(one): ours[0] for one in found}
    return {}


def _path(build: Build) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(build.file), build.context, build.dockerfile))


def _built(
    one: Container, build: Build, images: Sequence[Image], elsewhere: Sequence[Image], read: Read
) -> tuple[Image | None, str]:
    """The image of a Dockerfile that a service names; one that is ``elsewhere`` may have its path from there."""
    if one.has_entry:
        return None, ""
    path = _path(build)
    image = next((image for image in images if posixpath.normpath(image.file) == path), None)
    near = [] if re.search(r"://|^git@", build.context) else [one for one in elsewhere if _is_suffix(one.file, path)]
    if image is None and len(near) == 1:
        image = near[0]
    found = read(build, image)
    missing = f"{one.name}: what its image starts: {path} is not among the files"
    return (found, "") if found is not None else (None, "" if one.starts else missing)


def _is_suffix(name: str, path: str) -> bool:
    """Whether the shorter of two paths may be the longer one, seen from another folder."""
    parts = [[part for part in PurePosixPath(one).parts if part not in ("/", "..")] for one in (name, path)]
    length = min(map(len, parts))
    return length > 0 and parts[0][-length:] == parts[1][-length:]
