"""gunicorn's gevent worker, made fair and lean: requests start in turn, a waiting connection holds no greenlet.

gevent_client.py is one connection, gevent_server.py accepts them, pool.py has the greenlets, lean.py reads ordinary
requests; this module decides: what is served how, when a connection ends, how a worker stops. What is in none of them
is gunicorn's: parsing of all other requests, the WSGI call, logging, hooks, HTTP/2, TLS.
"""

import errno
import os
from contextlib import nullcontext
from heapq import nsmallest
from operator import attrgetter
from select import POLLIN
from time import monotonic
from typing import Any

import gevent
from gevent import monkey, select
from gevent.event import Event
from gevent.pool import Group
from gunicorn.http.body import LengthReader
from gunicorn.sock import ssl_context
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from .. import http_limits
from ..given_up import given_up
from . import accepting, gevent_resolver, lean, websocket
from .app_errors import OwnErrors
from .balance import Balance
from .exchange import Exchange
from .gevent_client import Client
from .gevent_server import FairServer
from .pool import Pool

TICK = 0.5  # seconds between heartbeats and looks at the deadlines, which are kept to this precision
LINGER = 1.0  # seconds in which a client that got a response just before a stop may send one more request
# Looking at 5,000 connections and closing many of them at once would make the active ones wait: after so many looked
# at, of which one that is closed counts for ten, others have their turn.
LOOKED_AT, A_CLOSED_ONE, BREATH = 200, 10, 0.001  # the last in seconds, so that the hub looks for events
# Seconds after which a connection may be ended for one that waits: before it may be between two requests.
IDLE = 1.0
ACCEPT_EACH = 16  # requests after which the worker accepts, whether or not the hub has had its turn
READ_AT_ONCE = 65536  # bytes of a body that the app did not read
#: Shared by all workers: this module is imported before they are forked.
BALANCE = Balance()


