"""The file of --env-file: variables whose values reach the container and nothing else, no message and no report."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


def check_names(plan: Plan, given: Mapping[str, str]) -> None:
    """Raises KitError where the profile names secrets that the file does not give, as Compose would not start."""
    missing = [one.variable for one in plan.environment.secrets if one.variable not in given]
    if missing:
        raise KitError(
            f"env_secrets: the app needs {', '.join(missing)}; give them with --env-file FILE, one NAME=value a line"
        )


@contextmanager
def for_docker(variables: Mapping[str, str]) -> Iterator[Path]:
    """The same for `docker run --env-file`, which takes quotes for part of a value; readable for its owner alone.

    Not on the command line, which others can read, and which the message about a failed command repeats.
    """
    with NamedTemporaryFile("w", prefix="kit-proof-", suffix=".env", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in variables.items())
        file.flush()
        yield Path(file.name)


def hide(text: str, variables: Mapping[str, str]) -> str:
    """The text without the values, as an app's own message or log line may repeat them."""
    values = [value for value in variables.values() if len(value) >= SHORTEST_SECRET]
    forms = {form for value in values for form in (value, json.dumps(value)[1:-1], repr(value)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def hide_in(claim: Claim, variables: Mapping[str, str]) -> Claim:
    """The claim without the values, in each of its texts."""
    return Claim(**{each.name: _hide(getattr(claim, each.name), variables) for each in dataclasses.fields(claim)})


def _hide(found: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(found, str):
        return hide(found, variables)
    if isinstance(found, Mapping):
        return {_hide(name, variables): _hide(value, variables) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(_hide(value, variables) for value in found)
    return found
