"""Folders of the app that outlive its container, or come from outside: in a pod and in Compose."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.kubernetes import AppVolume, Volume
from ..profile.schema import Profile


@dataclass(frozen=True)
class Volumes:
    """The profile's volumes; templates see them as ``plan.volumes``."""

    #: Of a pod: the profile's, then those of its kubernetes section.
    pod: tuple[Volume, ...]
    #: Of Compose.
    compose: tuple[AppVolume, ...]
    #: Docker's own volumes, by name: where the pod has a claim.
    named: tuple[str, ...]
    #: Folders that the image has for them, so that a new volume of Docker's belongs to the app's user.
    made: tuple[str, ...]
    #: The first claim that only one pod can have at a time; None where all pods may have all.
    single: AppVolume | None


def plan_volumes(profile: Profile) -> Volumes:
    """The volumes of a profile without faults."""
    return Volumes(
        pod=(*profile.volumes, *profile.kubernetes.volumes),
        compose=profile.volumes,
        named=tuple(one.name for one in profile.volumes if one.claim),
        made=tuple(one.mount_path for one in profile.volumes if one.claim or one.size),
        single=single_claim(profile),
    )


def single_claim(profile: Profile) -> AppVolume | None:
    """The first claim that only one pod can have at a time."""
    single = ("ReadWriteOnce", "ReadWriteOncePod")
    return next((one for one in profile.volumes if one.claim and one.access_mode in single), None)


def is_read_only(volume: Volume) -> bool:
    """Whether the app may not write to it: by the profile's wish, or since its source cannot be written."""
    shared = isinstance(volume, AppVolume) and volume.claim is not None and volume.access_mode == "ReadOnlyMany"
    return bool(volume.read_only or volume.secret or volume.config_map or shared)
