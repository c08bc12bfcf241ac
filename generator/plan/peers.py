"""Whose word on the client and the scheme is taken: the proxies that the profile names, for Compose and for a pod."""

from __future__ import annotations

from ..profile.schema import Profile

#: What gunicorn and the kit's pywsgi take for every address.
EVERYONE = ("*",)


def believed(profile: Profile) -> tuple[str, ...]:
    """Addresses and networks of ``forwarded_allow_ips``, or EVERYONE."""
    return tuple(profile.forwarded_allow_ips.split(","))


def believed_in_a_pod(profile: Profile) -> tuple[str, ...]:
    """The same, and the networks that ``kubernetes.allowed_cidrs`` admits proxies from."""
    if believed(profile) == EVERYONE:
        return EVERYONE
    return tuple(dict.fromkeys((*believed(profile), *proxy_networks(profile))))


def proxy_networks(profile: Profile) -> tuple[str, ...]:
    """Networks of ``kubernetes.allowed_cidrs`` whose hosts are proxies.

    Where the profile has a route and says nowhere who proxies are, all that the NetworkPolicy admits by address are:
    the route's requests come from there. Not a network of every address, from which anybody could send a header.
    """
    sources = profile.kubernetes.allowed_cidrs
    named = tuple(source.cidr for source in sources if source.proxy)
    if named or profile.kubernetes.route.kind == "none" or profile.is_set("forwarded_allow_ips"):
        return named
    return tuple(source.cidr for source in sources if source.proxy is None and not source.cidr.endswith("/0"))
