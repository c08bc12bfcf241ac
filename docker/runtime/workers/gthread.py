"""gunicorn's thread worker, made fair: connections are accepted in batches, and hold a thread only for a request.

The loop is gunicorn's: it accepts, closes who is silent for too long, and stops. Who waits for a request waits in
threads.py. Ordinary requests take the short way of lean.py; all others, and TLS, are gunicorn's to parse.
"""

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from selectors import EVENT_READ
from socket import SHUT_WR, socket
from time import monotonic
from types import SimpleNamespace
from typing import Any

from gunicorn import util
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT, STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from .. import http_limits
from ..given_up import given_up
from . import accepting, lean, websocket
from .app_errors import OwnErrors
from .exchange import Exchange
from .heads import HeadSocket
from .threads import Threads

TAKE = 1.0  # seconds at most to take what waits in the queue at a stop
LINGER = 2.0  # seconds that a client has to close after its last response, as stock has it


class InOrder:
    """Connections that wait. What stock uses of a deque, without a search through thousands of them.

    The loop looks who is the first, and the threads take whom they serve: whoever ``take`` says yes to has it.
    """

    #: What the loop sees as the first where a thread took the last one meanwhile: its time is over, so it looks again.
    GONE = SimpleNamespace(timeout=0.0)

    def __init__(self) -> None:
        self._all: OrderedDict[TConn, None] = OrderedDict()

    def append(self, conn: TConn) -> None:
        self._all[conn] = None

    def take(self, conn: TConn) -> bool:
        return self._all.pop(conn, self) is not self

    def __getitem__(self, first: int) -> Any:
        try:
            return next(iter(self._all))
        except (StopIteration, RuntimeError):  # a thread has changed it in between
            return self.GONE

    def __iter__(self) -> Iterator[TConn]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)


class Parser(RequestParser):  # type: ignore[misc]
    """gunicorn's parser of a connection, which reads a whole ordinary request the short way."""

    def __init__(self, reader: lean.Reader, conn: TConn) -> None:
        super().__init__(conn.cfg, conn.sock, conn.client)
        self.reader, self.server = reader, conn.server
        self.request: lean.LeanRequest | None = None

    def __next__(self) -> Any:
        if self.unreader.buf.getvalue():  # of a request that came with the last one
            return super().__next__()
        sock = self.unreader.sock
        data = sock.recv(lean.READ_BYTES)
        if not data:
            raise StopIteration
        request = self.reader.read(data, sock, self.source_addr, self.server)
        if request is None or not lean.has_whole_body(request):
            self.unreader.unread(data)
            return super().__next__()
        self.request = request
        return request

    def finish_body(self, *args: Any, **options: Any) -> bool:
        """What the app left of the body is discarded; what follows is gunicorn's to parse."""
        request, self.request = self.request, None
        if request is None:
            return bool(super().finish_body(*args, **options))
        sock = self.unreader.sock
        if not lean.finish_body(request, sock):
            return False
        self.unreader.unread(sock.unread)
        return True


class Conn(TConn):  # type: ignore[misc]
    """A connection that waits in Threads, and whose end the loop does not wait for."""

    def __init__(self, worker: "FairThreadWorker", *args: Any) -> None:
        super().__init__(worker.cfg, *args)
        self.data_ready = True  # stock would wait in a thread for the first byte
        self.worker, self.descriptor = worker, self.sock.fileno()
        if worker.lean:
            self.parser = Parser(worker.reader, self)

    def close(self, graceful: bool = False) -> None:
        self.worker.tpool.forget(self)
        if graceful:
            self.worker.linger(self)
        else:
            super().close()


