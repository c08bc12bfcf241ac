"""``python -P -m kit_runtime.pywsgi.server -c FILE``: gevent's pywsgi made fit for production."""

from __future__ import annotations

from gevent import monkey

if __name__ == "__main__":
    # Before anything else is imported: a lock made earlier would block the whole process.
    monkey.patch_all()

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..boot import fail
from ..http_limits import IDLE_SECONDS, probe_silent_peers
from .configuration import (
    HOOK,
    ConfigError,
    address_of,
    directory,
    documents,
    endpoint,
    enter,
    flag,
    load,
    load_app,
    peers_of,
    seconds,
    setting,
    text,
    trusted_peers,
    whole,
)
from .log import log, set_up
from .supervisor import Supervisor
from .worker import BOOT_ERROR

Hook = Callable[..., object] | None

_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting once. The names are gunicorn's; two are nginx's, and header_timeout, access_log_json,
    quiet_paths and mount the kit's own."""

    wsgi_app: str = text()
    #: Path that the app lies below; None is the root.
    mount: str | None = text(None)
    bind: str = endpoint("127.0.0.1:8000")
    workers: int = whole(1, at_least=1)
    worker_connections: int = whole(1000, at_least=1)
    backlog: int = whole(2048, at_least=1)
    #: Seconds that an idle connection may wait for its next request; 0 closes after every response.
    keepalive: float = seconds(5)
    #: Seconds to send a whole request head: from accept for the first, from its first byte for the next.
    header_timeout: float = seconds(10, above_zero=True)
    #: Seconds in which a client must send more of a body, and must take more of a response; 0 for ever.
    client_body_timeout: float = seconds(IDLE_SECONDS)
    send_timeout: float = seconds(IDLE_SECONDS)
    #: Seconds without a heartbeat after which a worker counts as hung; 0 never.
    timeout: float = seconds(30)
    graceful_timeout: float = seconds(30)
    max_requests: int = whole(0)
    max_requests_jitter: int = whole(0)
    preload_app: bool = flag(False)
    accesslog: str | None = setting('"-" (stdout) or None', lambda value: value == "-", None)
    access_log_json: bool = flag(False)
    #: Paths whose 2xx responses the access log leaves out (probes).
    quiet_paths: tuple[str, ...] = setting(
        "a collection of paths",
        lambda value: isinstance(value, list | tuple | set | frozenset) and all(type(p) is str for p in value),
        (),
    )
    loglevel: str = setting(f"one of {', '.join(_LEVELS)}", lambda value: value in _LEVELS, "info")
    forwarded_allow_ips: str = trusted_peers("127.0.0.1,::1")
    chdir: str = directory(".")
    when_ready: Hook = field(default=None, metadata=HOOK)
    post_fork: Hook = field(default=None, metadata=HOOK)
    child_exit: Hook = field(default=None, metadata=HOOK)


def settings(argv: list[str]) -> Settings:
    """The document's settings. Arguments behind it beat it, as they do with gunicorn. Raises ConfigError."""
    cfg = load(documents(argv[:2]), Settings)
    if not argv[2:]:
        return cfg
    if len(argv) != 4 or argv[2] != "--forwarded-allow-ips":
        raise ConfigError("arguments behind the document: --forwarded-allow-ips PEERS, or none")
    try:
        peers_of(argv[3])
    except ValueError as error:
        raise ConfigError(f"--forwarded-allow-ips {argv[3]}: {error}") from None
    return replace(cfg, forwarded_allow_ips=argv[3])


def main(argv: list[str]) -> int:
    """Read the document, import the app if it is shared, and supervise; the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        # Nothing is served yet: any of these ends the process, and PID 1 ignores what it has no handler for.
        signal.signal(number, lambda *_: os._exit(0))
    try:
        cfg = settings(argv)
    except ConfigError as error:
        fail(str(error))
    set_up(cfg.loglevel)
    enter(cfg.chdir)
    app = None
    if cfg.preload_app:
        try:
            app = load_app(cfg.wsgi_app, cfg.mount)
        except Exception:
            log.exception("Could not load %s", cfg.wsgi_app)
            return BOOT_ERROR
        # A collection in a worker would otherwise write to every page that it shares with the parent.
        gc.collect()
        gc.freeze()
    try:
        listener = listen(cfg.bind, cfg.backlog)
    except OSError as error:
        log.critical("Could not listen at %s: %s", cfg.bind, error.strerror)
        return 1
    return Supervisor(cfg, listener, app, lambda: settings(argv)).run()


def listen(bind: str, backlog: int) -> Any:
    """The one listener of all processes; on Linux accepted sockets inherit TCP_NODELAY and SO_KEEPALIVE."""
    family, address = address_of(bind)
    # The original class: a gevent socket would start a hub here, which every worker would inherit.
    listener = monkey.get_original("socket", "socket")(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    probe_silent_peers(listener)
    listener.bind(address)
    listener.listen(backlog)
    listener.setblocking(False)
    return listener


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
