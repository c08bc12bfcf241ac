"""Where things lie and what they are called: folders of the output, objects, images, paths inside of an image."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.schema import Profile
from ..servers.server import Server

#: Inside of the image. The runtime's boot has the first one too; a test compares them.
CONFIGURATION_FOLDER = "/etc/kit"
ENVIRONMENT_FOLDER = "/opt/venv"
APP_FOLDER = "/app"


@dataclass(frozen=True)
class ImagePaths:
    """Paths inside of a profile's image; templates see them as ``plan.paths``."""

    #: The folder of the server's configuration, and the file itself, over which a pod mounts its ConfigMap.
    configuration_folder: str
    configuration: str
    #: Where a pod sees that app.before_start has succeeded.
    release_folder: str
    #: The virtual environment with server, app requirements and runtime, and its interpreter.
    environment: str
    python: str


def image_paths(server: Server) -> ImagePaths:
    """Where the image of a server has what."""
    return ImagePaths(
        configuration_folder=CONFIGURATION_FOLDER,
        configuration=f"{CONFIGURATION_FOLDER}/{server.configuration}",
        release_folder=f"{CONFIGURATION_FOLDER}/release",
        environment=ENVIRONMENT_FOLDER,
        python=f"{ENVIRONMENT_FOLDER}/bin/python",
    )


def output_path(profile: Profile) -> str:
    """The part that the profile's folder below docker/ and its file below k8s/ share."""
    return f"{profile.group}/{profile.name}" if profile.group else profile.name


def object_name(profile: Profile) -> str:
    """The name of the profile's objects in a cluster; with the group, so that equal names in two never meet."""
    return f"{profile.name}-{profile.group}" if profile.group else profile.name


def base_image(profile: Profile) -> str:
    """The official image that the profile's own is built from: Debian's stable release, without compilers."""
    return f"python:{profile.python}-slim-trixie"
