"""Every part of gevent and gunicorn beyond their documented interfaces that the kit's workers build on, by name.

A newer version that changes one fails here first, and says which. Each line is a place in the source and what must
stand there: a definition with its parameters, or how stock calls what the kit overrides.
"""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import Any

import pytest

from tests.servers.started import ROOT

WORKERS = ROOT / "generator/runtime/workers"

#: Defined there, with these parameters.
DEFINED = (
    ("gevent.baseserver", "BaseServer.do_read", "(self)"),
    ("gevent.baseserver", "BaseServer._do_read", "(self)"),
    ("gevent.baseserver", "BaseServer.do_handle", "(self, *args)"),
    ("gevent.baseserver", "BaseServer.full", "(self)"),
    ("gevent.baseserver", "BaseServer.stop_accepting", "(self)"),
    ("gevent.baseserver", "BaseServer._start_accepting_if_started", "(self, _event=None)"),
    ("gevent.server", "StreamServer.do_close", "(self, sock, *args)"),
    ("gunicorn.arbiter", "Arbiter.maybe_promote_master", "(self)"),
    ("gunicorn.arbiter", "Arbiter.murder_workers", "(self)"),
    ("gunicorn.arbiter", "Arbiter.reap_workers", "(self)"),
    ("gunicorn.workers.workertmp", "WorkerTmp.last_update", "(self)"),
    ("gunicorn.workers.workertmp", "WorkerTmp.fileno", "(self)"),
    ("gunicorn.workers.base", "Worker.init_signals", "(self)"),
    ("gunicorn.workers.base", "Worker.load_wsgi", "(self)"),
    ("gunicorn.app.base", "BaseApplication.wsgi", "(self)"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle_request", "(self, listener_name, req, sock, addr)"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle_http2", None),
    ("gunicorn.workers.ggevent", "GeventWorker.timeout_ctx", "(self)"),
    ("gunicorn.workers.gthread", "TConn.__init__", "(self, cfg, sock, client, server)"),
    ("gunicorn.workers.gthread", "TConn.close", "(self, graceful=False)"),
    ("gunicorn.workers.gthread", "ThreadWorker.accept", "(self, listener)"),
    ("gunicorn.workers.gthread", "ThreadWorker.set_accept_enabled", "(self, enabled)"),
    ("gunicorn.workers.gthread", "ThreadWorker.murder_pending", "(self)"),
    ("gunicorn.workers.gthread", "ThreadWorker._cap_keepalive", "(self, deadline)"),
    ("gunicorn.workers.gthread", "ThreadWorker.murder_keepalived", "(self, force=False)"),
    ("gunicorn.workers.gthread", "ThreadWorker.get_thread_pool", "(self)"),
    ("gunicorn.workers.gthread", "ThreadWorker.handle", "(self, conn)"),
    ("gunicorn.workers.gthread", "ThreadWorker.handle_request", "(self, req, conn)"),
    ("gunicorn.workers.gthread", "PollableMethodQueue.defer", "(self, callback, *args)"),
    ("gunicorn.workers.gthread", "STOP_KEEPALIVE_LINGER", None),
    ("gunicorn.workers.gthread", "DEFAULT_WORKER_DATA_TIMEOUT", None),
    ("gunicorn.http.message", "Message.force_close", "(self)"),
    ("gunicorn.http.message", "_ip_in_allow_list", "(ip_str, allow_list, networks)"),
    ("gunicorn.http.message", "Request.should_close", "(self)"),
    ("gunicorn.http.body", "Body.read", "(self, size=None)"),
    ("gunicorn.http.unreader", "Unreader.take_buffered", "(self)"),
    ("gunicorn.http.wsgi", "base_environ", "(cfg)"),
    ("gunicorn.http.wsgi", "_make_early_hints_callback", "(req, sock, resp)"),
    ("gunicorn.http.wsgi", "Response.process_headers", "(self, headers)"),
    ("gunicorn.http.body", "LengthReader", None),
    ("gunicorn.http.errors", "LimitRequestHeaders", None),
    ("gunicorn.http.wsgi", "Response.__init__", "(self, req, sock, cfg)"),
    ("gunicorn.http.wsgi", "Response.start_response", "(self, status, headers, exc_info=None)"),
    ("gunicorn.http.wsgi", "Response.send_headers", "(self)"),
    ("gunicorn.http.wsgi", "Response._emit_body", "(self, data)"),
    ("gunicorn.http.wsgi", "Response.sendfile", "(self, respiter)"),
    ("gunicorn.http.wsgi", "Response.close", "(self)"),
    ("gunicorn.util", "http_date", "(timestamp=None)"),
    ("gunicorn.glogging", "Logger.atoms", "(self, resp, req, environ, request_time)"),
    ("gunicorn.glogging", "Logger.access", "(self, resp, req, environ, request_time)"),
    ("gunicorn.glogging", "Logger.access_log_enabled", None),
    ("gunicorn.glogging", "SafeAtoms", None),
    ("gunicorn.config", "Config.parser", "(self)"),
    ("gunicorn.config", "Config.get_cmd_args_from_env", "(self)"),
)

