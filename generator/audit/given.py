"""Settings as they were given: which, what value, where; from a configuration's text or a command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..errors import Mark
from .values import Value


@dataclass(frozen=True)
class Span:
    """Where something stands: the mark of its first character, and how many characters follow on that line."""

    mark: Mark
    width: int = 1


@dataclass(frozen=True)
class Given:
    """One name with a value: a setting, or what gunicorn would take for one."""

    name: str
    value: Value
    span: Span
    #: How it came: "assigned", "imported", "function" in a configuration; "option" or "variable" elsewhere.
    how: str = "assigned"
    #: Whether the file reads the name again, so that it is a helper.
    read: bool = False
    #: Whether it stands in the way that the environment's defaults do not take: another value decides, if any.
    otherwise: bool = False


@dataclass(frozen=True)
class Unseen:
    """What could not be known without running it."""

    span: Span
    text: str
    #: Whether a Secret or ConfigMap has it.
    of_another_object: bool = False


@dataclass
class Run:
    """One start of gunicorn: everything given to it, later ones winning, and where it runs."""

    given: list[Given] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    #: Whether `monkey.patch_all()` stands in the configuration.
    patched: bool = False
    #: Where the application is named whose module is not among the files, so that it may patch first.
    app_unseen: Span | None = None
    #: The application that the command names, or nothing.
    app: str = ""
    #: The place of the command, where there is one, and of gunicorn's own word, which may be the image's.
    command: Span | None = None
    gunicorn: Span | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Variables that are set to what is not known here.
    unknown: frozenset[str] = field(default_factory=frozenset)
    #: Whether variables of unknown names are set too, from a file or another object.
    open: bool = False
    #: Where variables are set, of those that stand in a file.
    places: dict[str, Span] = field(default_factory=dict)
    #: Where it runs: "configuration" (nobody knows), "process" (a Procfile or a shell), "container".
    place: str = "configuration"
    #: Whether a configuration that it names could not be read, so that what is absent may stand there.
    partial: bool = False
    #: Whether the configuration is one that the kit generated, for the image that it was generated with.
    ours: bool = False
    read_only: bool = False
    writable_tmp: bool = True
    cpu_limit: str | None = None
    grace_seconds: int | None = None
    grace: Span | None = None
    pre_stop_seconds: int = 0

    def last(self, name: str) -> Given | None:
        """What decides a setting: the last that was given."""
        return next((one for one in reversed(self.given) if one.name == name and not one.otherwise), None)

    def effective(self, names: Mapping[str, object]) -> Iterator[Given]:
        """The deciding one of each name in the table, in the order given."""
        deciding = self.deciding()
        for one in self.given:
            if one.name in names and deciding.get(one.name) is one:
                yield one

    def deciding(self) -> dict[str, Given]:
        """What decides each setting, as last() has it for one: a text may give a hundred thousand."""
        return {one.name: one for one in self.given if not one.otherwise}

    def copy(self) -> Run:
        """Another start in the same surroundings, before anything is given to either."""
        return replace(self, given=list(self.given), unseen=list(self.unseen), places=dict(self.places))
