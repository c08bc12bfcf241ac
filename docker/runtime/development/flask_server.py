"""``python -P -m kit_runtime.development.flask_server -c FILE``: werkzeug's server, for development only."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from werkzeug.serving import is_running_from_reloader, run_simple

from ..boot import fail
from ..pywsgi.configuration import (
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
    text,
    whole,
)

WARNING = (
    "kit: this is the DEVELOPMENT server: one process that no one watches, no time limits, "
    "and with debug anyone who reaches it can run code. Never use it in production."
)
_BOTH = (
    "threads = {threads} and workers = {workers}: werkzeug serves with threads or with processes, not both; "
    "set one of them to 1"
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting once; ``threads`` above 1 is werkzeug's ``threaded``: a thread a request, no limit."""

    wsgi_app: str = text()
    #: Path that the app lies below; None is the root.
    mount: str | None = text(None)
    bind: str = endpoint("127.0.0.1:5000")
    threads: int = whole(1, at_least=1)
    #: Processes: each request is served in a fork of its own, at most this many at a time.
    workers: int = whole(1, at_least=1)
    reload: bool = flag(True)
    debug: bool = flag(False)
    chdir: str = directory(".")
    when_ready: Callable[[Any], object] | None = field(default=None, metadata=HOOK)


def main(argv: list[str]) -> None:
    """Serve until SIGTERM; with ``reload`` werkzeug runs this a second time, in the child that serves."""
    # PID 1 ignores a signal without a handler. Nothing here is worth a clean-up; werkzeug's reloader replaces
    # the handler by one that ends its child first.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        cfg = load(documents(argv), Settings)
    except ConfigError as error:
        fail(str(error))
    if cfg.threads > 1 and cfg.workers > 1:
        fail(_BOTH.format(threads=cfg.threads, workers=cfg.workers))
    if cfg.debug:
        os.environ["FLASK_DEBUG"] = "1"
    if not is_running_from_reloader():
        print(WARNING, file=sys.stderr, flush=True)
        if cfg.when_ready:
            cfg.when_ready(SimpleNamespace(cfg=cfg, pid=os.getpid()))
    host, port = address_of(cfg.bind)[1]
    run_simple(
        host,
        port,
        _app(cfg),
        use_reloader=cfg.reload,
        use_debugger=cfg.debug,
        threaded=cfg.threads > 1,
        processes=cfg.workers,
    )


def _app(cfg: Settings) -> Any:
    """The app; under the reloader only the serving child imports it, and outlives a mistake in it."""
    if cfg.reload and not is_running_from_reloader():
        # This process stays where it was started, since it starts the child with the same arguments.
        return _broken
    enter(cfg.chdir)
    try:
        return load_app(cfg.wsgi_app, cfg.mount)
    except Exception:
        if not cfg.reload:
            raise
        traceback.print_exc()
        return _broken


def _broken(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
    return [b"The app could not be imported; the log has the traceback. It is tried again when a file changes.\n"]


if __name__ == "__main__":
    main(sys.argv[1:])
