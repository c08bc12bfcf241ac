"""Where the app's variables come from: the profile, Secrets and ConfigMaps in a pod, an env file in Compose."""

from __future__ import annotations

from dataclasses import dataclass

from ..profile.schema import Profile
from ..profile.workload import EnvSource
from .places import object_name

#: Below it, in pod and Compose alike, lies each secret that the app reads as a file: <Secret>/<key>.
MOUNTED_SECRETS = "/run/secrets/app"


@dataclass(frozen=True)
class SecretKey:
    """One variable of env_secrets."""

    variable: str
    secret: str
    key: str

    @property
    def path(self) -> str:
        """Of the file, below the folder of all of them."""
        return f"{self.secret}/{self.key}"


@dataclass(frozen=True)
class Source:
    """A Secret or a ConfigMap that gives all its keys, as ``envFrom`` writes it."""

    reference: str
    name: str
    prefix: str | None


@dataclass(frozen=True)
class Environment:
    """The variables of the app's containers; templates see it as ``plan.environment``."""

    #: Values for the kubelet, which expands $(NAME) in them; a doubled dollar stands for one.
    values: tuple[tuple[str, str], ...]
    #: Variables that hold a secret, and those that hold the path of a file with one.
    secrets: tuple[SecretKey, ...]
    files: tuple[SecretKey, ...]
    sources: tuple[Source, ...]
    #: Of Compose, as seen from the compose file's folder: the file of variables, the folder of secret files.
    env_file: str
    files_folder: str
    #: The same without the way there, as they are called in the project's folder.
    env_file_name: str
    files_folder_name: str
    secret_folder: str = MOUNTED_SECRETS

    @property
    def is_set(self) -> bool:
        """Whether a container has any variable by name."""
        return bool(self.values or self.secrets or self.files)

    @property
    def needs_env_file(self) -> bool:
        """Whether Compose cannot start without the env file: the profile names secrets that only it can give."""
        return bool(self.secrets)

    @property
    def names(self) -> str:
        """The variables that the env file must have, as a person lists them."""
        return ", ".join(one.variable for one in self.secrets)


def plan_environment(profile: Profile, context: str) -> Environment:
    """The variables of a profile without faults; ``context`` is the build context, seen from the compose file."""
    keys = [(SecretKey(name, one.secret, one.key), one) for name, one in profile.env_secrets]
    env_file = f".env.{object_name(profile)}"
    return Environment(
        values=tuple((name, value.replace("$", "$$")) for name, value in profile.env),
        secrets=tuple(key for key, one in keys if not one.file),
        files=tuple(key for key, one in keys if one.file),
        sources=tuple(_source(one) for one in profile.kubernetes.env_from),
        env_file=f"{context}/{env_file}",
        files_folder=f"{context}/{env_file}.d",
        env_file_name=env_file,
        files_folder_name=f"{env_file}.d",
    )


def _source(one: EnvSource | str) -> Source:
    if isinstance(one, str):
        return Source("secretRef", one, None)
    if one.secret is not None:
        return Source("secretRef", one.secret, one.prefix)
    assert one.config_map is not None  # ONE_OF
    return Source("configMapRef", one.config_map, one.prefix)
