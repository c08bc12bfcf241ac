"""gunicorn's gevent worker, made fair: requests start in turn, and idle connections hold no greenlet.

What is neither here nor in gunicorn_response.py is gunicorn's: parsing, the WSGI call, logging, hooks, HTTP/2, TLS.
"""

import _socket
import os
from contextlib import nullcontext, suppress
from time import monotonic
from typing import Any

import gevent
from gevent import select
from gevent.event import Event
from gevent.pool import Group
from gunicorn.http.body import LengthReader
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from . import gevent_resolver
from . import response as gunicorn_response
from .gevent_server import Client, FairServer, Turns

TICK = 0.5  # seconds between heartbeats and looks at the deadlines, which are kept to this precision
LINGER = 1.0  # seconds in which a client answered just before a stop may send one more request
# Seconds idle before a connection gives up its greenlet, parser and last request: 10,000 idle ones then need 6.6 KiB
# each instead of stock's 15.7; 10 if all came at once, since the allocator keeps what it freed in small pieces.
# Parking after every answer was tried: 50 us more CPU for each request.
PARK_AFTER = 1.0
# Looking at 5,000 connections and parking many of them at once would make the active ones wait: after so many looked
# at, of which a parked one counts for ten, others have their turn.
LOOKED_AT, A_PARKED_ONE, BREATH = 200, 10, 0.001  # the last in seconds, so that the hub looks for events


class FairGeventWorker(GeventWorker):
    #: Seconds to read a request's headers, from the first byte read; the first one must come so soon after the accept.
    header_timeout = 10.0

    def run(self) -> None:
        """Not stock's: that makes servers of its own, and looks only each second whether to stop."""
        gunicorn_response.install()
        self.clients: set[Client] = set()
        self.turns, self.group, self.all_gone = Turns(), Group(), Event()
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        # With these a connection's parser remembers, or reads ahead, what a new one would not know.
        self.parks = self.cfg.proxy_protocol == "off" and self.cfg.http2_cleartext == "off"
        gevent_resolver.install()
        self.servers = [FairServer(self, listener, **tls) for listener in self.sockets]
        for server in self.servers:  # together they hold worker_connections; stock: each of them
            server.start()
        while self.alive:
            self.notify()
            self.look_at_clients()
            if select.select([self.PIPE[0]], [], [], TICK)[0]:  # gunicorn has every signal write to it
                os.read(self.PIPE[0], 4096)
        self.drain()

    def look_at_clients(self, end: float = float("inf")) -> None:
        """Hang up where the time is over; park who has been idle for long."""
        now, work, alive = monotonic(), 0, self.alive
        for client in tuple(self.clients):
            work += 1
            idle = now - (client.idle_since or now)
            if now > client.deadline or (idle > LINGER and not self.alive):
                with suppress(OSError):  # wakes the reader, yet what has arrived is still read and answered
                    client._sock.shutdown(_socket.SHUT_RD)  # not gevent's, which throws into the reader
                work += A_PARKED_ONE
            elif idle > PARK_AFTER and client.waiter is not None and self.parks:
                client.park()
                work += A_PARKED_ONE
            if work > LOOKED_AT:
                gevent.sleep(BREATH)  # a whole turn of the hub, half a second where requests compute for 10 ms
                self.notify()
                now, work = monotonic(), 0
                if now > end or self.alive != alive:
                    return

    def drain(self) -> None:
        """Answer what is in progress or has arrived, close what is idle, leave as soon as none is left."""
        for server in self.servers:
            server.draining = True
            server._do_read()  # the kernel resets what waits in its queue when the last listener closes
            server.close()
        for client in self.clients:
            if client.request is not None:  # gunicorn asks whether to close before it calls the app
                client.request.force_close()
        end = monotonic() + self.cfg.graceful_timeout
        while self.clients and monotonic() < end:
            self.notify()
            self.look_at_clients(end)
            self.all_gone.clear()
            self.all_gone.wait(TICK / 5)
        if self.clients:
            self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
            self.group.kill(timeout=1)

    def timeout_ctx(self) -> Any:
        """Stock's timer, keepalive for idling and headers alike, only where there is no Client: with TLS."""
        return super().timeout_ctx() if self.cfg.is_ssl else nullcontext()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Stock's, between two notes on the connection about what it waits for."""
        if not getattr(sock, "queued", False):
            self.turns.wait()  # TLS, a pipelined request, or one behind a body that the app did not read
        if not isinstance(sock, Client):
            super().handle_request(listener_name, req, sock, addr)
            return
        sock.queued, sock.request, sock.idle_since, sock.deadline = False, req, None, float("inf")
        super().handle_request(listener_name, req, sock, addr)
        sock.served, sock.request, sock.idle_since = True, None, monotonic()
        sock.deadline = sock.idle_since + self.cfg.keepalive
        body_read = isinstance(req.body.reader, LengthReader) and req.body.reader.length == 0
        sock.whole = body_read and not req.unreader.buf.getvalue()

    def handle_http2(self, listener: Any, client: Any, addr: Any, **options: Any) -> None:
        if isinstance(client, Client):  # its requests share the connection: no deadline for the headers
            client.idle_since, client.deadline = None, float("inf")
        super().handle_http2(listener, client, addr, **options)
