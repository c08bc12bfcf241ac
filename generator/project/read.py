"""The dependency files of an app: followed, checked, and every fault reported with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import Fault, Mark
from ..files import read_regular
from .files import MAX_BYTES, FileError, below, read_bytes
from .metadata import Selection, read_metadata, required_by, requirements_of
from .project import KINDS, LocalProject, Project
from .requirements_file import Line, LineError, decode, logical_lines, parse_line

_FIELD = "app.requirements"
#: That -r and -c name, one the other: a chain of thousands ends in the interpreter's own limit.
MAX_FILES = 200
_ADDRESS = re.compile(r"""(?i)(?:[a-z]+\+)?https?://[^\s"'<>]+""")
_NO_PASSWORD = (
    "an address without a password: the file goes into the build and its cache",
    "remove user and password, and export the dependencies to a requirements file, in which ${TOKEN} may stand",
)
_NO_GIT = ("hg+", "svn+", "bzr+")


@dataclass(frozen=True)
class Image:
    """What the image brings that the dependencies have to fit: its Python and the server's own packages."""

    python: str
    #: Version by name of the packages that are the server's own.
    pins: Mapping[str, str]

    def takes(self, marker: Marker | None) -> bool:
        """Whether the marker is true in the image."""
        if marker is None:
            return True
        about = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        return marker.evaluate({**about, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"})


def read_project(
    root: Path, file: str | None, app_folder: str, selection: Selection, image: Image, at: Mark
) -> tuple[Project, list[Fault]]:
    """The project below ``root``, the build context, and what is wrong with it; ``at`` is the profile's own line.

    ``file`` is the profile's ``app.requirements``, ``app_folder`` its ``app.path``. No code of the project is run.
    """
    project, faults = _read(root, file, app_folder, selection, image, at)
    return replace(project, ignored=_ignored(root) if app_folder == "." else ()), faults


def _ignored(root: Path) -> tuple[str, ...]:
    try:
        lines = read_regular(root / ".dockerignore", MAX_BYTES).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _read(
    root: Path, file: str | None, app_folder: str, selection: Selection, image: Image, at: Mark
) -> tuple[Project, list[Fault]]:
    if file is None:
        return Project(), []
    name = PurePosixPath(file).name
    if name in KINDS:
        return _metadata(root, file, app_folder, selection, image, at)
    if selection.extras or selection.groups:
        allowed = "no app.extras and app.groups beside a requirements file: they are pyproject.toml's"
        return Project(), [Fault(at, _FIELD, file, allowed, "name pyproject.toml here, or remove them", code="K020")]
    if name in ("Pipfile", "setup.py", "setup.cfg", "environment.yml", "environment.yaml"):
        allowed = f"a requirements file, {', '.join(KINDS)}"
        do = "name Pipfile.lock" if name == "Pipfile" else "name a requirements file that says -e ."
        return Project(), [
            Fault(at, _FIELD, file, allowed, do if name.startswith(("P", "s")) else "export one", code="K020")
        ]
    reader = _Reader(root, image)
    try:
        reader.read(below(root, ".", file))
    except FileError as error:
        reader.faults.append(Fault(at, _FIELD, file, error.allowed, error.remedy, code="K020"))
    return reader.project(file, app_folder), reader.faults


def _metadata(
    root: Path, file: str, app_folder: str, selection: Selection, image: Image, at: Mark
) -> tuple[Project, list[Fault]]:
    try:
        project = read_metadata(root, file, selection)
        named = requirements_of(root, file, selection) if project.kind == "pyproject" else []
        required = required_by(root, project, selection)
    except FileError as error:
        return Project(), [Fault(at, _FIELD, file, error.allowed, error.remedy, code="K020")]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        allowed = f"tables and lists as its tool reads them ({type(error).__name__}: {error})"
        return Project(), [Fault(at, _FIELD, file, allowed, "correct the file, or have its tool write it", code="K020")]
    project = replace(project, required=required)
    text = read_bytes(root, file).decode("utf-8", "replace") if named else ""
    faults = [*_passwords(root, project)]
    for requirement in named:
        if clash := server_clash(requirement, image):
            place = text.find(str(requirement.name))
            mark = Mark(file, text.count("\n", 0, max(place, 0)) + 1)
            faults.append(Fault(mark, _FIELD, str(requirement), *clash, code="K020"))
    if not project.static and not any(one.below(app_folder) for one in project.local):
        allowed = "dependencies that pyproject.toml lists; here its build backend computes them from the project's code"
        faults.append(
            Fault(
                at, _FIELD, file, allowed, f"set app.path to {project.folder}, so that the code is there", code="K020"
            )
        )
    return project, faults


def _passwords(root: Path, project: Project) -> Iterator[Fault]:
    """Of addresses in the files that are copied into the build; what is refused there, in comments too."""
    for file in project.files:
        if not (root / file).is_file():  # whoever copies it says so
            continue
        for number, line in enumerate(read_bytes(root, file).decode("utf-8", "replace").splitlines(), 1):
            for address in _ADDRESS.findall(line):
                if _password(address):
                    yield Fault(
                        Mark(file, number), _FIELD, _without_password(address)[:200], *_NO_PASSWORD, code="K020"
                    )


def _password(address: str) -> bool:
    """Whether the address has a user or a password that is no variable."""
    user = re.match(r"(?i)(?:[a-z]+\+)?https?://([^/@]*)@", address)
    return user is not None and not re.fullmatch(r"([^:]*:)?\$\{[A-Z0-9_]+\}", user[1])


def server_clash(requirement: Requirement, image: Image) -> tuple[str, str] | None:
    """What is allowed and what to do, where a requirement refuses the server's own package that the image brings."""
    name = canonicalize_name(requirement.name)
    pin = image.pins.get(name)
    if pin is None or not image.takes(requirement.marker):
        return None
    if requirement.url is None and requirement.specifier.contains(pin, prereleases=True):
        return None
    do = f"remove the line: the image brings {name}; keep it in a file for development if that needs it"
    return f"{name} {pin}, the server's own, installed by its hash", do


@dataclass
class _Reader:
    """Follows -r and -c from one requirements file, and collects."""

    root: Path
    image: Image
    faults: list[Fault] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    #: Lines that name a path, each with its file: the folder that they are relative to is found at the end.
    paths: list[tuple[str, Line]] = field(default_factory=list)
    needs_git: bool = False
    variables: set[str] = field(default_factory=set)
    required: dict[str, Mark] = field(default_factory=dict)

    def read(self, file: str) -> None:
        """One file and those that it names. Raises FileError where it cannot be read."""
        if file in self.files:
            return
        if len(self.files) >= MAX_FILES or sum(map(len, self.files.values())) > MAX_BYTES:
            raise FileError(f"at most {MAX_FILES} files that name one another, of 32 MiB together", "join some of them")
        try:
            text = self.files[file] = decode(read_bytes(self.root, file))
        except UnicodeDecodeError as error:
            raise FileError(f"UTF-8 text ({file}: byte {error.start})", "save the file as UTF-8") from error
        for number, line, single in logical_lines(text):
            try:
                self._take(file, parse_line(number, line, single))
            except LineError as error:
                self._fault(file, number, line, f"what pip reads: {error}", "correct the line")
            except FileError as error:
                self._fault(file, number, line, error.allowed, error.remedy)

    def _fault(self, file: str, number: int, given: str, allowed: str, remedy: str) -> None:
        self.faults.append(
            Fault(Mark(file, number), _FIELD, _without_password(given)[:200], allowed, remedy, code="K020")
        )

    def _take(self, file: str, line: Line) -> None:
        folder = str(PurePosixPath(file).parent)
        self.variables.update(line.variables)
        for other in (*line.requirements, *line.constraints):
            if re.match(r"https?://", other):
                self._reachable(other)
            else:
                self.read(below(self.root, folder, other))
        for place in (*line.find_links, *line.indexes):
            self._reachable(place)
        for place in line.find_links:
            if not re.match(r"[a-z+]+://", place):
                self._wheels(folder, place)
        if line.named is not None and self.image.takes(line.named.marker):
            self.required.setdefault(canonicalize_name(line.named.name), Mark(file, line.number))
        if line.named is not None and (clash := server_clash(line.named, self.image)):
            self._fault(file, line.number, line.text, *clash)
        if line.address:
            self._address(file, line)

    def _wheels(self, folder: str, place: str) -> None:
        """pip looks beside the file first, then where it runs."""
        candidates = [below(self.root, base, place) for base in dict.fromkeys((folder, "."))]
        found = next((one for one in candidates if (self.root / one).exists()), None)
        if found is None:
            raise FileError(f"a folder that is there; {candidates[0]} is not", "correct the path, or remove the line")
        self.folders[found] = None

    def _reachable(self, address: str) -> None:
        """Refuse what a build cannot reach, and what it must not have: a secret in a file that is copied into it."""
        if _password(address):
            raise FileError(_NO_PASSWORD[0], "write https://user:${TOKEN}@… and give the build --build-arg TOKEN")
        if re.match(r"(?i)[a-z+]+://([^/@]*@)?(localhost|127\.|\[::1\])", address):
            raise FileError(
                "an address that a build reaches; there this one is the build's own container", "name the host"
            )

    def _address(self, file: str, line: Line) -> None:
        address = line.address
        self._reachable(address)
        if address.startswith("git+ssh:") or re.match(r"git\+[^/]*@", address):
            raise FileError("an address that needs no key: a build has none", "write git+https://…")
        if address.startswith(_NO_GIT):
            tool = address.partition("+")[0]
            raise FileError(
                f"git, a file or an index; a build has no {tool}", "install from git, or build a wheel and name it"
            )
        if address.startswith("git+"):
            self.needs_git = True
        elif address.lower().startswith("file:"):
            raise FileError("a path below the build context; this one is of one machine", "write a relative path: ./x")
        elif not re.match(r"https?://", address):
            self.paths.append((file, line))

    def project(self, file: str, app_folder: str) -> Project:
        """What was read, with the paths resolved against the first folder in which all of them exist."""
        bases = dict.fromkeys((str(PurePosixPath(file).parent), app_folder, "."))
        base = next((one for one in bases if all(self._exists(one, line) for _, line in self.paths)), next(iter(bases)))
        local: dict[LocalProject, None] = {}
        aside: dict[str, list[str]] = {}
        for source, line in self.paths:
            try:
                one = self._local(base, line)
            except FileError as error:
                self._fault(source, line.number, line.text, error.allowed, error.remedy)
                continue
            if one is not None:
                local[one] = None
                aside.setdefault(source, []).append(self.files[source].splitlines()[line.number - 1])
        return Project(
            "requirements",
            file,
            base,
            tuple(self.files) + tuple(one for one in self.folders if (self.root / one).is_file()),
            tuple(one for one in self.folders if (self.root / one).is_dir()),
            tuple(local),
            tuple((source, tuple(lines)) for source, lines in aside.items()),
            needs_git=self.needs_git,
            variables=tuple(sorted(self.variables)),
            required=tuple(sorted(self.required.items(), key=lambda pair: pair[0])),
        )

    def _exists(self, base: str, line: Line) -> bool:
        try:
            target = self.root / below(self.root, base, line.address)
            return target.is_file() or _is_project(target)
        except FileError:
            return False

    def _local(self, base: str, line: Line) -> LocalProject | None:
        """The project that the line names, or None for an archive, which is copied and stays in its line."""
        found = below(self.root, base, line.address)
        target = self.root / found
        if target.is_file():
            self.folders[found] = None
            return None
        if not target.is_dir():
            raise FileError(f"a path that is there; {found} is not", "correct it, relative to where pip is run")
        if not _is_project(target):
            raise FileError(f"a project; {found} has neither pyproject.toml nor setup.py", "add one, or correct it")
        if line.has_marker or not line.single:
            raise FileError("one line without a marker, for a project of your own", "write it on one line, alone")
        return LocalProject(found, line.extras.replace(" ", ""), line.editable)


def _is_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("pyproject.toml", "setup.py"))


def _without_password(text: str) -> str:
    return re.sub(r"(://)[^/\s]*@", r"\1…@", text)