class FairThreadWorker(OwnErrors, ThreadWorker):  # type: ignore[misc]
    """gunicorn's thread worker, in which a connection holds a thread only while a request is served."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keepalived_conns, self.pending_conns, self.closing_conns = InOrder(), InOrder(), InOrder()
        self.paused_until = self.warned = float("-inf")
        self.head_bytes = http_limits.head_bytes(self.cfg.limit_request_line, self.cfg.limit_request_field_size)
        self.lean = lean.fits(self.cfg) and not self.cfg.is_ssl
        self.keepalive = self.cfg.keepalive

    def get_thread_pool(self) -> Threads:
        return Threads(self.cfg.threads, self.serve, self.respond)

    def run(self) -> None:
        lean.install()
        self.reader = lean.Reader(self.cfg)  # the app has been imported: it may set SCRIPT_NAME
        self.exchange = Exchange(self, util.close_graceful)
        self.tpool.start()
        super().run()

    def accept(self, listener: Any) -> None:
        """Stock hands each new connection to a thread, which then waits up to 5 s for the first byte."""
        for _ in range(min(accepting.batch(self.nr_conns), self.worker_connections - self.nr_conns)):
            try:
                sock, address = listener.accept()
            except BlockingIOError:  # none is waiting, or another worker was faster
                return
            except OSError as error:
                if error.errno in accepting.NO_ROOM:
                    self.pause(error)
                    return
                if error.errno in accepting.GONE:
                    continue
                raise
            self.nr_conns += 1
            conn = Conn(self, HeadSocket(sock, self.head_bytes), address, listener.getsockname())
            self.wait_for_first_byte(conn)

    # --- In a thread ---

    def serve(self, conn: Conn) -> None:
        """Bytes have come, or the end of the connection; unless the loop closes it just now."""
        if self.keepalived_conns.take(conn) or self.pending_conns.take(conn):
            self.respond(conn)

    def respond(self, conn: Conn) -> None:
        """One request; then the connection waits for the next one, or the loop closes it."""
        keep = False
        try:
            keep = self.handle(conn)
        except BaseException:  # SystemExit of the app among them, which ended stock's worker
            self.log.exception("Error handling request")
        if not keep:
            self.method_queue.defer(self.end, conn)
        elif conn.parser.unreader.buf.getvalue():
            self.tpool.serve_next(conn)
        else:
            conn.timeout = monotonic() + self.keepalive
            self.keepalived_conns.append(conn)
            if not self.alive:  # and the loop has looked at all that wait, perhaps just before
                conn.timeout = min(conn.timeout, monotonic() + STOP_KEEPALIVE_LINGER)
            if not self.tpool.wait(conn) and self.keepalived_conns.take(conn):  # the app has closed it
                self.method_queue.defer(self.end, conn)

    def handle(self, conn: TConn) -> Any:
        """A head holds the thread: threads are the number of unfinished ones, and the proxy in front keeps off all that
        are slow."""
        if isinstance(conn.sock, HeadSocket):  # not TLS
            conn.sock.head = 0
        return super().handle(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        short = req.__class__ is lean.LeanRequest
        if isinstance(conn.sock, HeadSocket):
            conn.sock.head = None
            if not short and websocket.is_handshake(req):
                conn.sock.become_websocket()
        if given_up(conn.sock):
            return False
        if not short:
            return super().handle_request(req, conn)
        if len(self.keepalived_conns) >= self.max_keepalived:
            req.force_close()
        self.exchange.handle(req, conn.sock)
        return True

    # --- In the loop ---

    def end(self, conn: Conn) -> None:
        self.nr_conns -= 1
        try:
            conn.close(graceful=True)
        except Exception:
            conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        self.close_silent(self.keepalived_conns, force)

    def murder_pending(self) -> None:
        self.close_silent(self.pending_conns)
        now = monotonic()
        while self.closing_conns and self.closing_conns[0].timeout < now:
            conn = self.closing_conns[0]
            self.poller.unregister(conn.sock)
            self.forget(conn)

    def close_silent(self, waiting: InOrder, force: bool = False) -> None:
        now = monotonic()
        while waiting and (force or waiting[0].timeout <= now):
            conn = waiting[0]
            if waiting.take(conn):
                self.nr_conns -= 1
                conn.close()

    def pause(self, error: OSError) -> None:
        """Stock's worker ends. The loop tries again each second at least."""
        self.paused_until = monotonic() + accepting.PAUSE
        self.set_accept_enabled(False)
        if monotonic() - self.warned > 60:
            self.warned = monotonic()
            self.log.warning("Accepting pauses: %s; %d connections", error.strerror, self.nr_conns)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled and monotonic() > self.paused_until)

    def wait_for_first_byte(self, conn: Conn) -> None:
        conn.timeout = monotonic() + max(self.cfg.keepalive, DEFAULT_WORKER_DATA_TIMEOUT)
        self.pending_conns.append(conn)
        self.tpool.add(conn)

    def linger(self, conn: Conn) -> None:
        """Until the client closes too, so that it gets its response whole. Stock waits for that in its loop: a client
        that sent Connection: close and stays costs all others 2 s."""
        self.nr_conns += 1
        conn.timeout = monotonic() + LINGER
        self.closing_conns.append(conn)
        try:
            # An app may have kept the socket (environ["gunicorn.socket"]) and close it now; the poller, not knowing,
            # would then stumble over the next connection of that number.
            conn.sock = socket(fileno=conn.sock.detach())
            conn.sock.setblocking(False)
            conn.sock.shutdown(SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_closing_socket_readable, conn))
        except (OSError, ValueError):  # it has gone
            self.forget(conn)

    def on_closing_socket_readable(self, conn: Conn, sock: Any) -> None:
        try:
            if sock.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.poller.unregister(sock)
        self.forget(conn)

    def forget(self, conn: Conn) -> None:
        self.closing_conns.take(conn)
        self.nr_conns -= 1
        conn.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """Called once, when the worker stops. Stock waits for silent connections until graceful_timeout, and leaves
        those in the queue, which the kernel resets when the last listener closes."""
        # Twice worker_connections at most: the descriptors suffice for that.
        self.worker_connections = self.nr_conns + min(self.cfg.backlog, self.cfg.worker_connections)
        end, replaced = monotonic() + TAKE, self.nr >= self.max_requests and not self.cfg.reuse_port
        for listener in self.sockets:
            before = self.nr_conns if replaced else -1  # the other workers share the queue, and go on
            while before != self.nr_conns and monotonic() < end:
                before = self.nr_conns
                self.accept(listener)
            listener.close()
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
        super()._cap_keepalive(deadline)
