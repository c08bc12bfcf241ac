"""The texts that are looked at, and the files that they name: among the given ones, or beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

#: The name under which a command line's own words are reported.
COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Source:
    """One text to look at; ``name`` is its path in messages."""

    name: str
    text: str


#: Reads a file beside a source: the source's name and the path that it names; None where there is none.
Beside = Callable[[str, str], Source | None]
#: Evaluates a configuration by running it: name, text and environment to values by name; None where that failed.
Execute = Callable[[Source, Mapping[str, str]], "tuple[Mapping[str, object], str]"]


@dataclass
class Sources:
    """The given texts, and the way to those beside them."""

    given: Sequence[Source]
    beside: Beside

    def named(self, name: str) -> Source | None:
        """The given one of exactly this name."""
        return next((one for one in self.given if one.name == name), None)

    def find(self, origin: str, path: str) -> Source | None:
        """What a text names by a path: folders differ between an image and here, so the file's name decides."""
        base_name = PurePosixPath(path).name
        given = [one for one in self.given if PurePosixPath(one.name).name == base_name]
        return given[0] if len(given) == 1 else self.beside(origin, path)

    def script(self, origin: str, path: str) -> Source | None:
        """A script by its path in the image, which most likely has its name here too."""
        return self.find(origin, path) or self.beside(origin, PurePosixPath(path).name)

    def module(self, origin: str, path: str) -> Source | None:
        """A module of the app by its path below the folder that it is imported from."""
        given = [one for one in self.given if one.name == path or one.name.endswith(f"/{path}")]
        return given[0] if given else self.beside(origin, path)
