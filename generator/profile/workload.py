"""What one container is given, in a pod as in Compose: secrets, folders; each setting once."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import ClassVar

from . import field_types as f
from . import formats
from .records import Record, record_or, section, setting

LABEL_NAME = f.text("a DNS label", "web", formats.LABEL, 63)
OBJECT_NAME = f.text("an object's name", "app-settings", rf"{formats.LABEL}(\.{formats.LABEL})*", 253)
FOLDER = f.text("an absolute path", "/data", r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+", 500)
VARIABLE = f.text("a variable name", "GREETING", r"[A-Za-z_][A-Za-z0-9_]*", 256)
#: As the API server takes keys of a Secret, each of which may become a file.
_KEY = f.text("a key of a Secret", "uri", r"(?!\.$|\.\.)[-._A-Za-z0-9]+", 253)


def turns_debugging_on(name: str, value: str) -> bool:
    """Whether a variable turns Flask's debug mode on, by the rule of flask.helpers.get_debug_flag."""
    return name == "FLASK_DEBUG" and value.lower() not in ("", "0", "false", "no")


@dataclass(frozen=True, kw_only=True)
class EnvSecret(Record):
    """One key of a Secret: the value of a variable, or a file whose path the variable holds."""

    secret: str = setting(OBJECT_NAME, "Secret that has it.")
    key: str = setting(_KEY, "Key in that Secret.")
    file: bool = setting(
        f.boolean(), "Give the app a file and the variable its path, as names ending in _FILE mean it.", default=False
    )


@dataclass(frozen=True, kw_only=True)
class EnvSource(Record):
    """A Secret or a ConfigMap, each of whose keys becomes a variable."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("secret", "config_map")

    secret: str | None = setting(OBJECT_NAME, "Secret whose keys become variables.", default=None)
    config_map: str | None = setting(OBJECT_NAME, "ConfigMap whose keys become variables.", default=None)
    prefix: str | None = setting(VARIABLE.or_null(), "What the variables' names begin with.", default=None)


#: What only a shell understands, and a variable that is set before the command.
_SHELL = re.compile(r"[$`|&;<>()*?~\\]|^[A-Za-z_][A-Za-z0-9_]*=")


def command_words(command: str) -> list[str]:
    """A command of one line as the words that start it, those of a shell where it needs one."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return words if words and not _SHELL.search(command) else ["sh", "-c", command]


#: The image's entry point takes what begins with - for an argument of the server.
COMMAND = f.list_of(f.text("a word of a command", "celery", r"[^\x00-\x1f\x7f]+", 4096), command_words)
JOB_NAME = f.text("a DNS label of at most 40 characters", "worker", formats.LABEL, 40)


@dataclass(frozen=True, kw_only=True)
class JobResources(Record):
    """What one container of a job may use; nothing sizes the command by it but the command itself."""

    cpu: int = setting(formats.cpu_quantity(), "CPUs of one container, a Kubernetes quantity.")
    memory: int = setting(formats.memory_quantity(), "Memory limit of one container, and its request.")
    cpu_request: int | None = setting(
        formats.cpu_quantity().or_null(),
        "What the scheduler reserves; null is cpu, which stays the limit.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Job(Record):
    """A command that runs beside the server, in containers of its own of its image: a queue's worker, a scheduler."""

    name: str = setting(JOB_NAME, "Name of the Compose service; its objects in a cluster have the profile's before it.")
    command: tuple[str, ...] = setting(COMMAND, "What runs in place of the server, without a shell.")
    replicas: int = setting(
        f.integer(1, 1000, 2),
        "How many containers; of one there are never two at once, not in a rollout either.",
        default=1,
    )
    resources: JobResources = setting(section(JobResources), "What one container may use.")
    graceful_timeout: int = setting(
        f.integer(1, 86_400, 60), "Seconds to finish what is in progress after SIGTERM, before SIGKILL.", default=30
    )


ENV_SECRETS = f.mapping_of(VARIABLE, section(EnvSecret))
ENV_FROM = f.list_of(record_or(EnvSource, OBJECT_NAME, "a mapping with secret or config_map, and prefix"))
