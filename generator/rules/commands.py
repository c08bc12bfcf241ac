"""Commands that run beside the server, before it or next to it: what no field can check alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Fault
from ..plan.before_start import RELEASE_LENGTH, SUFFIX, plan_before_start
from ..plan.jobs import job_name
from ..plan.proxy import compose_prefix, containers_beside
from ..plan.volumes import single_claim
from ..profile.load import NOT_SHOWN, Draft
from ..profile.schema import Profile
from ..profile.secrets import secret_word, shell_words, without_assignments
from ..runtime.sizing import MIB
from ..servers.server import Server

#: Of a label's value, which the name of a Job becomes, and of an object's.
_LONGEST_NAME = 63
#: Services that Compose files have by themselves.
_SERVICES = ("app", "proxy", SUFFIX)
#: Python itself takes 10 MiB, and the pod's /dev/shm, which counts, may take 16.
_MIN_MEMORY_MIB = 32
#: The way out of a rule that goes by looks.
_WAY_OUT = "where it is no secret, write it as NAME=value, with env_allowed: [NAME], or start a script of the app"


def command_faults(draft: Draft, profile: Profile, server: Server) -> Iterator[Fault]:
    """Every fault of ``app.before_start`` and ``jobs``, and secrets in the app's other commands."""
    yield from _build_words(draft, profile)
    commands: list[tuple[str, Sequence[str]]] = []
    if profile.app.before_start:
        commands.append(("app.before_start", profile.app.before_start))
    if not draft.has_fault("jobs"):  # stand-ins cannot be judged
        commands += [(f"jobs.{number}.command", job.command) for number, job in enumerate(profile.jobs)]
    if not server.production:
        for path, _ in commands:
            allowed = f"none with {server.name}, which has no Compose file and no manifest"
            yield draft.fault(
                path, allowed, "remove it, and run the command by hand: docker run IMAGE ...", code="K011"
            )
        return
    for path, command in commands:
        yield from _words(draft, profile, path, command)
    if profile.app.before_start:
        yield from _job_name(draft, profile)
    if not draft.has_fault("jobs"):
        yield from _jobs(draft, profile)
        yield from _network(draft, profile)


def _words(draft: Draft, profile: Profile, path: str, command: Sequence[str]) -> Iterator[Fault]:
    if not command:
        yield draft.fault(path, "a command", "write its words, or remove the job", code="K006")
    elif command[0].startswith("-"):
        allowed = "a command: the image takes what begins with - for an argument of the server"
        yield draft.fault(f"{path}.0", allowed, "put the program's name first", code="K006")
    if (number := _secret_word(profile, command)) is not None:
        allowed = "no secrets: Compose file and manifest would show them"
        do = "have the command read it from the environment, and name it in env_secrets"
        yield draft.fault(f"{path}.{number}", allowed, f"{do}; {_WAY_OUT}", NOT_SHOWN, code="K014")


def _secret_word(profile: Profile, command: Sequence[str]) -> int | None:
    return secret_word([without_assignments(word, profile.env_allowed) for word in command])


def _build_words(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Commands of the build, and what the server's own begins with: in the image's history and its entry point."""
    for number, one in enumerate(profile.app.build_commands):
        if secret_word(shell_words(without_assignments(one, profile.env_allowed))) is not None:
            allowed, do = "no secrets: the image's history would show them", "read it from a file of app.build_secrets"
            path = f"app.build_commands.{number}"
            yield draft.fault(path, allowed, f"{do}; {_WAY_OUT}", NOT_SHOWN, code="K014")
    if (number_of_word := _secret_word(profile, profile.app.wrapper)) is not None:
        allowed, do = "no secrets: the image would show them", "have it read the environment"
        do += f", and name it in env_secrets; {_WAY_OUT}"
        yield draft.fault(f"app.wrapper.{number_of_word}", allowed, do, NOT_SHOWN, code="K014")


def sets_variable(profile: Profile, name: str) -> bool:
    """Whether a command of a profile gives a variable its value, by `NAME=value`."""
    commands = [*profile.app.build_commands, *profile.app.before_start, *profile.app.wrapper]
    commands += [word for job in profile.jobs for word in job.command]
    return any(without_assignments(command, (name,)) != command for command in commands)


def _job_name(draft: Draft, profile: Profile) -> Iterator[Fault]:
    before_start = plan_before_start(profile, "python")
    length = len(before_start.name) + 1 + RELEASE_LENGTH
    if before_start.is_job and length > _LONGEST_NAME and not draft.has_fault("name", "group"):
        allowed = f"{length - _LONGEST_NAME} characters less with app.before_start: its Job is named "
        allowed += f"{before_start.name}-{'0' * RELEASE_LENGTH}"
        yield draft.fault("group" if profile.group else "name", allowed, "shorten it, or name", code="K017")


def _jobs(draft: Draft, profile: Profile) -> Iterator[Fault]:
    names: list[str] = list(_SERVICES)
    for number, job in enumerate(profile.jobs):
        path = f"jobs.{number}"
        if job.name in names:
            code = "K015" if job.name in _SERVICES else "K016"
            yield draft.fault(f"{path}.name", f"a name beside {', '.join(names)}", "choose another", code=code)
        names.append(job.name)
        length = len(name := job_name(profile, job.name))
        if length > _LONGEST_NAME and not draft.has_fault("name", "group"):
            allowed = f"{length - _LONGEST_NAME} characters less: its objects are named {name}"
            yield draft.fault(f"{path}.name", allowed, "shorten it", code="K017")
        request = job.resources.cpu_request
        if request is not None and request > job.resources.cpu:
            yield draft.fault(f"{path}.resources.cpu_request", "at most cpu, which is the limit", "lower it")
        if job.resources.memory < _MIN_MEMORY_MIB * MIB:
            yield draft.fault(f"{path}.resources.memory", f"at least {_MIN_MEMORY_MIB}Mi", "raise it", code="K013")
    single = single_claim(profile)
    if profile.jobs and single is not None and not draft.has_fault("volumes"):
        allowed = (
            f"ReadWriteMany or ReadOnlyMany beside jobs, whose pods have the volumes too: {single.claim} is for one"
        )
        path = f"volumes.{profile.volumes.index(single)}.access_mode"
        yield draft.fault(path, allowed, "name the claim's own mode if it is another, or remove the jobs", code="K019")


def _network(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Compose's network must have an address for each container."""
    others = containers_beside(profile)
    longest = compose_prefix(others)
    if profile.proxy_subnet and int(profile.proxy_subnet.rpartition("/")[2]) > longest:
        allowed = f"a network of at least /{longest}: {others} containers beside the app and its proxy have addresses"
        yield draft.fault("proxy_subnet", allowed, "name a larger one, or remove it", code="K013")
