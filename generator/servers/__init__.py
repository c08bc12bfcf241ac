"""The capability table: what each server is, needs and honours; one module for each."""

from __future__ import annotations

from collections.abc import Mapping

from .eventlet import EVENTLET
from .flask import FLASK
from .gevent import GEVENT
from .gthread import GTHREAD
from .meinheld import MEINHELD
from .pywsgi import PYWSGI
from .server import Server
from .sync import SYNC

SERVERS: Mapping[str, Server] = {
    server.name: server for server in (GEVENT, GTHREAD, SYNC, PYWSGI, MEINHELD, EVENTLET, FLASK)
}
