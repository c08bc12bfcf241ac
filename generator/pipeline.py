"""Profile files to plans: every fault of every one of them at once, and what two of them must not share."""

from __future__ import annotations

from pathlib import Path

from .errors import Fault, KitError, ProfileError
from .plan.plan import Plan, make_plan
from .profile.document import MAX_BYTES
from .profile.load import read_profile
from .rules.check import accept


def read_plans(profiles: tuple[str, ...], overrides: tuple[str, ...]) -> list[Plan]:
    """The plans of all profile files. Raises ProfileError with the faults of every one of them."""
    plans: list[Plan] = []
    faults: list[Fault] = []
    for path in profiles:
        try:
            with Path(path).open("rb") as file:
                text = file.read(MAX_BYTES + 1).decode("utf-8")  # more than that is refused, however much there is
        except OSError as error:
            raise KitError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise KitError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
        try:
            plans.append(make_plan(accept(read_profile(text, path, overrides))))
        except ProfileError as error:
            faults += error.faults
    if faults:
        raise ProfileError(faults)
    taken: dict[str, str] = {}
    for plan, path in zip(plans, profiles, strict=True):
        if plan.folder in taken:
            raise KitError(f"{path}: {plan.folder} is written by {taken[plan.folder]} already; change name or group")
        taken[plan.folder] = path
        if plan.server.production:
            namespace = plan.profile.kubernetes.namespace or "(kubectl chooses)"
            objects = f"namespace {namespace}, objects named {plan.kubernetes.name}"
            if objects in taken:
                raise KitError(f"{path}: {objects}: {taken[objects]} has them too; change name or kubernetes.namespace")
            taken[objects] = path
    return plans
