"""What never reaches an image, whichever builder: one list, from which ignore files, Dockerfile and proof derive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from textwrap import wrap

#: Version control, caches and environments, large or of another machine; what an interrupted run leaves.
_NOT_THE_APP = (".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules", ".kit-journal", "*.kit-new")
#: A database of one machine, with its users' data; what the app ships of them, app.include names.
_DATABASES = ("*.sqlite3",)
#: Where tools keep passwords, tokens and keys, by their own documentation.
_SECRETS = (
    ".env",
    ".env.*",
    ".envrc",
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".dockercfg",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".pypirc",
    ".npmrc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.ppk",
    "*.kdbx",
    "*.tfstate",
)
#: As ssh-keygen names them; any other ``id_*`` may be a module, so its content decides.
_SSH_KEYS = ("id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")
#: Names with ``*`` for any text, compared without regard to case.
LEFT_OUT = (*_NOT_THE_APP, *_DATABASES, *_SECRETS, *_SSH_KEYS)
#: Left out only if they hold a private key: a ``*.pem`` is as often a bundle of public certificates.
LEFT_OUT_IF_PRIVATE = ("*.pem", "id_*")
#: The first line of such a key: PKCS #1 and #8, SEC 1, OpenSSH, OpenPGP. As an extended regular expression.
PRIVATE_KEY = "-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----"


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name stays out, wherever it lies."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in LEFT_OUT)


def ignore_lines() -> tuple[str, ...]:
    """Lines of a .dockerignore. Docker compares case, so an extension stands there in both usual spellings."""
    upper = [pattern.upper() for pattern in LEFT_OUT if re.fullmatch(r"\*\.[a-z0-9]+", pattern)]
    return tuple(f"**/{pattern}" for pattern in (*LEFT_OUT, *upper))


def find_expression(patterns: tuple[str, ...]) -> str:
    """Arguments of find(1) for a shell, which expands nothing of them; continued over several lines."""
    # textwrap breaks at ASCII blanks only, so that a name stays beside its option.
    words = " -o ".join(f"-iname\u00a0'{pattern}'" for pattern in patterns)
    return " \\\n      ".join(wrap(words, 104, break_long_words=False, break_on_hyphens=False)).replace("\u00a0", " ")


@dataclass(frozen=True)
class LeftOut:
    """The same as the templates need it: arguments of find(1) and grep(1) for a shell, lines of a .dockerignore."""

    names: str = find_expression(LEFT_OUT)
    names_if_private: str = find_expression(LEFT_OUT_IF_PRIVATE)
    private_key: str = PRIVATE_KEY
    ignore_lines: tuple[str, ...] = ignore_lines()


LEFT_OUT_TEXTS = LeftOut()
