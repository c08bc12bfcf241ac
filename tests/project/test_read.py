"""Dependency files: what is followed and copied, and what is refused with its file and line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.errors import KitError, Mark
from generator.project.metadata import Selection
from generator.project.project import LocalProject, Project
from generator.project.read import Image, read_project

IMAGE = Image("3.13", {"gunicorn": "27.0.1", "gevent": "26.9.0"})
NONE = Selection()
AT = Mark("web.yaml", 3, 5)
PYPROJECT = '[project]\nname = "x"\nversion = "1"\n'


def read(root: Path, files: Mapping[str, str | bytes], file: str, app: str = ".", select: Selection = NONE) -> Project:
    project, faults = read_with_faults(root, files, file, app, select)
    assert faults == []
    return project


def read_with_faults(
    root: Path, files: Mapping[str, str | bytes], file: str, app: str = ".", selection: Selection = NONE
) -> tuple[Project, list[str]]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    project, faults = read_project(root, file, app, selection, IMAGE, AT)
    return project, [str(fault) for fault in faults]


@pytest.mark.parametrize("included", [False, True])
def test_a_fifo_is_no_dependency_file(tmp_path: Path, included: bool) -> None:
    """Opening one would wait for whoever writes into it."""
    os.mkfifo(tmp_path / "fifo.txt")
    _, faults = read_with_faults(tmp_path, {"r.txt": "-r fifo.txt\n"}, "r.txt" if included else "fifo.txt")
    assert len(faults) == 1 and "fifo.txt: a fifo, not a file" in faults[0]


def test_an_ignore_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".dockerignore")
    with pytest.raises(KitError, match="a FIFO, not a file"):
        read(tmp_path, {"r.txt": ""}, "r.txt")


def test_files_that_name_files_are_followed_once(tmp_path: Path) -> None:
    files = {
        "requirements/prod.txt": "-r base.txt\n--constraint=../pins.txt # why\n-rbase.txt\n",
        "requirements/base.txt": "flask>=3 \\\n    --hash=sha256:00\n-r prod.txt\n",
        "pins.txt": "werkzeug==3.1.3\n",
    }
    project = read(tmp_path, files, "requirements/prod.txt", "web")
    assert set(project.files) == set(files)
    assert (project.kind, project.local, project.set_aside) == ("requirements", (), ())


def test_paths_are_those_of_the_first_folder_that_has_them_all(tmp_path: Path) -> None:
    files = {
        "requirements/prod.txt": "-e .[pg]  # here\n./libs/x\r\nwheels/y-1-py3-none-any.whl\n",
        "pyproject.toml": PYPROJECT,
        "libs/x/setup.py": "",
        "wheels/y-1-py3-none-any.whl": "",
    }
    project = read(tmp_path, files, "requirements/prod.txt")
    assert project.folder == "."
    assert project.local == (LocalProject(".", "[pg]", editable=True), LocalProject("libs/x"))
    assert project.set_aside == (("requirements/prod.txt", ("-e .[pg]  # here", "./libs/x")),)
    assert "wheels/y-1-py3-none-any.whl" in project.files


def test_what_else_the_lines_need_is_known(tmp_path: Path) -> None:
    text = "--extra-index-url https://ci:${TOKEN}@example.com/simple\nx @ git+https://example.com/x@v1\n-f wheels\n"
    (tmp_path / "wheels").mkdir()
    project = read(tmp_path, {"requirements.txt": text}, "requirements.txt")
    assert (project.needs_git, project.variables, project.folders) == (True, ("TOKEN",), ("wheels",))


def test_a_file_that_powershell_wrote_is_read(tmp_path: Path) -> None:
    read(
        tmp_path,
        {"requirements.txt": b"\xff\xfe" + "flask\r\n-c c.txt\r\n".encode("utf-16-le"), "c.txt": ""},
        "requirements.txt",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gunicorn==23.0.0", "gunicorn 27.0.1, the server's own, installed by its hash\n    do: remove the line"),
        ("gevent<26", "gevent 26.9.0, the server's own"),
        ("gunicorn @ https://example.com/g.whl", "gunicorn 27.0.1, the server's own"),
        ("-r missing.txt", "missing.txt: no such file or directory"),
        ("-r ../outside.txt", "docker build sends nothing else\n    do: move it into the project"),
        ("-e ../libs/x", "docker build sends nothing else"),
        ("-e ./libs/nothing", "libs/nothing is not\n    do: correct it"),
        ("./empty", "empty has neither pyproject.toml nor setup.py"),
        ("/home/me/x", "this one is of one machine"),
        ("x @ file:///home/me/x", "this one is of one machine"),
        ("git+ssh://git@example.com/x", "an address that needs no key"),
        ("hg+https://example.com/x", "a build has no hg"),
        ("-i https://me:hunter2@index.example/simple", "an address without a password"),
        ("--extra-index-url https://hunter2@index.example/simple", "an address without a password"),
        ("x @ git+https://me:hunter2@git.example/x", "an address without a password"),
        ("git+https://me:${TOKEN}x@git.example/x#egg=x", "an address without a password"),
        ("-r https://me:hunter2@files.example/r.txt", "an address without a password"),
        ("-i http://localhost:3141/simple", "there this one is the build's own container"),
        ("-f nowhere", "a folder that is there; nowhere is not"),
        ("flask==", "what pip reads: "),
        ("--user", "what pip reads: unrecognized arguments: --user"),
        ("flask -e .", "what pip reads: a requirement and -e in one line"),
        ("--index-url 'x", "what pip reads: No closing quotation"),
        ("./project ; python_version > '3'", "one line without a marker"),
    ],
)
def test_what_cannot_work_is_refused_with_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    files = {"requirements.txt": f"# first\n\n{line}\n", "project/pyproject.toml": PYPROJECT, "empty/x": ""}
    _, faults = read_with_faults(tmp_path, files, "requirements.txt")
    assert len(faults) == 1, faults
    assert faults[0].startswith("requirements.txt:3:1: app.requirements: ")
    assert message in faults[0]


@pytest.mark.parametrize(
    "line",
    [
        "gunicorn",
        "gunicorn>=20,<28",
        "Gunicorn[gevent]==27.0.1",
        "gunicorn==19 ; python_version < '3'",
        "gunicorn==19 ; sys_platform == 'win32'",
        "packaging==24.1",
        "meinheld==0.6",
        "https://example.com/x-1-py3-none-any.whl",
        "-r https://example.com/base.txt",
        "x==1 --hash=sha256:00 --hash=sha256:11",
        "x --config-settings a=b",
        "--pre --trusted-host example.com --no-binary :all:",
    ],
)
def test_what_works_is_let_pass(tmp_path: Path, line: str) -> None:
    read(tmp_path, {"requirements.txt": line}, "requirements.txt")


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    _, faults = read_with_faults(tmp_path, {"r.txt": "-i https://me:hunter2@index.example/simple\n"}, "r.txt")
    assert "hunter2" not in faults[0] and "https://…@index.example/simple" in faults[0]


def test_a_lock_beside_pyproject_is_used(tmp_path: Path) -> None:
    lock = (
        '[[package]]\nname = "x"\nsource = { editable = "." }\n[[package]]\nname = "y"\nsource = { directory = "y" }\n'
    )
    system = "[build-system]\nrequires = []\n"
    project = read(tmp_path, {"a/pyproject.toml": PYPROJECT + system, "a/uv.lock": lock}, "a/pyproject.toml", "a")
    assert (project.kind, project.file, project.folder) == ("uv", "a/uv.lock", "a")
    assert project.local == (LocalProject("a", editable=True), LocalProject("a/y"))


def test_a_project_without_a_build_backend_is_not_installed(tmp_path: Path) -> None:
    project = read(tmp_path, {"pyproject.toml": PYPROJECT}, "pyproject.toml")
    assert (project.local, project.static) == ((), True)


@pytest.mark.parametrize(
    ("files", "file", "selection", "message"),
    [
        ({"pyproject.toml": PYPROJECT}, "pyproject.toml", {"extras": ("pg",)}, "extras that pyproject.toml has: none"),
        ({"pyproject.toml": "[project"}, "pyproject.toml", {}, "TOML (pyproject.toml: "),
        ({"uv.lock": ""}, "uv.lock", {}, "a lock beside its pyproject.toml"),
        ({"Pipfile": ""}, "Pipfile", {}, "do: name Pipfile.lock"),
        ({"Pipfile.lock": "[]"}, "Pipfile.lock", {}, "a file that its tool wrote"),
        ({"r.txt": ""}, "r.txt", {"groups": ("x",)}, "no app.extras and app.groups beside a requirements file"),
        ({}, "r.txt", {}, "r.txt: no such file or directory"),
    ],
)
def test_what_is_wrong_with_a_file_is_reported_at_the_profiles_line(
    tmp_path: Path, files: Mapping[str, str | bytes], file: str, selection: dict[str, tuple[str, ...]], message: str
) -> None:
    _, faults = read_with_faults(tmp_path, files, file, selection=Selection(**selection))
    assert len(faults) == 1 and faults[0].startswith("web.yaml:3:5: app.requirements: ") and message in faults[0]


def test_a_pin_of_the_server_in_pyproject_is_reported_there(tmp_path: Path) -> None:
    text = PYPROJECT + 'dependencies = [\n  "flask",\n  "gunicorn<24",\n]\n'
    _, faults = read_with_faults(tmp_path, {"pyproject.toml": text}, "pyproject.toml")
    assert [fault.partition(" ")[0] for fault in faults] == ["pyproject.toml:6:1:"]


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "r.txt").symlink_to("../secret")
    _, faults = read_with_faults(root, {}, "r.txt")
    assert "leads outside by a link" in faults[0]


def test_a_chain_of_thousands_of_files_is_refused(tmp_path: Path) -> None:
    files = {f"r{number}.txt": f"-r r{number + 1}.txt\n" for number in range(3000)}
    _, faults = read_with_faults(tmp_path, {**files, "r3000.txt": "flask\n"}, "r0.txt")
    assert len(faults) == 1 and "at most 200 files that name one another" in faults[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "a = " + "[" * 5000),
        ("pyproject.toml", "project = [1]\n"),
        ("pyproject.toml", "project = {dependencies = {a = 1}, dynamic = 3}\ntool = 4\n"),
        ("pyproject.toml", "[project]\n[tool]\nuv = [1]\npoetry = 'x'\n"),
        ("Pipfile.lock", "[" * 100_000),
        ("Pipfile.lock", '{"default": [1]}'),
        ("Pipfile.lock", '{"default": {"a": 3}}'),
    ],
)
def test_what_no_tool_wrote_is_a_fault(tmp_path: Path, file: str, text: str) -> None:
    _, faults = read_with_faults(tmp_path, {file: text}, file)
    assert len(faults) == 1 and "app.requirements" in faults[0]


SECRET = "https://me:hunter2@h/simple"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", f'{PYPROJECT}dependencies = ["x @ {SECRET}"]\n'),
        ("pyproject.toml", f'{PYPROJECT}dependencies = []\n[[tool.uv.index]]\nurl = "{SECRET}"\n'),
        ("pyproject.toml", f"{PYPROJECT}dependencies = []\n# was {SECRET}\n"),
        ("pyproject.toml", f'{PYPROJECT}dependencies = ["x @ git+https://token@h/x.git"]\n'),
        ("Pipfile.lock", f'{{"_meta": {{"sources": [{{"url": "{SECRET}"}}]}}, "default": {{}}}}'),
    ],
)
def test_a_password_in_any_file_of_the_build_is_refused(tmp_path: Path, file: str, text: str) -> None:
    _, faults = read_with_faults(tmp_path, {file: text}, file)
    assert len(faults) == 1 and "an address without a password" in faults[0]
    assert "hunter2" not in faults[0] and "token@" not in faults[0]


def test_a_variable_in_an_address_is_no_password(tmp_path: Path) -> None:
    lock = '{"_meta": {"sources": [{"url": "https://${USER}:${TOKEN}@h/simple"}]}, "default": {}}'
    assert read(tmp_path, {"Pipfile.lock": lock}, "Pipfile.lock").kind == "pipenv"


def test_no_part_of_a_password_is_repeated(tmp_path: Path) -> None:
    _, faults = read_with_faults(tmp_path, {"r.txt": "--index-url https://me:hun@ter2@h/simple\n"}, "r.txt")
    assert len(faults) == 1 and "hun" not in faults[0] and "ter2" not in faults[0]
