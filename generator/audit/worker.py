"""Which server a worker class is, so that it can be looked up in the capability table."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.gunicorn_settings import known_settings
from ..profile.schema import SETTINGS
from ..servers import SERVERS
from ..servers.common import TLS
from ..servers.server import Cell, Server
from .given import Given, Run

#: What people write for a class that has a short name, and for meinheld's, by the server's name.
_SPELT = {
    "gunicorn.workers.ggevent.GeventWorker": "gevent",
    "gunicorn.workers.ggevent.GeventPyWSGIWorker": "gevent_pywsgi",
    "gunicorn.workers.gthread.ThreadWorker": "gthread",
    "gunicorn.workers.sync.SyncWorker": "sync",
    "egg:meinheld#gunicorn_worker": "meinheld",
    "meinheld.gmeinheld.MeinheldWorker": "meinheld",
    "egg:gunicorn#gevent": "gevent",
    "egg:gunicorn#gthread": "gthread",
    "egg:gunicorn#sync": "sync",
}
#: Short names that gunicorn once had.
REMOVED = ("eventlet", "gaiohttp", "aiohttp")


@dataclass(frozen=True)
class Worker:
    """The worker of a run: its name, or an empty one where it cannot be known, and where it was given."""

    name: str = ""
    given: Given | None = None
    #: Whether it is the kit's own class, which mends what the stock one lacks.
    ours: bool = False

    @property
    def server(self) -> Server | None:
        """Its row of the capability table, where it has one."""
        return SERVERS.get(self.name)

    def cell(self, setting: str) -> Cell | None:
        """What the worker makes of a setting; None where the table says nothing that holds outside the kit."""
        if self.server is None:
            return None
        cell = self.server.settings.get(_PATHS.get(setting, setting))
        return None if cell is TLS else cell


_PATHS = {one.gunicorn: path for path, one in SETTINGS.items() if one.gunicorn}


def worker_of(run: Run) -> Worker:
    """The worker that a run starts, as far as it can be known."""
    given = run.last("worker_class")
    if given is None:
        if run.place == "configuration" or run.partial:
            return Worker()  # the command line may name one
        threads = run.last("threads")
        several = threads is not None and threads.value.known and str(threads.value.value) != "1"
        return Worker("gthread" if several else "sync")
    if not given.value.known or not isinstance(given.value.value, str):
        return Worker("", given)
    text = given.value.value
    own = {server.worker_class: name for name, server in SERVERS.items() if "." in server.worker_class}
    if text in own:
        return Worker(own[text], given, ours=True)
    return Worker(_SPELT.get(text, text if "." not in text and ":" not in text else ""), given, run.ours)


def known_workers() -> tuple[str, ...]:
    """Short names that gunicorn has today."""
    return tuple(known_settings()["worker_class"]["choices"])