#: Stands in the source of that.
STANDS_IN = (
    # gevent's sockets: what Client and FairServer reach into.
    ("gevent.socket", "socket._accept", "self._sock._accept()"),
    ("gevent.socket", "socket.__init__", "self._sock = "),
    ("gevent.socket", "socket.__init__", "self._read_event = "),
    ("gevent.server", "StreamServer", "self.socket"),
    ("gevent.baseserver", "BaseServer.__init__", "self._timer = None"),
    ("gevent.baseserver", "BaseServer.stop_accepting", "self._watcher = None"),
    ("gevent.baseserver", "BaseServer.__init__", "self.loop = get_hub().loop"),
    ("gevent.baseserver", "BaseServer.set_listener", "self.address = listener.getsockname()"),
    ("gevent.baseserver", "BaseServer.set_listener", "self.family = listener.family"),
    ("gevent.baseserver", "BaseServer._do_read", "range(self.max_accept)"),
    ("gevent.baseserver", "BaseServer._do_read", "if self.full():"),
    ("gevent.baseserver", "BaseServer._do_read", "args = self.do_read()"),
    ("gevent.baseserver", "BaseServer._do_read", "self.do_handle(*args)"),
    ("gevent.socket", "socket.recv", "self._wait(self._read_event)"),
    ("gevent.socket", "socket.send", "self._wait(self._write_event)"),
    ("gevent.socket", "socket.sendfile", "self._sendfile_use_send("),
    ("gevent.socket", "socket._sendfile_use_send", "sock_send = self.send"),
    # The order of a request in gunicorn's asynchronous workers.
    ("gunicorn.workers.base_async", "AsyncWorker.handle", "with self.timeout_ctx():"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle", "self.handle_request(listener_name, req, client, addr)"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle", "except StopIteration as e:"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle", "util.close(client)"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle_request", "resp.headers_sent"),
    ("gunicorn.workers.base_async", "AsyncWorker.handle_request", "wsgi.create(req, sock, addr,"),
    ("gunicorn.http.parser", "Parser.finish_body", "body.read(1024)"),
    ("gunicorn.workers.ggevent", "GeventWorker.patch", "self.sockets = sockets"),
    ("gunicorn.workers.base", "Worker.init_process", "self.PIPE = os.pipe()"),
    ("gunicorn.workers.base", "Worker.init_process", "self.init_signals()"),
    ("gunicorn.workers.base", "Worker.init_signals", "signal.set_wakeup_fd(self.PIPE[1])"),
    ("gunicorn.workers.base", "Worker.load_wsgi", "self.wsgi = self.app.wsgi()"),
    ("gunicorn.app.base", "BaseApplication.run", "except RuntimeError as e:"),
    ("gunicorn.workers.base", "Worker.__init__", "self.tmp = WorkerTmp(cfg)"),
    ("gunicorn.workers.base", "Worker.__init__", "self.max_requests = "),
    # What it reads of a request.
    ("gunicorn.http.body", "Body.__init__", "self.reader = reader"),
    ("gunicorn.http.body", "LengthReader.__init__", "self.length = length"),
    ("gunicorn.http.message", "Message.__init__", "self.unreader = unreader"),
    ("gunicorn.http.unreader", "Unreader.__init__", "self.buf = io.BytesIO()"),
    ("gunicorn.http.unreader", "SocketUnreader.chunk", "self.sock.recv("),
    # Responses: made and written by these names.
    ("gunicorn.http.wsgi", "create", "Response"),
    ("gunicorn.http.wsgi", "Response.default_headers", "util.http_date()"),
    ("gunicorn.http.wsgi", "Response.__init__", "self.headers_sent = False"),
    ("gunicorn.http.wsgi", "Response.__init__", "self.response_length = None"),
    ("gunicorn.http.wsgi", "Response.__init__", "self._omits_body = False"),
    ("gunicorn.http.wsgi", "Response.__init__", "self.upgrade = False"),
    ("gunicorn.http.wsgi", "Response.send_headers", "util.write(self.sock, "),
    ("gunicorn.http.wsgi", "Response.write", "self.send_headers()"),
    ("gunicorn.http.wsgi", "Response.write", "self._emit_body("),
    ("gunicorn.http.wsgi", "Response.write_file", "if not self.sendfile(respiter):"),
    # The thread worker's loop.
    ("gunicorn.workers.gthread", "ThreadWorker.__init__", "self.nr_conns = 0"),
    ("gunicorn.workers.gthread", "ThreadWorker.__init__", "self.keepalived_conns = deque()"),
    ("gunicorn.workers.gthread", "ThreadWorker.__init__", "self.pending_conns = deque()"),
    ("gunicorn.workers.gthread", "ThreadWorker.__init__", "self._accepting = False"),
    ("gunicorn.workers.gthread", "ThreadWorker.init_process", "self.poller = selectors.DefaultSelector()"),
    ("gunicorn.workers.gthread", "ThreadWorker.run", "self.nr_conns < self.worker_connections"),
    ("gunicorn.workers.gthread", "ThreadWorker.run", "self._cap_keepalive("),
    ("gunicorn.workers.gthread", "ThreadWorker.run", "self.murder_pending()"),
    ("gunicorn.workers.gthread", "ThreadWorker.set_accept_enabled", "selectors.EVENT_READ, self.accept)"),
    ("gunicorn.workers.gthread", "ThreadWorker.init_process", "self.tpool = self.get_thread_pool()"),
    ("gunicorn.workers.gthread", "ThreadWorker.run", "self.keepalived_conns[0].timeout"),
    ("gunicorn.workers.gthread", "ThreadWorker.run", "self.murder_keepalived(force=True)"),
    ("gunicorn.workers.gthread", "ThreadWorker.run", "self.tpool.shutdown(wait=False)"),
    ("gunicorn.workers.gthread", "ThreadWorker.handle_request", ">= self.max_keepalived"),
    ("gunicorn.workers.gthread", "ThreadWorker.handle", "conn.data_ready"),
    # The master.
    ("gunicorn.arbiter", "Arbiter.__init__", "self.SIG_QUEUE = queue.SimpleQueue()"),
    ("gunicorn.arbiter", "Arbiter", "WORKERS = {}"),
    ("gunicorn.arbiter", "Arbiter.start", "self.cfg.on_starting(self)"),
    ("gunicorn.arbiter", "Arbiter.run", "self.maybe_promote_master()"),
    ("gunicorn.arbiter", "Arbiter.run", "self.murder_workers()"),
    ("gunicorn.arbiter", "Arbiter.run", "self.wait_for_signals(timeout=1.0)"),
    ("gunicorn.arbiter", "Arbiter.reload", "self.reap_workers()"),
    ("gunicorn.arbiter", "Arbiter.stop", "self.reap_workers()"),
    ("gunicorn.arbiter", "Arbiter.murder_workers", "time.monotonic() - worker.tmp.last_update()"),
    ("gunicorn.arbiter", "Arbiter.spawn_worker", "self.cfg.post_fork(self, worker)"),
    ("gunicorn.glogging", "Logger.access", "self.atoms_wrapper_class("),
)  # fmt: skip

