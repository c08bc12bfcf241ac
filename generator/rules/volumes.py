"""Names and folders of volumes that are taken, and claims that more pods would share than can."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Fault
from ..plan.environment import MOUNTED_SECRETS
from ..plan.places import APP_FOLDER, CONFIGURATION_FOLDER, ENVIRONMENT_FOLDER
from ..plan.volumes import single_claim
from ..profile.kubernetes import Volume
from ..profile.load import Draft
from ..profile.schema import Profile

#: Volumes and folders of the kit's own, in the pod.
_OWN_VOLUMES = ("configuration", "tmp", "shm", "secret-files", "proxy-tmp")
_OWN_FOLDERS = ("/dev", CONFIGURATION_FOLDER, ENVIRONMENT_FOLDER, "/proc", "/sys", "/tmp")
#: What Python, its packages' libraries and a shell are in: hidden, the container does not start.
_SYSTEM_FOLDERS = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local/bin", "/usr/local/lib", "/usr/sbin")
#: Symbolic links of the base images, through which a volume would lie where its path does not say.
_LINKS = {
    "/bin": "/usr/bin",
    "/lib": "/usr/lib",
    "/lib64": "/usr/lib64",
    "/sbin": "/usr/sbin",
    "/var/lock": "/run/lock",
    "/var/run": "/run",
}


def volume_faults(draft: Draft, profile: Profile) -> Iterator[Fault]:
    """Every fault of the volumes of pod and Compose."""
    names, folders = list(_OWN_VOLUMES), list(_OWN_FOLDERS)
    folders += [MOUNTED_SECRETS] * any(one.file for _, one in profile.env_secrets)
    mounted: list[str] = []
    listed: list[tuple[str, Volume]] = [(f"volumes.{number}", one) for number, one in enumerate(profile.volumes)]
    listed += [(f"kubernetes.volumes.{number}", one) for number, one in enumerate(profile.kubernetes.volumes)]
    for path, volume in listed:
        lies_at = _real(volume.mount_path)
        if volume.name in names:
            code = "K015" if volume.name in _OWN_VOLUMES else "K016"
            yield draft.fault(f"{path}.name", f"a name beside {', '.join(names)}", "choose another", code=code)
        if inside := next((folder for folder in folders if _is_below(lies_at, folder)), None):
            code = "K016" if inside in mounted else "K015"
            allowed = f"a folder that is not {inside} or below it"
            yield draft.fault(f"{path}.mount_path", allowed, "choose another", code=code)
        elif hidden := next((one for one in (APP_FOLDER, *folders, *_SYSTEM_FOLDERS) if _is_below(one, lies_at)), None):
            code, allowed = "K016" if hidden in mounted else "K015", f"a folder that does not hide {hidden}"
            remedy = f"choose another: /data, or one below {APP_FOLDER}"
            yield draft.fault(f"{path}.mount_path", allowed, remedy, code=code)
        names.append(volume.name)
        folders.append(lies_at)
        mounted.append(lies_at)
    single = single_claim(profile)
    if single is not None and profile.kubernetes.replicas != 1:
        allowed = f"ReadWriteMany or ReadOnlyMany without kubernetes.replicas: 1: pods would wait for {single.claim}"
        path = f"volumes.{profile.volumes.index(single)}.access_mode"
        remedy = "set kubernetes.replicas: 1, or name the claim's own mode if it is another"
        yield draft.fault(path, allowed, remedy, code="K019")


def _real(path: str) -> str:
    """Where a folder lies, behind the links of the base images."""
    for link, folder in _LINKS.items():
        if _is_below(path, link):
            return folder + path[len(link) :]
    return path


def _is_below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")
