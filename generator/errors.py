"""Everything that can go wrong, each in one of the exit codes: 1 drift, 2 the user's input, 3 our own fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: So many faults are printed, the others are counted: nobody reads more before correcting the first ones.
FAULTS_SHOWN = 50


def printable(text: str, keep: str = "") -> str:
    """The text on one line: a file or a key may be named with control characters, which would act on a terminal.

    ``keep`` are those that stay: ``"\\n\\t"`` of a text with lines of its own.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault; codes never change their meaning, and none is used again. Findings of `audit` follow, K100."""

    code: str
    title: str
    why: str
    remedy: str

    @property
    def anchor(self) -> str:
        """Its section in docs/errors.md."""
        return f"docs/errors.md#{self.code.lower()}"


_KINDS = (
    FaultKind("K001", "no YAML mapping",
              "the file cannot be read as one mapping of settings",
              "correct the line; write `name: value`, sections below indented"),
    FaultKind("K002", "YAML that a profile may not use",
              "anchors, tags, merge keys and second documents mean different things to different readers",
              "write plain values, one document a file"),
    FaultKind("K003", "key that stands twice",
              "YAML parsers disagree on which one counts",
              "remove one of them"),
    FaultKind("K004", "unknown setting, or one out of place",
              "a misspelt setting that is passed over in silence is found in production",
              "write the name that the message suggests, or see `container-kit docs settings`"),
    FaultKind("K005", "missing setting",
              "there is no default that would be right for more than one app",
              "add it; the message has an example"),
    FaultKind("K006", "value that the setting does not take",
              "type, unit or limits are not those of the setting",
              "write what the message allows; units are Kubernetes' (`500m`, `1Gi`)"),
    FaultKind("K007", "--set that names nothing",
              "an override is PATH=VALUE, with the path of a setting",
              "write for example `--set resources.cpu=4`"),
    FaultKind("K010", "server or Python that there is not",
              "every server is one row of the capability table, locked for certain versions of Python",
              "take one that the message lists; `container-kit docs servers` says how to choose"),
    FaultKind("K011", "setting that the server ignores or is harmed by",
              "it would stand in the file and do nothing, or something that nobody wants",
              "remove it, or choose a server that honours it (`container-kit docs servers`)"),
    FaultKind("K012", "settings that do not go together",
              "each is right alone; together they contradict each other, or leave something without effect",
              "change one of them as the message says"),
    FaultKind("K013", "promise that the limits do not hold",
              "connections, workers or threads need more memory or places than the profile gives",
              "raise the resource, or lower the number"),
    FaultKind("K014", "secret in the profile",
              "the image, its history and the manifests would all show it",
              "name it in env_secrets, so that a Secret holds it (`container-kit docs your-app`)"),
    FaultKind("K015", "reserved name",
              "the name, folder, port, annotation or variable is the kit's own or the server's",
              "choose another"),
    FaultKind("K016", "name that another one has",
              "of two objects, services or mounts of one name, one would replace the other",
              "choose another"),
    FaultKind("K017", "name that gets too long",
              "objects are named by joining names, and Kubernetes takes 63 characters of a label's value",
              "shorten the name, or that of the group"),
    FaultKind("K018", "trust that is missing or too wide",
              "the app takes scheme and client address from X-Forwarded-Proto and X-Forwarded-For: it must believe "
              "those of the proxy, and nobody else's",
              "name the addresses of the proxy in forwarded_allow_ips or kubernetes.allowed_cidrs"),
    FaultKind("K019", "volume that pods cannot share",
              "a ReadWriteOnce claim is for one node: pods elsewhere would wait for it without end",
              "take a claim of mode ReadWriteMany, or one pod"),
    FaultKind("K020", "dependency file that a build cannot use",
              "what pip would refuse, or install otherwise than you mean, is found before the build",
              "correct the line of that file as the message says"),
    FaultKind("K030", "patch that does not apply",
              "kubernetes.patches changes what is generated, and what it names is not there",
              "correct its path or its target"),
    FaultKind("K090", "argument, file or project",
              "the command line, or a file that it names, is not what the command needs",
              "do what the message says"),
    FaultKind("K091", "root of the output that does not fit",
              "a foreign file is in the way, a path leads outside, or the app's folder is not below the root",
              "do what the message says: move the file away, name another --output, or overwrite with --force"),
    FaultKind("K092", "container engine",
              "no Docker engine is there, or one of its commands failed",
              "the message has the command's own words"),
    FaultKind("K093", "cluster",
              "something did not come true on the cluster in time",
              "the message says what; `kubectl describe` says why"),
    FaultKind("K099", "fault of the kit",
              "what was generated would be refused by its consumer, or the kit itself broke",
              "report it, with --debug's traceback"),
)  # fmt: skip
#: Every kind by its code.
FAULT_KINDS = {kind.code: kind for kind in _KINDS}


@dataclass(frozen=True)
class Mark:
    """A place in what the user wrote: a file, or ``--set``; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line}:{self.column}"


