"""The modules that importing the app imports, read and never run: what they import, and what happens at import."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import Mark

#: No project comes near; beyond it the rest is not read.
MAX_MODULES = 5000
MAX_BYTES = 512 * 1024  # what is a tree of statements takes 30 times its text, and 400 times where that is `a` only
#: What opens connections, or holds those of its first request.
CLIENTS = frozenset(
    [
        "boto3.client",
        "boto3.resource",
        "boto3.Session",
        "boto3.session.Session",
        "requests.Session",
        "requests.session",
        "httpx.Client",
        "redis.Redis",
        "redis.from_url",
        "redis.Redis.from_url",
        "pymongo.MongoClient",
        "sqlalchemy.create_engine",
        "psycopg.connect",
        "psycopg2.connect",
        "psycopg2.pool.ThreadedConnectionPool",
        "psycopg_pool.ConnectionPool",
        "MySQLdb.connect",
        "pymysql.connect",
        "grpc.insecure_channel",
        "grpc.secure_channel",
    ]
)
#: What `.start()` turns into a thread.
THREADS = frozenset(
    [
        "threading.Thread",
        "threading.Timer",
        "apscheduler.schedulers.background.BackgroundScheduler",
        "apscheduler.schedulers.gevent.GeventScheduler",
        "flask_apscheduler.APScheduler",
    ]
)
#: What serves until the process ends, so that nothing behind it runs.
SERVERS = frozenset(
    [
        "waitress.serve",
        "werkzeug.serving.run_simple",
        "uvicorn.run",
        "bjoern.run",
        "eventlet.wsgi.server",
        "tornado.ioloop.IOLoop.current().start",
    ]
)
#: What `.run()` serves, and the names that a module has for one which it imports.
RUN = frozenset(["flask.Flask", "flask_socketio.SocketIO", "connexion.FlaskApp", "dash.Dash"])
_APPS = frozenset(("app", "application", "server", "socketio"))


@dataclass
class Source:
    """What the app's modules show; every mark is the first place that shows it."""

    #: Top-level package of each import statement.
    imports: dict[str, Mark] = field(default_factory=dict)
    #: Last names of everything that is called, wherever it stands.
    calls: set[str] = field(default_factory=set)
    clients: list[tuple[Mark, str]] = field(default_factory=list)
    threads: list[tuple[Mark, str]] = field(default_factory=list)
    debug: list[tuple[Mark, str]] = field(default_factory=list)
    #: Calls that serve, in what importing runs.
    servers: list[tuple[Mark, str]] = field(default_factory=list)
    #: Responses of server-sent events, and whether some header forbids a proxy to hold one back.
    streams: list[tuple[Mark, str]] = field(default_factory=list)
    unbuffered: bool = False
    #: Functions of a module's own, by the module's dotted name.
    functions: dict[str, set[str]] = field(default_factory=dict)


def read_source(root: Path, bases: Sequence[str], modules: Sequence[str]) -> Source:
    """What the ``modules``, and those of the project that they import, show.

    ``bases`` are the folders below ``root``, the build context, that modules are imported from. A file that is not
    there, is no Python or is larger than MAX_BYTES is passed over: the build says what does not compile.
    """
    found, waiting = Source(), list(modules)
    seen: set[str] = set()
    while waiting and len(seen) < MAX_MODULES:
        name = waiting.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        waiting += [parent] if (parent := name.rpartition(".")[0]) else []
        file = file_of(root, bases, name)
        tree = parse(read_module(root / file)) if file else None
        if file and tree is not None:
            module = _Module(file, name, PurePosixPath(file).name == "__init__.py", found)
            module.read(tree)
            waiting += sorted(module.references)
    return found


def file_of(root: Path, bases: Sequence[str], name: str) -> str | None:
    """The file of a module or package, below ``root``, by the first of the ``bases`` that has one."""
    for base in bases:
        stem = PurePosixPath(base, *name.split("."))
        for path in (f"{stem}/__init__.py", f"{stem}.py"):
            if _is_within(root, root / path):
                return path
    return None


def _is_within(root: Path, path: Path) -> bool:
    try:
        return path.is_file() and path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that is too long, a NUL in it, a loop of links
        return False


def read_module(path: Path) -> bytes:
    """A module's text; nothing of one that cannot be read or is larger than MAX_BYTES."""
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError:
        return b""


