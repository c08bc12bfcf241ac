"""The columns of the capability table: what is known of a server, and its verdict on each setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..profile.schema import SETTINGS, Profile
from ..runtime.sizing import Rule

Verdict = Literal["honoured", "ignored", "harmful"]


#: Every Python that the locks have packages for, oldest first; profiles choose one by ``python``.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: Of these, what no container test boots, and why: their images are generated from the same locks and templates.
UNBOOTED = {"3.12": "Debian, which the tests' base images are built from where no registry is at hand, has no 3.12"}
#: Packages that a server names, for its version was tested, but that it takes in any version its own metadata allows.
MERELY_NEEDED = ("packaging",)
#: Built from its source (docker/<name>/meinheld-requirements.txt), so that no lock has it.
MEINHELD_VERSION = "1.0.2"


@dataclass(frozen=True)
class Cell:
    """What a server makes of a setting; ``shown_by`` names the container test that shows it, or why none does."""

    verdict: Verdict
    why: str = ""
    shown_by: str = ""
    #: The largest value that the server can keep; None where it has no limit of its own.
    at_most: int | None = None


@dataclass(frozen=True)
class Server:
    """One way to serve the app; every figure was measured in the image that the kit builds (docs/measurements.md)."""

    name: str
    #: Which templates it has (templates/docker/<family>/) and what the image's entry point starts.
    family: Literal["gunicorn", "standalone", "development"]
    summary: str
    packages: tuple[str, ...]
    #: Python versions that it can be built for, oldest first.
    pythons: tuple[str, ...]
    worker_class: str
    worker_class_why: str
    workers: Rule
    workers_why: str
    threads: Rule | None
    threads_why: str
    preload_app: bool
    preload_why: str
    #: Seconds to receive a request's headers; None where the server has no such limit.
    header_timeout: int | None
    #: "gevent" where the standard library is patched before anything else is imported.
    patched_by: str | None
    #: Whether worker_connections is each worker's share (it stops accepting when full) or must fit all connections.
    shares_connections: bool
    master_memory_bytes: int
    worker_memory_bytes: int
    connection_memory_bytes: int
    #: What `timeout` means to this server.
    timeout_note: str
    graceful_stop: str
    #: Whether a response that is finished after SIGTERM says `Connection: close`.
    closes_while_draining: bool
    #: Whether idle connections end with SIGTERM, instead of holding up the stop until graceful_timeout.
    closes_idle_on_stop: bool
    needs_proxy: bool
    settings: Mapping[str, Cell]
    #: Other versions of its packages that the tests boot, by name; the profile's ``server_packages`` take one.
    other_packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Those that a profile has taken.
    chosen_packages: tuple[tuple[str, str], ...] = ()
    #: Whether a connection occupies a whole worker, so that workers is all the server can hold.
    holds_one_each: bool = False
    #: Whether a worker is one event loop without a patched standard library: time.sleep stops all of its requests.
    sleep_blocks: bool = False
    #: Whether a worker's heartbeat goes on however many requests it has, so that a missing one tells that it hangs.
    beats_while_busy: bool = True
    #: Largest request body that it takes; None where it has no limit of its own.
    largest_body_bytes: int | None = None
    production: bool = True
    #: Why it is not built for one of PYTHONS.
    pythons_refused: str = ""
    #: Of a WebSocket, for its whole life, as Flask-SocketIO has it with a client that asks for compression, as every
    #: browser does (measured; without, two fifths of it); None where the server has none.
    websocket_memory_bytes: int | None = None
    #: Not recommended for anything new; the generator says so.
    legacy: bool = False

    @property
    def pins(self) -> dict[str, str]:
        """Version by name of the packages that are the server's own; the app's requirements may not change them."""
        named = (package.split("==") for package in self.packages)
        own = {name: version for name, version in named if name not in MERELY_NEEDED}
        return {**own, **({"meinheld": MEINHELD_VERSION} if self.name == "meinheld" else {})}

    @property
    def lock(self) -> str:
        """Name of its lock (locks/<name>.txt, <name>-constraints.txt)."""
        return "-".join([self.name, *(word for chosen in self.chosen_packages for word in chosen)])

    def versions(self, package: str) -> tuple[str, ...]:
        """What ``server_packages`` may name of a package: the newest first; none of one that is not the server's."""
        own = dict(one.split("==") for one in self.packages)
        return (own[package], *self.other_packages.get(package, ())) if package in own else ()

    def with_packages(self, selected: Mapping[str, str]) -> Server:
        """The same server of other versions, which ``versions`` has."""
        chosen = {name: version for name, version in selected.items() if version != self.versions(name)[0]}
        own = dict(one.split("==") for one in self.packages) | chosen
        packages = tuple(f"{name}=={version}" for name, version in own.items())
        return replace(self, packages=packages, chosen_packages=tuple(sorted(chosen.items())))

    @property
    def program(self) -> str:
        """What the image's entry point starts."""
        return {"gunicorn": "gunicorn", "standalone": "pywsgi", "development": "flask"}[self.family]

    @property
    def configuration(self) -> str:
        """Name of the configuration file, below docker/<name>/ and in the image; boot finds it by the same rule."""
        return f"{self.program}.conf.py"

    @property
    def stock_worker_class(self) -> str:
        """What `gunicorn -k` takes where the kit's own class is not installed."""
        return "egg:meinheld#gunicorn_worker" if self.name == "meinheld" else self.name

    @property
    def worker_import(self) -> tuple[str, str]:
        """Module and class of the kit's own worker class."""
        module, _, name = self.worker_class.rpartition(".")
        return module, name

    def effective(self, profile: Profile, path: str) -> Any:
        """The profile's value of a setting, or the server's own where the profile leaves the choice to it."""
        value: Any = profile
        for name in path.split("."):
            value = getattr(value, name)
        return getattr(self, path) if value is None and SETTINGS[path].server_default else value

    def honours(self, setting: str) -> bool:
        """Whether the setting does what it says: neither ignored nor harmful."""
        cell = self.settings.get(setting)
        return cell is not None and cell.verdict == "honoured"


def honoured(shown_by: str) -> Cell:
    """It does what it says; ``shown_by`` names the container test, or is \"unprobed: \" and the reason."""
    return Cell("honoured", shown_by=shown_by)


def honoured_up_to(at_most: int, why: str, shown_by: str) -> Cell:
    """As ``honoured``, for values of at most ``at_most``."""
    return Cell("honoured", why, shown_by, at_most)


#: A refused setting reaches no container; the test gives each of them to the generator.
REFUSED = "test_every_refused_setting"


def ignored(why: str) -> Cell:
    """It has no effect, so the generator refuses it and says why."""
    return Cell("ignored", why, REFUSED)


def harmful(why: str) -> Cell:
    """It does something that nobody wants, so the generator refuses it and says why."""
    return Cell("harmful", why, REFUSED)
