"""The file of --env-file, and the folder of files beside it: what they hold reaches the container and nothing else."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ..errors import KitError
from ..files import read_regular
from ..plan.plan import Plan
from .claim import Claim

MAX_BYTES = 1024**2
HIDDEN = "[hidden]"
#: Values as short as these (1, true, gevent's INFO) are no secrets, and stand in reports for other reasons.
SHORTEST_SECRET = 6


def read_env_file(path: str) -> dict[str, str]:
    """The variables of a file, read as Compose reads it. Raises KitError with the line, never with its text."""
    try:
        lines = read_regular(Path(path), MAX_BYTES).decode("utf-8").splitlines()
    except FileNotFoundError as error:
        raise KitError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KitError(f"{path}: not UTF-8 at byte {error.start}") from error
    found = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            name, value = _variable(line, f"{path}:{number}")
            found[name] = value
    return found


def _variable(line: str, where: str) -> tuple[str, str]:
    if not line.isprintable():
        raise KitError(f"{where}: has a character that is none to print")
    matched = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
    if not matched:
        raise KitError(f"{where}: no variable; write NAME=value")
    name, value = matched[1], matched[2].strip()
    if quoted := re.fullmatch(r"""'([^']*)'(?:\s+#.*)?|"([^"\\$]*)"(?:\s+#.*)?""", value):
        return name, quoted[1] if quoted[1] is not None else quoted[2]
    value = re.sub(r"\s+#.*", "", value)
    if re.search(r"""^['"]|[$\\]""", value):
        raise KitError(f"{where}: {name} has a $, a backslash or an open quote; put the value in single quotes")
    return name, value


@dataclass(frozen=True)
class Given:
    """What a container of the app gets, as Compose would give it."""

    #: Those of the file, and the paths of secret files.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Secret files, and folders of Secrets and ConfigMaps: the path here, and the one in the container.
    mounts: Mapping[Path, str] = field(default_factory=dict)
    #: What no message and no report may show.
    secrets: frozenset[str] = frozenset()


def read_given(path: str | None, plan: Plan) -> Given:
    """What the profile's app needs of FILE and FILE.d: variables, files of env_secrets, Secrets and ConfigMaps.

    Raises KitError where one is missing, as Compose would not start.
    """
    variables = read_env_file(path) if path else {}
    missing = [one.variable for one in plan.environment.secrets if one.variable not in variables]
    if missing:
        raise KitError(
            f"env_secrets: the app needs {', '.join(missing)}; give them with --env-file FILE, one NAME=value a line"
        )
    folder = Path(f"{path}.d").absolute() if path else None
    mounts, secrets = {}, set(variables.values())
    for one in plan.environment.files:
        where = f"env_secrets.{one.variable}: the file {one.path}"
        file = _there(folder, one.path, where)
        variables[one.variable] = mounts[file] = f"{plan.environment.secret_folder}/{one.path}"
        secrets |= _texts(file)
    for volume in plan.volumes.compose:
        if name := volume.secret or volume.config_map:
            file = _there(folder, name, f"volumes: {volume.name}, the folder {name}")
            mounts[file] = volume.mount_path
            secrets |= {text for each in file.iterdir() for text in _texts(each)} if volume.secret else set()
    return Given(variables, mounts, frozenset(secrets))


def _there(folder: Path | None, name: str, what: str) -> Path:
    """The file or folder of that name. Raises KitError where there is none."""
    found = folder / name if folder else None
    if found is None or not found.exists():
        raise KitError(f"{what} is missing; --env-file FILE takes it from FILE.d/{name}, as Compose does")
    return found


def _texts(file: Path) -> set[str]:
    """What a secret file may be shown as: whole, and line by line. Raises KitError."""
    text = read_regular(file, MAX_BYTES).decode("utf-8", "replace").strip()
    return {text, *map(str.strip, text.splitlines())}


@contextmanager
def for_docker(variables: Mapping[str, str]) -> Iterator[Path]:
    """The same for `docker run --env-file`, which takes quotes for part of a value; readable for its owner alone.

    Not on the command line, which others can read, and which the message about a failed command repeats.
    """
    with NamedTemporaryFile("w", prefix="kit-proof-", suffix=".env", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in variables.items())
        file.flush()
        yield Path(file.name)


def mount_words(mounts: Mapping[Path, str]) -> list[str]:
    """The same for `docker run --mount`, read-only; a path with a comma is quoted as CSV is."""
    words = []
    for source, target in mounts.items():
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", "readonly"])
        words.append(line.getvalue())
    return words


def hide(text: str, secrets: Collection[str]) -> str:
    """The text without the values, as an app's own message or log line may repeat them."""
    values = [value for value in secrets if len(value) >= SHORTEST_SECRET]
    forms = {form for value in values for form in (value, json.dumps(value)[1:-1], repr(value)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def hide_in(claim: Claim, secrets: Collection[str]) -> Claim:
    """The claim without the values, in each of its texts."""
    return Claim(**{each.name: _hide(getattr(claim, each.name), secrets) for each in dataclasses.fields(claim)})


def _hide(found: Any, secrets: Collection[str]) -> Any:
    if isinstance(found, str):
        return hide(found, secrets)
    if isinstance(found, Mapping):
        return {_hide(name, secrets): _hide(value, secrets) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(_hide(value, secrets) for value in found)
    return found


@contextmanager
def hidden(secrets: Collection[str]) -> Iterator[None]:
    """An error's message is printed without the values: an engine's words may repeat what the app has logged."""
    try:
        yield
    except KitError as error:
        text = str(error)
        if (clean := hide(text, secrets)) == text:
            raise
        raise KitError(clean) from None
