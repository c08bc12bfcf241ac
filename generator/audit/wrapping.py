"""What may stand before gunicorn in a command that starts it; all else names it only: `docker logs gunicorn`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

GUNICORN = ("gunicorn", "gunicorn3", "gunicorn.app.wsgiapp")
#: Words of a shell behind which a command begins.
KEYWORDS = ("then", "else", "elif", "do", "{", "!", "if", "while", "until")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_ANY = -1
#: Programs that start another by its name alone, and Python's modules that do.
_BEFORE = (
    "authbind", "builtin", "catatonit", "chpst", "command", "coproc", "cpulimit", "dockerize", "dumb-init", "entr",
    "env", "eval", "exec", "ionice", "nice", "nohup", "numactl", "runuser", "set", "setpriv", "setsid", "softlimit",
    "start-stop-daemon", "stdbuf", "strace", "sudo", "systemd-run", "time", "tini", "unbuffer", "with-contenv",
    "xvfb-run", "ddtrace-run", "elasticapm-run", "opentelemetry-instrument", "splunk-py-trace", "splunk-run",
    "cProfile", "debugpy", "gevent.monkey", "kit_runtime", "pdb", "pyinstrument", "scalene", "viztracer",
)  # fmt: skip
#: Those that take one word first: a user, a time, a folder.
_BEFORE_WITH_ONE = ("chroot", "envdir", "flock", "function", "gosu", "s6-setuidgid", "setuser", "su", "su-exec",
                    "taskset", "timeout")  # fmt: skip
#: Those that have a subcommand for it, `run`.
_RUNNERS = ("conda", "coverage", "dotenv", "doppler", "foreman", "hatch", "honcho", "infisical", "mamba", "memray",
            "micromamba", "op", "pdm", "pipenv", "pixi", "poetry", "rye", "teller", "uv")  # fmt: skip
#: How many words of its own, options apart, each takes before what it starts.
_WRAPPERS = {
    **dict.fromkeys(_BEFORE, 0),
    **dict.fromkeys(_BEFORE_WITH_ONE, 1),
    **dict.fromkeys(("sh", "bash", "ash", "dash", "zsh", "ksh"), _ANY),
    "case": 2,
    **dict.fromkeys((f"{name} run" for name in _RUNNERS), 0),
    **dict.fromkeys(("aws-vault exec", "chamber exec", "mise exec", "pyenv exec"), 1),
    **dict.fromkeys(("newrelic-admin run-program", "newrelic-admin run-python", "watchmedo auto-restart"), 0),
}
_BEGIN_WRAPPERS = {name.partition(" ")[0] for name in _WRAPPERS if " " in name}
_PYTHON = re.compile(r"python[\d.]*|pypy3?")
#: A script that takes a command, by its name; `start gunicorn` is Upstart's.
_SCRIPT = re.compile(r"\.sh$|entrypoint|[-_/](start|run|wait|with|launch)([-_]|$)|^(start|run|wait|with|launch)[-_]")
_IN_BIN = re.compile(r"(^|/)s?bin/[^/]*$")
#: Options whose value may be a user, a package or an environment of gunicorn's name.
_NAMING = ("-u", "-g", "-U", "-G", "-n", "--user", "--group", "--name", "--with")
#: Programs that an option without a value may stand before, as in `sudo -E docker logs gunicorn`.
_NO_START = ("apk", "apt", "apt-get", "conda", "docker", "journalctl", "kubectl", "pip", "pip3", "service",
             "supervisorctl", "systemctl", "useradd")  # fmt: skip


class Text(Protocol):
    """A word of a command, and the variable in it that is not known."""

    @property
    def text(self) -> str: ...
    @property
    def variable(self) -> str | None: ...


def base_name(text: str) -> str:
    """A program's name without its folder."""
    return text.rsplit("/", 1)[-1]


def is_gunicorn(words: Sequence[Text]) -> bool:
    """Whether these words are gunicorn and what it is given."""
    return len(words) > 1 and base_name(words[0].text) in GUNICORN


def position_of_gunicorn(words: Sequence[Text]) -> int | None:
    """Where gunicorn stands in a command that starts it, or None."""
    prefix = _Prefix()
    for position, word in enumerate(words):
        if base_name(word.text) in GUNICORN and not prefix.names(word.text):
            return position if prefix.program not in _BEGIN_WRAPPERS else None
        if not prefix.takes(word):
            return None
        prefix.before = word.text
    return None


@dataclass
class _Prefix:
    """The words of a command so far."""

    #: What starts another, and how many words of its own may still follow.
    program: str = ""
    spare: int = 0
    before: str = ""

    @property
    def has_option(self) -> bool:
        """Whether the next word may be an option's value; that of python's -m is a program."""
        return self.before.startswith("-") and self.before not in ("--", "-m")

    def names(self, text: str) -> bool:
        """Whether the word gunicorn is a user's name, or another's, here."""
        is_own = self.spare > 0 and base_name(self.before) == self.program
        return text in GUNICORN and (self.before in _NAMING or is_own)

    def takes(self, word: Text) -> bool:
        """Go on behind a word; whether gunicorn may still follow."""
        name = base_name(word.text)
        if word.text == "--" or name in KEYWORDS or name.endswith(")"):
            self.program, self.spare = self.program if word.text == "--" else "", 0
            return True
        if word.text.startswith("-"):
            return not (self.program == "command" and word.text in ("-v", "-V"))
        return ASSIGNMENT.fullmatch(word.text) is not None or self._wraps(word, name) or self._own(name)

    def _wraps(self, word: Text, name: str) -> bool:
        """Whether the word is a program that starts another, or its subcommand."""
        if self.program in _BEGIN_WRAPPERS and not self.has_option:
            name = f"{self.program} {name}"
        elif name in _BEGIN_WRAPPERS:
            self.program, self.spare = name, 0
            return True
        elif self.spare > 0 and word.variable:
            return False
        own = _own_words(word, name)
        if own is not None:
            self.program, self.spare = name, own
        return own is not None

    def _own(self, name: str) -> bool:
        """Whether the word is one that the program takes for itself."""
        if self.has_option and self.program and (name not in _NO_START or self.program in _BEGIN_WRAPPERS):
            return True
        if self.program in _BEGIN_WRAPPERS or not self.spare:
            return False
        self.spare -= self.spare > 0
        return True


def _own_words(word: Text, name: str) -> int | None:
    """How many words of its own a program takes that starts another; None of one that does not."""
    if name in _WRAPPERS:
        return _WRAPPERS[name]
    if _PYTHON.fullmatch(name) or word.variable:
        return 0
    is_path = "/" in word.text and not name.endswith(".py") and not _IN_BIN.search(word.text)
    return _ANY if is_path or _SCRIPT.search(word.text) else None
