"""The eventlet worker of gunicorn 25, the last that has one: it accepts again after an error, and drains its queue."""

from functools import partial
from time import monotonic
from typing import Any

import eventlet
from gunicorn.http import wsgi
from gunicorn.workers import geventlet

from ..given_up import given_up
from . import accepting, old_gunicorn
from .app_errors import OwnErrors
from .framing import Framed


class Response(Framed):
    """eventlet's response, which sends the header with the first piece of the body, and no body where none may be."""

    def sendfile(self, respiter: Any) -> bool:
        """Where it does not, write() gets the file's pieces."""
        return not self.bodiless and super().sendfile(respiter)

    def write(self, arg: Any) -> None:
        """Stock sends the header before it looks: an app that fails at its first piece then gets no 500. And it sends
        what a client then takes for the begin of its next response."""
        if not isinstance(arg, bytes):
            raise TypeError(f"{arg!r} is not a byte")
        if self.bodiless:
            arg = b""
        if arg or self.headers_sent:
            super().write(arg)


class DrainingEventletWorker(OwnErrors, geventlet.EventletWorker):  # type: ignore[misc]
    """gunicorn's eventlet worker, which serves its queue before it stops."""

    def run(self) -> None:
        old_gunicorn.tighten()
        wsgi.Response, geventlet._eventlet_serve = Response, self.serve
        super().run()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        if given_up(sock):
            raise StopIteration("the client has gone")
        super().handle_request(listener_name, req, sock, addr)

    def serve(self, listener: Any, handle: Any, concurrency: int) -> None:
        """For each listener, until StopServe. Stock's ends with the first accept that finds no descriptor free, and the
        worker's heart beats on."""
        pool, warned = eventlet.greenpool.GreenPool(concurrency), float("-inf")
        # gunicorn reads its name when the connection has its turn, which may be after the close below.
        handle = partial(handle.func, accepting.ListenerName(listener))
        try:
            while True:
                with pool.sem:  # not more than there is room for
                    pass
                try:
                    self.spawn(pool, handle, *listener.accept())
                except OSError as error:
                    if error.errno in accepting.NO_ROOM:
                        if monotonic() - warned > 60:
                            warned = monotonic()
                            self.log.warning("Accepting pauses: %s; %d connections", error.strerror, pool.running())
                        eventlet.sleep(accepting.PAUSE)
                    elif error.errno not in accepting.GONE:
                        raise
        except eventlet.StopServe:
            if self.nr < self.max_requests or self.cfg.reuse_port:  # else the other workers share the queue
                self.drain(listener, pool, handle)
        listener.close()
        pool.waitall()

    def drain(self, listener: Any, pool: Any, handle: Any) -> None:
        """The kernel resets what waits in the queue when the last listener closes."""
        listener.setblocking(False)
        while pool.free() > 0:
            try:
                client, address = listener.accept()
            except OSError:  # nobody waits any more, or no descriptor is left
                return
            client = type(listener)(client)  # cooperative, as accept() makes them where it may wait
            self.spawn(pool, handle, client, address)

    def spawn(self, pool: Any, handle: Any, client: Any, address: Any) -> None:
        pool.spawn(handle, client, address).link(geventlet._eventlet_stop, eventlet.getcurrent(), client)
