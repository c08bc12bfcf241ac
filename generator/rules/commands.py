"""Commands that run beside the server, before it or next to it: what no field can check alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Fault
from ..plan.before_start import RELEASE_LENGTH, plan_before_start
from ..plan.proxy import compose_prefix, containers_beside
from ..profile.load import Draft
from ..profile.schema import Profile
from ..servers.server import Server
from .environment import holds_secret

#: Of a label's value, which the name of a Job becomes, and of an object's.
_LONGEST_NAME = 63


def command_faults(draft: Draft, profile: Profile, server: Server) -> Iterator[Fault]:
    """Every fault of ``app.before_start``."""
    path = "app.before_start"
    command = profile.app.before_start
    if not command:
        return
    if not server.production:
        allowed = f"none with {server.name}, which has no Compose file and no manifest"
        yield draft.fault(path, allowed, "remove it, and run the command by hand: docker run IMAGE ...")
        return
    yield from _words(draft, path, command)
    before_start = plan_before_start(profile, "python")
    length = len(before_start.name) + 1 + RELEASE_LENGTH
    if before_start.is_job and length > _LONGEST_NAME and not draft.has_fault("name", "group"):
        allowed = f"{length - _LONGEST_NAME} characters less with app.before_start: its Job is named "
        allowed += f"{before_start.name}-{'0' * RELEASE_LENGTH}"
        yield draft.fault("group" if profile.group else "name", allowed, "shorten it, or name")
    yield from _network(draft, profile)


def _words(draft: Draft, path: str, command: Sequence[str]) -> Iterator[Fault]:
    if command[0].startswith("-"):
        allowed = "a command: the image takes what begins with - for an argument of the server"
        yield draft.fault(f"{path}.0", allowed, "put the program's name first")
    for number, word in enumerate(command):
        if holds_secret("", word):
            do = "have the command read it from the environment, and name it in env_secrets"
            yield draft.fault(f"{path}.{number}", "no secrets: Compose file and manifest would show them", do)


def _network(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Compose's network must have an address for each container."""
    others = containers_beside(profile)
    longest = compose_prefix(others)
    if profile.proxy_subnet and int(profile.proxy_subnet.rpartition("/")[2]) > longest:
        allowed = f"a network of at least /{longest}: {others} containers beside the app and its proxy have addresses"
        yield draft.fault("proxy_subnet", allowed, "name a larger one, or remove it")
