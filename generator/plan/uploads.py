"""Room for uploads: in /tmp of app and proxy, which is the node's disk in a pod and memory in Compose."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.schema import Profile
from ..runtime.sizing import MIB, Number
from .proxy import Proxy

#: What /tmp of the app has at least: uploads over 500 kB are spooled there by Werkzeug.
TMP_BYTES = 256 * MIB
#: Uploads of the largest size that the app of a Compose project handles at once: their files are memory there.
HANDLED_BODIES = 4


@dataclass(frozen=True)
class Uploads:
    """The app's /tmp and the memory of all, in bytes; templates see them as ``plan.uploads``."""

    #: Of the app in a pod.
    pod_tmp: Number
    #: Of the app in Compose, and of a container of its image that takes no uploads.
    compose_tmp: Number
    other_tmp_bytes: int
    #: The app's limit in Compose; the second is None where that is the profile's, so that nobody needs to be told.
    app_memory: Number
    sized_by_bytes: int | None
    #: App and proxy together.
    compose_memory: Number
    pod_memory: Number

    def by_name(self) -> dict[str, Number]:
        """For --explain."""
        return {
            "app_pod_tmp_bytes": self.pod_tmp,
            "pod_memory_bytes": self.pod_memory,
            "app_compose_tmp_bytes": self.compose_tmp,
            "compose_memory_bytes": self.compose_memory,
        }


def plan_uploads(profile: Profile, proxy: Proxy) -> Uploads:
    """The room of a profile without faults."""
    body, memory = profile.proxy_max_body, profile.resources.memory
    size = f"{body / MIB:g} MiB (proxy_max_body)"
    # Sizing leaves part of the limit to anything but workers; more than that must not come out of it.
    usual = min(TMP_BYTES, max(1, memory // 2 // MIB) * MIB)
    handled = HANDLED_BODIES * body
    compose_tmp = Number(usual, "resources.memory", "half of the memory, 256 MiB at most: a file there is memory")
    if handled > usual:
        reason = f"{HANDLED_BODIES} bodies of {size}: a file there is memory"
        compose_tmp = Number(handled, "proxy_max_body", reason)
    more = compose_tmp.value - usual
    app_memory = Number(memory + more, "resources.memory", _with_tmp(memory, more))
    return Uploads(
        pod_tmp=_pod_tmp(proxy.bodies.value, body, size),
        compose_tmp=compose_tmp,
        other_tmp_bytes=usual,
        app_memory=app_memory,
        sized_by_bytes=memory if more else None,
        compose_memory=_together(app_memory.value, proxy.memory_bytes.value),
        pod_memory=_together(memory, proxy.pod_memory_bytes.value if proxy.pod_memory_bytes else None),
    )


def _pod_tmp(bodies: int, body: int, size: str) -> Number:
    if bodies * body > TMP_BYTES:
        return Number(bodies * body, "proxy_max_body", f"{bodies} bodies of {size}, on the node's disk")
    return Number(TMP_BYTES, "at_least", f"256 MiB on the node's disk, as {bodies} bodies of {size} need no more")


def _with_tmp(memory: int, more: int) -> str:
    return f"{memory / MIB:g} MiB (resources.memory)" + (f" + {more / MIB:g} MiB for a larger /tmp" if more else "")


def _together(app: int, proxy: int | None) -> Number:
    if proxy is None:
        return Number(app, "resources.memory", f"the app's {app / MIB:g} MiB; kubernetes.proxy is off")
    return Number(app + proxy, "sum", f"app {app / MIB:g} MiB + proxy {proxy / MIB:g} MiB, at most")
