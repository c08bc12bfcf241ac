"""What may stand in a profile's env: no secrets, since the image shows them, and nothing that bends the server."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import Fault
from ..profile.load import Draft
from ..profile.schema import Profile

#: The last word of a name says what it holds: TOKENIZERS_PARALLELISM, API_KEY_HEADER, JWT_TOKEN_EXPIRES and
#: DB_PASSWORD_FILE hold no secret. A word may be glued to the one before it, as in PGPASSWORD.
_PASSWORD = r"PASSWORDS?|PASSWD|PASSPHRASE|(^|_|PG)PASS"  # noqa: S105
_SECRET = r"SECRETS?|TOKENS?|CREDENTIALS?|(^|_|API|ACCESS|PRIVATE|SIGNING|SECRET|ENCRYPTION)KEYS?"  # noqa: S105
#: Words that say which one of several it is, not what it is.
_WHICH = (
    r"(_?[0-9]+|_(FALLBACKS?|BASE|VALUE|OLD|NEW|PREVIOUS|CURRENT|PRIMARY|SECONDARY|PROD|PRODUCTION|STAGING|DEV|TEST))*"
)
_PASSWORD_NAME = re.compile(rf"({_PASSWORD}){_WHICH}$", re.I)
_SECRET_NAME = re.compile(rf"({_SECRET}){_WHICH}$", re.I)
_PUBLIC_NAME = re.compile(rf"(^|_)(PUBLIC|PUBLISHABLE)_?KEYS?{_WHICH}$", re.I)
#: MAX_TOKENS, say, or ACCESS_TOKEN: "false"; a number of ten digits may be a password.
_NO_SECRET_VALUE = re.compile(r"|true|false|yes|no|on|off|null|none", re.I)
_NUMBER = re.compile(r"[-+]?[0-9]{1,9}(\.[0-9]{1,9})?")
_ABSOLUTE_PATH = re.compile(r"/|(/[A-Za-z0-9._-]{1,64}){1,32}/?")
#: A part of a path that reads like one of the random texts that begin with a slash as well.
_RANDOM = re.compile(r"(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*[0-9])[^/]{16,}")
#: Starts at the colon: a search that starts at each letter of a scheme takes a second for 10 kB of letters.
_USER_INFO = re.compile(r"[a-z0-9+.-]://[^/?#\s]*@", re.I)
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


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable, or a keyword, looks like a secret by its name, or its value has a user's part of a URL."""
    if _USER_INFO.search(value):
        return True
    if _NO_SECRET_VALUE.fullmatch(value) or _is_path(value):
        return False
    if _PASSWORD_NAME.search(name):
        return True
    return bool(_SECRET_NAME.search(name)) and not _PUBLIC_NAME.search(name) and not _NUMBER.fullmatch(value)


def _is_path(value: str) -> bool:
    return bool(_ABSOLUTE_PATH.fullmatch(value)) and not any(map(_RANDOM.fullmatch, value.split("/")))


def environment_faults(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Variables that look like secrets or are the server's, but for those that env_allowed names."""
    names = {name for name, _ in profile.env}
    for number, name in enumerate(profile.env_allowed):
        if name not in names:
            yield draft.fault(f"env_allowed.{number}", "names of variables in env", "remove it, or correct the name")
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