#: Attributes of compiled classes, or such as only instances have.
LOOP = ("run_callback", "timer", "io")


def find(module: str, path: str) -> Any:
    found: Any = import_module(module)
    for name in path.split("."):
        assert hasattr(found, name), f"{module} has no {path} any more"
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(("module", "path", "parameters"), DEFINED, ids=lambda value: value)
def test_is_defined(module: str, path: str, parameters: str | None) -> None:
    found = find(module, path)
    if parameters is not None:
        assert str(inspect.signature(found)) == parameters


@pytest.mark.parametrize(("module", "path", "text"), STANDS_IN, ids=lambda value: value)
def test_stands_in_the_source(module: str, path: str, text: str) -> None:
    assert text in inspect.getsource(find(module, path))


@pytest.mark.parametrize("name", LOOP)
def test_the_hubs_loop_has(name: str) -> None:
    assert hasattr(find("gevent", "get_hub")().loop, name)


def test_the_hub_takes_a_resolvers_lookup() -> None:
    """gevent_resolver puts its own in its place."""
    resolver = find("gevent", "get_hub")().resolver
    stock = resolver.getaddrinfo
    resolver.getaddrinfo = stock
    assert callable(stock)


def test_every_private_name_that_the_workers_use_stands_above() -> None:
    named = {path.rpartition(".")[2] for _, path, _ in DEFINED} | {
        word for _, _, text in STANDS_IN for word in text.replace("(", " ").replace(".", " ").split()
    }
    used, own = set(), {"_asdict", "_socket"}
    for file in set(WORKERS.glob("*.py")) - {WORKERS / "eventlet.py"}:  # gunicorn 25.3, the last that has it
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                if isinstance(node.ctx, ast.Store):
                    own.add(node.attr)  # the kit's own, unless stock reads it: then it stands above
                used.add(node.attr)
            elif isinstance(node, ast.FunctionDef):
                own.add(node.name)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("gevent", "gunicorn"):
                used |= {alias.name for alias in node.names if alias.name.startswith("_")}
    assert used - own - named == set()
