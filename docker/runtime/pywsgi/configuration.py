"""Read and check a standalone server's configuration: a Python document that uses gunicorn's own names."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import ipaddress
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..mount import mounted

Check = Callable[[Any], bool]
Document = TypeVar("Document")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """The document is wrong; the message is one line that says where and what is allowed."""


def setting(allowed: str, check: Check, default: Any = dataclasses.MISSING) -> Any:
    """A field of a configuration: what is allowed in words, the check of it, the default (none: required)."""
    return dataclasses.field(default=default, metadata={"allowed": allowed, "check": check})


def directory(default: str) -> Any:
    """A directory that exists."""
    return setting("a directory", lambda value: type(value) is str and Path(value).is_dir(), default)


#: Of a field for a function that the server calls.
HOOK: dict[str, Any] = {"allowed": "a function", "check": callable}


def whole(default: int, at_least: int = 0) -> Any:
    """A whole number; True is an int in Python, and ``workers = True`` a mistake."""
    allowed = f"a whole number of at least {at_least}"
    return setting(allowed, lambda value: type(value) is int and value >= at_least, default)


def seconds(default: float, above_zero: bool = False) -> Any:
    """A duration in seconds."""
    allowed = f"a number of seconds {'above 0' if above_zero else 'of at least 0'}"

    def check(value: Any) -> bool:
        return type(value) in (int, float) and (value > 0 if above_zero else value >= 0)

    return setting(allowed, check, default)


def flag(default: bool) -> Any:
    """True or False."""
    return setting("True or False", lambda value: type(value) is bool, default)


def text(default: Any = dataclasses.MISSING) -> Any:
    """A string with something in it."""
    return setting("a non-empty string", lambda value: isinstance(value, str) and value != "", default)


def endpoint(default: str) -> Any:
    """An address to listen on."""
    allowed = '"HOST:PORT" with a literal address, like "0.0.0.0:8000" or "[::]:8000"'
    return setting(allowed, lambda value: _accepted(address_of, value), default)


def trusted_peers(default: str) -> Any:
    """Peers in gunicorn's own spelling."""
    allowed = '"*" or addresses and CIDR networks separated by commas'
    return setting(allowed, lambda value: _accepted(peers_of, value), default)


def load(path: str, kind: type[Document]) -> Document:
    """The checked configuration; names that start with ``_`` are the document's own. Raises ConfigError."""
    try:
        source = Path(path).read_text(encoding="utf-8")
        tree = ast.parse(source, path)
        namespace: dict[str, Any] = {"__file__": path, "__name__": "configuration"}
        # A program by design, like gunicorn's; whoever writes it writes the image or its ConfigMap.
        exec(compile(tree, path, "exec"), namespace)  # noqa: S102
    except Exception as error:
        frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1] if frames else None
        raise ConfigError(f"{path}{f':{line}' if line else ''}: {type(error).__name__}: {error}") from error
    given = {name: value for name, value in namespace.items() if not name.startswith("_")}
    faults = _faults(given, kind)
    if faults:
        raise ConfigError("; ".join(_where(path, tree, name) + fault for name, fault in faults.items()))
    return kind(**given)


def _where(path: str, tree: ast.Module, name: str) -> str:
    """``"FILE:LINE: "`` of the name's last assignment, ``"FILE: "`` when nothing assigns it."""
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    lines = [node.lineno for node in stored if node.id == name]
    return f"{path}:{lines[-1]}: " if lines else f"{path}: "


def _faults(given: dict[str, Any], kind: Any) -> dict[str, str]:
    """All faults at once, by name."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    faults = {}
    for name, value in given.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            advice = f"did you mean {near[0]}?" if near else "a helper's name starts with _"
            faults[name] = f"{name} is not a setting of this server; {advice}"
        elif value is None and fields[name].default is None:
            continue
        elif not fields[name].metadata["check"](value):
            faults[name] = f"{name} = {value!r} must be {fields[name].metadata['allowed']}"
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in given:
            faults[name] = f"{name} is missing: {field.metadata['allowed']}"
    return faults


def address_of(bind: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """``"[::]:8000"`` -> (AF_INET6, ("::", 8000)); a host name would need DNS at boot. Raises ValueError."""
    host, _, port = bind.rpartition(":")
    version = ipaddress.ip_address(host.strip("[]")).version
    number = int(port) if port.isascii() and port.isdigit() else 65536
    if number > 65535 or (version == 6) != host.startswith("["):
        raise ValueError(f"no port, or brackets out of place: {bind!r}")
    return (socket.AF_INET6 if version == 6 else socket.AF_INET), (host.strip("[]"), number)


def peers_of(allowed: str) -> tuple[Network, ...] | None:
    """The networks of ``forwarded_allow_ips``; None for "*", which trusts everyone. Raises ValueError."""
    names = [name.strip() for name in allowed.split(",") if name.strip()]
    return None if "*" in names else tuple(ipaddress.ip_network(name) for name in names)


def trusts(peers: tuple[Network, ...] | None, remote_addr: str) -> bool:
    """Whether the peer is one of the proxies; an IPv4 peer of an IPv6 listener is met as IPv4."""
    if peers is None:
        return True
    address = ipaddress.ip_address(remote_addr.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in peers)


def _accepted(parse: Callable[[str], object], value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse(value)
    except ValueError:
        return False
    return True


def enter(chdir: str) -> None:
    """Make ``chdir`` the working directory and the first place to import from, as gunicorn does."""
    os.chdir(chdir)
    sys.path.insert(0, str(Path.cwd()))


def load_app(wsgi_app: str, mount: str | None = None) -> Any:
    """``"pkg.mod:app"``, ``"pkg.mod:create_app('arg', key=1)"`` or ``"pkg.mod"`` (``application`` in it).

    It lies below the path ``mount``, where one is given.
    Raises whatever the import raises, ValueError for a reference of another form, TypeError for no callable.
    """
    module, _, expression = wsgi_app.partition(":")
    parsed = ast.parse(expression or "application", mode="eval").body
    call = parsed if isinstance(parsed, ast.Call) else None
    name = call.func if call else parsed
    if not isinstance(name, ast.Name):
        raise ValueError(f"wsgi_app = {wsgi_app!r} must be module:name or module:name(literal arguments)")
    app = getattr(importlib.import_module(module), name.id)
    if call:
        positional = [ast.literal_eval(value) for value in call.args]
        app = app(*positional, **{str(word.arg): ast.literal_eval(word.value) for word in call.keywords})
    if not callable(app):
        raise TypeError(f"wsgi_app = {wsgi_app!r} is not callable: {app!r}")
    return mounted(app, mount) if mount else app


def documents(argv: list[str]) -> str:
    """The path after ``-c``, the only argument of a standalone server. Raises ConfigError."""
    if len(argv) == 2 and argv[0] in ("-c", "--config"):
        return argv[1]
    raise ConfigError("usage: -c FILE, the Python document with the settings")