def lines_of(text: str) -> list[str]:
    """The lines that a mark counts. splitlines() would break at a form feed and in texts, at U+2028, too."""
    return re.split(r"\r\n?|\n", text)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a profile: where, which field, what was given, what is allowed, what to do."""

    mark: Mark
    path: str
    given: str
    allowed: str
    remedy: str
    #: Of FAULT_KINDS.
    code: str = "K012"

    def __str__(self) -> str:
        lines = [f"{self.mark}: {self.path or 'profile'}: {self.given} [{self.code}]"]
        lines += [f"    allowed: {self.allowed}"] if self.allowed else []
        lines += [f"    do: {self.remedy}"] if self.remedy else []
        return "\n".join(printable(line, "\n") for line in lines)

    def as_json(self) -> dict[str, Any]:
        """For programs: as printed, each part by its name."""
        return {
            "code": self.code,
            "file": self.mark.file,
            "line": self.mark.line,
            "column": self.mark.column,
            "setting": self.path,
            "given": self.given,
            "allowed": self.allowed,
            "remedy": self.remedy,
            "docs": FAULT_KINDS[self.code].anchor,
        }


class KitError(Exception):
    """Base of all errors that end the command with a message and ``exit_code``, without a traceback."""

    exit_code = 2

    #: Of FAULT_KINDS.
    code = "K090"

    def as_json(self) -> list[dict[str, Any]]:
        """One object a fault, for programs."""
        return [{"code": self.code, "message": str(self), "docs": FAULT_KINDS[self.code].anchor}]

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in super().__str__().split("\n"))


class ProfileError(KitError):
    """One or more profiles are wrong; carries every fault found, not the first only."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults), key=lambda f: (f.mark.file, f.mark.line, f.mark.column, f.path)))
        lines = [str(fault) for fault in self.faults[:FAULTS_SHOWN]]
        if len(self.faults) > FAULTS_SHOWN:
            lines.append(f"... and {len(self.faults) - FAULTS_SHOWN} more faults")
        super().__init__("\n".join(lines))

    def as_json(self) -> list[dict[str, Any]]:
        return [fault.as_json() for fault in self.faults]


class TargetError(KitError):
    """The output folder cannot take the files: a foreign file is in the way, or a path leads outside."""

    code = "K091"


class OwnFault(KitError):
    """The kit made something that its consumer would refuse: not the user's fault, hence an exit code of its own."""

    exit_code = 3
    code = "K099"


def nearest(word: str, options: Sequence[str]) -> str | None:
    """The option that the word most likely misspells, or None where none is near."""
    from difflib import get_close_matches  # only for messages: a good profile does not wait for its import

    return next(iter(get_close_matches(word.lower()[:100], options, n=1, cutoff=0.6)), None)