class FairGeventWorker(OwnErrors, GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, which accepts in batches and lets no busy connection starve the others."""

    #: Seconds to read a request's headers, from the first byte read; the first one must come so soon after the accept.
    header_timeout = 10.0
    #: Seconds in which a client must send more of a body, or take more of a response.
    transfer_timeout = http_limits.IDLE_SECONDS

    def run(self) -> None:
        """Not stock's: that makes servers of its own, and looks only each second whether to stop."""
        lean.install()
        self.clients: set[Client] = set()
        self.group, self.all_gone, self.pool = Group(), Event(), Pool(self)
        self.beaten, self.begun = 0.0, 0
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        self.lean = lean.fits(self.cfg)
        self.keepalive, self.reader, self.exchange = self.cfg.keepalive, lean.Reader(self.cfg), Exchange(self)
        self.head_bytes = http_limits.head_bytes(self.cfg.limit_request_line, self.cfg.limit_request_field_size)
        self.waiting_bytes = 0  # of all requests that have been read, and wait for their turn
        self.unfinished_bytes = 0  # of all heads that gunicorn's parser is reading
        self.somebody_waited, self.places_needed, self.surplus = False, 0, 0
        gevent_resolver.install()
        self.servers = [FairServer(self, listener, **tls) for listener in self.sockets]
        for server in self.servers:  # together they hold worker_connections; stock: each of them
            server.start()
        while self.alive:
            self.notify()
            BALANCE.write(self.age, len(self.clients))
            self.make_room()
            self.even_out()
            self.look_at_clients()
            if select.select([self.PIPE[0]], [], [], TICK)[0]:  # gunicorn has every signal write to it
                os.read(self.PIPE[0], 4096)
        self.drain()

    def is_ahead(self) -> bool:
        """Whether this worker holds clearly more connections than the others; tells them how many."""
        held = len(self.clients)
        BALANCE.write(self.age, held)
        return self.cfg.workers > 1 and BALANCE.ahead(self.age, held)

    def even_out(self) -> None:
        """Of a lead over the other workers, have some connections close after their next response, though not after
        their first: one that is idle from then on costs nothing where it is. Not while others wait to be accepted:
        those even it out, and who comes back is behind them.
        """
        self.surplus = 0
        if self.cfg.workers > 1 and not any(accepting.queue_length(server.socket) for server in self.servers):
            self.surplus = min(BALANCE.lead(self.age, len(self.clients)), accepting.batch(len(self.clients)))

    def make_room(self) -> None:
        """Where a full worker has let somebody wait since the last look, so no other worker takes them: end who has
        been idle for longest; if those are too few, connections close after their next response. A few at a time, as
        they are accepted: of more clients than there are places each is served in its turn, without a storm of closes.
        """
        waited, self.somebody_waited = self.somebody_waited, any(map(somebody_waits, self.servers))
        self.places_needed = accepting.batch(len(self.clients)) if waited and self.somebody_waited else 0
        if self.places_needed:
            now = monotonic()
            idle = [client for client in self.clients if not client.busy and now - (client.idle_since or now) > IDLE]
            idle = nsmallest(self.places_needed, idle, key=attrgetter("idle_since"))
            for client in idle:
                client.deadline = 0.0
            self.places_needed -= len(idle)

    def close_if_needed(self, request: Any, client: Client) -> None:
        if client.hung_up:
            request.force_close()
        elif self.places_needed > 0:
            self.places_needed -= 1
            request.force_close()
        elif self.surplus > 0 and client.served:
            self.surplus -= 1
            request.force_close()
        client.served = True

    def look_at_clients(self, end: float = float("inf")) -> None:
        """Hang up where the time is over."""
        now, work, alive = monotonic(), 0, self.alive
        for client in tuple(self.clients):
            work += 1
            idle = now - (client.idle_since or now)
            if now > client.deadline or (idle > LINGER and not self.alive):
                client.hang_up()
                work += A_CLOSED_ONE
            if work > LOOKED_AT:
                gevent.sleep(BREATH)  # a whole turn of the hub, half a second where requests compute for 10 ms
                self.notify()
                now, work = monotonic(), 0
                if now > end or self.alive != alive:
                    return

    def drain(self) -> None:
        """Serve what is in progress or has arrived, close what is idle, leave as soon as none is left."""
        recycled = self.nr >= self.max_requests and not self.cfg.reuse_port
        for server in self.servers:
            server.draining = True
            if not recycled:  # else the other workers share the queue, and the next one will
                server._do_read()  # the kernel resets what waits in it when the last listener closes
            server.close()
        for client in self.clients:
            if client.request is not None:  # gunicorn looks whether to close before it calls the app
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

    def beat(self) -> None:
        """At each request too: where many of them are ready, run() and the listener wait for all."""
        self.begun += 1
        if self.begun % ACCEPT_EACH == 0:
            for server in self.servers:
                server.accept_meanwhile()
        if (now := monotonic()) - self.beaten > TICK:
            self.beaten = now
            self.notify()

    def serve(self, client: Client) -> None:
        """Serve what has come on a connection, then have it wait for more, or close it; in a greenlet of the pool."""
        data, client.unread = client.unread, b""
        try:
            data = data or client.take_first()
        except BlockingIOError:  # the event was of bytes that are read already
            client.deadline = (client.idle_since or monotonic()) + self.keepalive
            client.wait()
            return
        except OSError:
            data = b""
        client.idle_since, client.deadline = None, float("inf")
        try:
            keep = bool(data) and self.respond(data, client)
        except Exception:  # not foreseen, or it would have a response: it must not cost a place for ever
            self.log.exception("Error on a connection")
            keep = False
        if not keep or client.hung_up:
            client.whole = False
            client.server.do_close(client)
            return
        if client.unread:
            client.wait_for_turn(begun=True)
            return
        client.idle_since = monotonic()
        client.deadline = client.idle_since + self.keepalive
        client.wait()

    def respond(self, data: bytes, client: Client) -> bool:
        """One request, or with gunicorn's parser those that came with it; whether the connection stays open."""
        server, address = client.server, client.address
        request = self.reader.read(data, client, address, server.address) if self.lean else None
        if request is None:
            client.read_head(data)
            client.stop_watching()
            # Not GeventWorker's, which takes the timeout off: without one it would be socket.setdefaulttimeout's.
            AsyncWorker.handle(self, server, client, address)
            return client.whole
        if given_up(client._sock):
            return False
        client.request = request
        self.beat()
        self.close_if_needed(request, client)
        try:
            self.exchange.handle(request, client)
            client.deadline = monotonic() + self.header_timeout
            return lean.finish_body(request, client)
        except (StopIteration, gevent.GreenletExit, SystemExit):
            pass
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                self.log.exception("Socket error processing request.")
        except BaseException as error:
            self.handle_error(request, client, address, error)
        finally:
            client.request = None
        return False

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Of a request that gunicorn has parsed: its own, between two notes on what the connection waits for."""
        self.beat()
        if not isinstance(sock, Client):
            super().handle_request(listener_name, req, sock, addr)
            return
        sock.end_head()
        if given_up(sock._sock):
            raise StopIteration("the client has gone")
        sock.request, sock.idle_since, sock.deadline = req, None, float("inf")
        self.close_if_needed(req, sock)
        if websocket.is_handshake(req):
            sock.become_websocket()
        super().handle_request(listener_name, req, sock, addr)
        sock.writing = None  # it was an ordinary response, and a slow body of the next request has a limit
        if not (isinstance(req.body.reader, LengthReader) and req.body.reader.length == 0):
            self.read_to_the_end(req, sock)
        sock.request, sock.head, sock.idle_since = None, 0, monotonic()
        sock.deadline = sock.idle_since + self.keepalive
        sock.whole = self.lean and not req.unreader.buf.getvalue()
        if not sock.whole:
            gevent.sleep(0)  # others have their turn before a request that came with this one

    def read_to_the_end(self, req: Any, sock: Client) -> None:
        """A body that the app left; gunicorn would, in front of the next head, for which its bytes would then count."""
        sock.deadline = monotonic() + self.header_timeout
        try:
            while req.body.read(READ_AT_ONCE):
                pass
        except Exception:  # a broken one: where the next request starts is unknown
            raise StopIteration("unread body") from None
        if monotonic() > sock.deadline:
            raise StopIteration("unread body")

    def handle_http2(self, listener: Any, client: Any, addr: Any, **options: Any) -> None:
        if isinstance(client, Client):  # its requests share the connection: no deadline for it
            client.end_head()
            client.settimeout(None)
            client.idle_since, client.deadline = None, float("inf")
        super().handle_http2(listener, client, addr, **options)


def somebody_waits(server: FairServer) -> bool:
    """Whether a connection is in the queue of a listener that does not accept, since the worker is full."""
    if not server.full():
        return False
    poll = monkey.get_original("select", "poll")()
    poll.register(server.socket.fileno(), POLLIN)
    return bool(poll.poll(0))
