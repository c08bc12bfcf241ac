"""Profile files to plans: every fault of every one of them at once, and what two of them must not share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .errors import Fault, KitError, ProfileError
from .files import closed_folder, read_regular
from .plan.numbers import size
from .plan.plan import Plan, make_plan
from .profile.document import MAX_BYTES
from .profile.load import Draft, read_profile
from .profile.schema import Profile
from .profile.workload import turns_debugging_on
from .project.hazards import NAMES, Hazard, Serving, find_hazards
from .project.metadata import Selection
from .project.project import Project, assumed
from .project.read import Image, read_project
from .rules.check import check
from .servers import SERVERS
from .servers.server import Server


def plan_profile(text: str, file: str, overrides: Sequence[str] = (), root: Path | None = None) -> Plan:
    """The plan of one profile; ``file`` is its name in messages, ``overrides`` are PATH=VALUE as in ``--set``.

    ``root`` is the build context, where the app's dependency files are read; without one they are not.
    Raises ProfileError with every fault of the profile and of those files.
    """
    draft = read_profile(text, file, overrides)
    profile, server = draft.profile, SERVERS.get(draft.profile.server)
    numbers = None if draft.faults or server is None else size(profile, server)
    faults = [*draft.faults, *check(draft, server, numbers)]
    if faults or server is None or numbers is None:
        raise ProfileError(faults)
    server = server.with_packages(dict(profile.server_packages))
    if root is None:
        return make_plan(profile, server, numbers, assumed(profile.app.requirements))
    app = profile.app
    if closed := _closed_faults(draft, root):
        raise ProfileError(closed)
    image = Image(profile.python, server.pins, tuple(_other_packages()))
    selection = Selection(app.extras, app.groups)
    project, faults = read_project(
        root, app.requirements, app.path, selection, image, profile.place("app.requirements")
    )
    faults += _ignored_faults(draft)
    if faults:
        raise ProfileError(faults)
    hazards = _hazards(root, profile, server, numbers.workers.value, project)
    return make_plan(profile, server, numbers, replace(project, hazards=hazards))


def _closed_faults(draft: Draft, root: Path) -> list[Fault]:
    """Before anything is looked for there: what cannot be entered would be taken for what is not there."""
    app = draft.profile.app
    named = {"app.path": app.path, "app.requirements": app.requirements}
    found = {name: closed_folder(root, path) for name, path in named.items() if path}
    return [
        draft.fault(
            name, f"folders that may be read; {folder}: permission denied", "let your user read it (chmod u+rx)"
        )
        for name, folder in found.items()
        if folder
    ]


def _ignored_faults(draft: Draft) -> list[Fault]:
    return [
        draft.fault(
            f"app.warnings_ignored.{name}", f"one of {', '.join(NAMES)}", "write the name that the warning gives"
        )
        for name, _ in draft.profile.app.warnings_ignored
        if name not in NAMES
    ]


def _other_packages() -> Iterator[tuple[str, str, str]]:
    for server in SERVERS.values():
        for name, versions in server.other_packages.items():
            yield from ((server.name, name, version) for version in versions)


def _hazards(root: Path, profile: Profile, server: Server, workers: int, project: Project) -> tuple[Hazard, ...]:
    """What bites in production, but for what the profile says does not."""
    app = profile.app
    # src is where an installed project's modules lie, as often as not.
    folders = [app.path, *(f"{app.path}/{below}" for below in dict.fromkeys((app.python_path, "src")) if below)]
    named = {"app.module": app.module, "app.hooks": app.hooks}
    targets = {name: (profile.place(name), target) for name, target in named.items() if target}
    serving = Serving(
        production=server.production,
        patched_by=server.patched_by,
        one_thread=server.patched_by is not None or server.sleep_blocks,
        sleep_blocks=server.sleep_blocks,
        preload=server.production and server.effective(profile, "preload_app"),
        hooks=app.hooks,
        installs=project.kind != "none",
        websocket=profile.websocket,
        several=workers > 1 or profile.kubernetes.replicas != 1,
    )
    paths = [f"health.{name}" for name in ("readiness_path", "liveness_path") if getattr(profile.health, name)]
    settings = [("probed-page", profile.place(path), path) for path in paths]
    debugging = (f"{name}: {value}" for name, value in profile.env if turns_debugging_on(name, value))
    settings += [("debug", profile.place("env"), shown) for shown in debugging]
    found = find_hazards(root, folders, targets, dict(project.required), serving, settings)
    ignored = dict(app.warnings_ignored)
    return tuple(hazard for hazard in found if hazard.kind.name not in ignored)


def read_plans(profiles: Sequence[str], overrides: Sequence[str] = (), root: Path | None = None) -> list[Plan]:
    """The plans of all profile files, as `plan_profile` makes them. Raises ProfileError with the faults of them all."""
    plans: list[Plan] = []
    faults: list[Fault] = []
    for path in profiles:
        try:
            plans.append(plan_profile(_text(path), path, overrides, root))
        except ProfileError as error:
            faults += error.faults
    if faults:
        raise ProfileError(faults)
    _refuse_shared_names(plans, profiles)
    return plans


def _text(path: str) -> str:
    try:
        return read_regular(Path(path), MAX_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise KitError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KitError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _refuse_shared_names(plans: Sequence[Plan], profiles: Sequence[str]) -> None:
    """Two profiles of one run must not write the same files, nor objects of one name into the same namespace."""
    owners: dict[str, str] = {}
    written = {"docker", "docker/runtime", "k8s", *(plan.folder for plan in plans)}
    for plan, path in zip(plans, profiles, strict=True):
        if plan.folder in owners:
            raise KitError(f"{path}: {plan.folder} is written by {owners[plan.folder]} already; change name or group")
        owners[plan.folder] = path
        if plan.profile.app.path in written:
            place, folder = plan.profile.place("app.path"), plan.profile.app.path
            raise KitError(f"{place}: app.path: {folder} is a folder that the generator writes; move the app")
        if plan.server.production:
            namespace = plan.profile.kubernetes.namespace or "(kubectl chooses)"
            for name in plan.object_names:
                objects = f"namespace {namespace}, objects named {name}"
                if objects in owners:
                    raise KitError(
                        f"{path}: {objects}: {owners[objects]} has them too; change name or kubernetes.namespace"
                    )
                owners[objects] = path