def parse(content: bytes) -> ast.Module | None:
    """A module's statements; None of what is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that Python will refuse some day is not of interest here
            return ast.parse(content)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


@dataclass
class _Module:
    file: str
    name: str
    is_package: bool
    found: Source
    #: Dotted names of modules that may be the project's own.
    references: set[str] = field(default_factory=set)
    #: What a name of the module stands for: np -> numpy, Session -> requests.Session.
    aliases: dict[str, str] = field(default_factory=dict)
    #: What the module's variables were made by.
    made: dict[str, str] = field(default_factory=dict)

    def read(self, tree: ast.Module) -> None:
        own = self.found.functions.setdefault(self.name, set())
        own.update(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
        try:
            for node in ast.walk(tree):
                self._anywhere(node)
            for statement in _at_import(tree.body):
                self._at_import(statement)
        except RecursionError:  # an expression of a thousand terms, which is data
            return

    def _mark(self, node: ast.stmt | ast.expr) -> Mark:
        return Mark(self.file, node.lineno, node.col_offset + 1)

    def _anywhere(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.references.add(alias.name)
                top = alias.name.partition(".")[0]
                self.aliases[alias.asname or top] = alias.name if alias.asname else top
                self.found.imports.setdefault(top, self._mark(node))
        elif isinstance(node, ast.ImportFrom):
            module = self._absolute(node)
            for alias in node.names:
                self.references |= {module, f"{module}.{alias.name}"}
                self.aliases[alias.asname or alias.name] = f"{module}.{alias.name}"
            if not node.level:
                self.found.imports.setdefault(module.partition(".")[0], self._mark(node))
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Dict):
            headers = {_text(key).lower(): value for key, value in zip(node.keys, node.values, strict=True)}
            self._headers(node, headers)
        elif isinstance(node, ast.Subscript):  # response.headers["X-Accel-Buffering"] = "no"
            self._headers(node, {_text(node.slice).lower(): node})

    def _call(self, node: ast.Call) -> None:
        name = self._dotted(node.func).rpartition(".")[2]
        self.found.calls.add(name)
        # app.config.from_object("settings.Production"); os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.x")
        texts = [text for arg in node.args if (text := _text(arg))]
        if name == "from_object" or texts[:1] == ["DJANGO_SETTINGS_MODULE"]:
            for text in texts[-1:]:
                self.references |= {text, text.rpartition(".")[0]} if re.fullmatch(r"[\w.]+", text) else set()
        for word in node.keywords:
            if word.arg in ("mimetype", "content_type"):
                self._headers(node, {"content-type": word.value})

    def _headers(self, node: ast.expr, headers: Mapping[str, ast.expr]) -> None:
        """What headers, by name in small letters, say of a response that is an event stream."""
        self.found.unbuffered |= "x-accel-buffering" in headers
        kind = _text(headers.get("content-type"))
        if kind.lower().startswith("text/event-stream"):
            self.found.streams.append((self._mark(node), kind[:80]))

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        above = self.name.split(".")
        above = above[: len(above) - node.level + self.is_package]
        return ".".join([*above, *([node.module] if node.module else [])])

    def _dotted(self, node: ast.expr) -> str:
        """The dotted name of an expression with the module's own aliases resolved, or nothing."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Call):
            return ".".join([f"{self._dotted(node.func)}()", *reversed(parts)])
        if not isinstance(node, ast.Name):
            return ".".join(["", *reversed(parts)])
        return ".".join([self.aliases.get(node.id, node.id), *reversed(parts)])

    def _at_import(self, statement: ast.stmt) -> None:
        for call in (node for node in _expressions(statement) if isinstance(node, ast.Call)):
            name = self._dotted(call.func)
            if name in CLIENTS:
                self.found.clients.append((self._mark(call), name))
            maker = name.removesuffix(".start").removesuffix("()")
            if name.endswith(".start") and self.made.get(maker, maker) in THREADS:
                self.found.threads.append((self._mark(call), self.made.get(maker, maker)))
            if self._serves(name):
                self.found.servers.append((self._mark(call), f"{ast.unparse(call.func)[:80]}()"))
            if name.endswith("config.update") and any(
                word.arg == "DEBUG" and _true(word.value) for word in call.keywords
            ):
                self.found.debug.append((self._mark(call), "config.update(DEBUG=True)"))
        targets = statement.targets if isinstance(statement, ast.Assign) else ()
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
        for target in targets:
            value = getattr(statement, "value", None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Call):
                self.made[target.id] = self._dotted(value.func)
            if value is not None and _true(value) and (text := _debug(target)):
                self.found.debug.append((self._mark(statement), f"{text} = True"))

    def _serves(self, name: str) -> bool:
        """Whether a call of that dotted name starts a server and does not return."""
        what, _, method = name.rpartition(".")
        if name in SERVERS or method == "serve_forever":
            return True
        maker = self.made.get(what, what)
        is_app = maker in RUN or maker.removesuffix("()") in RUN or what.rpartition(".")[2] in _APPS
        return method in ("run", "run_server") and is_app


def _at_import(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that importing a module runs, but for what only `python module.py` does."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and "__main__" in {getattr(n, "value", "") for n in ast.walk(statement.test)}:
            yield from _at_import(statement.orelse)
            continue
        if not isinstance(statement, ast.ClassDef):  # a class of settings is one of several, as often as not
            yield statement
        for inner in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.ClassDef):
                yield from _at_import(getattr(statement, inner, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from _at_import(handler.body)


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """What a statement evaluates itself: neither statements in it, nor what stands in a lambda."""
    waiting: list[ast.AST] = [node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt)]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.Lambda):
            waiting += [inner for inner in ast.iter_child_nodes(node) if not isinstance(inner, ast.stmt)]


def _text(value: ast.expr | None) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _debug(target: ast.expr) -> str:
    """How the target is written if it is what turns debugging on: DEBUG, app.debug, app.config["DEBUG"]."""
    if isinstance(target, ast.Name) and target.id == "DEBUG":
        return "DEBUG"
    if isinstance(target, ast.Attribute) and target.attr == "debug" and isinstance(target.value, ast.Name):
        return f"{target.value.id}.debug" if target.value.id in ("app", "application", "server") else ""
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value == "DEBUG":
        return ast.unparse(target)[:80]
    return ""
