"""What may stand in a profile's env: no secrets, since the image shows them, and nothing that bends the server."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Fault
from ..profile.load import NOT_SHOWN, Draft
from ..profile.schema import Profile
from ..profile.secrets import holds_secret, secrets_in
from .commands import sets_variable

_RESERVED_NAMES = {
    "GUNICORN_CMD_ARGS": "write the setting in the profile",
    "WEB_CONCURRENCY": "use workers",
    "PORT": "use port",
    "FORWARDED_ALLOW_IPS": "use forwarded_allow_ips",
    "SCRIPT_NAME": "use app.mount",
    "SENDFILE": "leave it out: any value turns sendfile off",
    "PATH": "leave it out: the image sets it",
    "HOME": "leave it out: the image sets it",
    "PYTHONPATH": "use app.python_path",
}
_RESERVED_PREFIXES = ("LD_", "PYTHON", "KIT_", "GUNICORN_", "LISTEN_", "PIP_")
#: Reserved ones that an app may need, jemalloc and CUDA for instance: allowed by name, so that a reader sees it.
_ALLOWABLE = ("LD_PRELOAD", "LD_LIBRARY_PATH")
#: Of Python's own, those that decide what the interpreter of the server imports or runs.
_BENDS_THE_SERVER = (
    *("PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE"),
    *("PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHON_PRESITE", "PYTHONCASEOK"),
)


def environment_faults(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Variables that look like secrets or are the server's, but for those that env_allowed names; settings too."""
    names = {name for name, _ in profile.env}
    for number, name in enumerate(profile.env_allowed):
        if name not in names and not sets_variable(profile, name):
            known = "names of variables in env, or that a command sets by NAME=value"
            yield draft.fault(f"env_allowed.{number}", known, "remove it, or correct the name")
    for name, value in profile.env:
        path, allowed = f"env.{name}", name in profile.env_allowed
        if holds_secret(name, value) and not allowed:
            do = "remove it here, and name in env_secrets which Secret has it"
            do += f"; where it is no secret, write env_allowed: [{name}]"
            yield draft.fault(
                path, "no secrets: the image, its history and the manifests would all show them", do, code="K014"
            )
        remedy = _RESERVED_NAMES.get(name)
        if (remedy or name.upper().startswith(_RESERVED_PREFIXES)) and not (allowed and _may_be_allowed(name)):
            if _may_be_allowed(name):
                remedy = f"remove it, or write env_allowed: [{name}] where the app needs it"
            yield draft.fault(
                path, "variables of the app; this one is reserved for the server", remedy or "remove it", code="K015"
            )
    yield from _secret_faults(draft, profile)
    for name, value in profile.gunicorn:
        if (below := next(secrets_in(name, value), None)) is not None:
            shown = f"no secrets: the image would show {name}{f'.{below}' if below else ''}"
            do = "leave it out: the app's own code can read it from the environment and set it"
            yield draft.fault(f"gunicorn.{name}", shown, do, NOT_SHOWN, code="K014")


def _secret_faults(draft: Draft, profile: Profile) -> Iterator[Fault]:
    given = dict(profile.env)
    for name, _ in profile.env_secrets:
        remedy = _RESERVED_NAMES.get(name)
        if remedy or name.upper().startswith(_RESERVED_PREFIXES):
            allowed = "variables of the app; this one is reserved for the server"
            yield draft.fault(f"env_secrets.{name}", allowed, remedy or "remove it", code="K015")
        if name in given:
            yield draft.fault(f"env_secrets.{name}", "a name that env has not", "remove one of them", code="K016")


def _may_be_allowed(name: str) -> bool:
    python = name.startswith("PYTHON") and name not in _BENDS_THE_SERVER and name not in _RESERVED_NAMES
    return python or name in _ALLOWABLE
