"""The pipe runs one way: packages import only what stands to the left of them, and two import nothing of ours."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.fast_support import ROOT

PACKAGE = ROOT / "generator"
#: What each package of the pipe may import, beside itself; a package that is not named here does not exist.
#: `runtime.sizing` is arithmetic that the images run too; nothing else of the runtime is imported by the generator.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "version": set(),
    "profile": {"errors", "runtime.sizing"},
    "servers": {"errors", "runtime.sizing", "profile"},
    "containers": {"errors"},
    "output": {"errors", "files"},
    "project": {"errors", "files"},
    "plan": {"errors", "project", "version", "runtime", "runtime.sizing", "profile", "servers"},
    "rules": {"errors", "runtime.sizing", "profile", "servers", "plan"},  # and not plan.plan: see below
    "render": {"errors", "runtime.sizing", "profile", "plan"},
    "verify": {"errors", "profile"},
    "pipeline": {"errors", "files", "project", "profile", "servers", "plan", "rules"},
    "audit": {"errors", "profile", "servers"},
    # It reads a project's dependency files as the build will, Procfiles and settings as audit does, and asks the pipe
    # whether the profile that it proposes can be planned.
    "starting": {"errors", "files", "project", "profile", "servers", "plan", "pipeline", "audit"},
    # The profile that does what was found: planned, rendered and audited before it is written.
    "importing": {"errors", "profile", "servers", "plan", "render", "audit", "starting"},
    "docs": {"errors", "runtime.sizing", "project", "profile", "servers", "plan", "pipeline", "output", "audit"},
    # Charts and tables of a plan and of plain values; what was measured is put into them by proof and tune.
    "pages": {"errors", "runtime.sizing", "plan", "render"},
    "proof": {
        "errors",
        "files",
        "runtime.sizing",
        "load_client",
        "profile",
        "servers",
        "plan",
        "pipeline",
        "pages",
        "render",
        "containers",
        "docs",
    },
    # The experiment runs on prove's stage, with its load client, request and copied configuration.
    "tune": {
        "files",
        "errors",
        "runtime.sizing",
        "load_client",
        "profile",
        "servers",
        "plan",
        "pipeline",
        "containers",
        "pages",
        "proof",
    },
    "cli": {
        "errors",
        "files",
        "version",
        "profile",
        "servers",
        "plan",
        "pipeline",
        "render",
        "verify",
        "output",
        "docs",
        "pages",
        "proof",
        "tune",
        "audit",
        "starting",
        "importing",
    },
    "__main__": {"cli"},
    "load_client": set(),
    "runtime": set(),
}
#: What a folder of the runtime may import besides the standard library: what is installed where it runs.
RUNTIME_NEEDS = {
    "": set(),
    "workers": {"gunicorn", "gevent", "meinheld", "eventlet"},
    "pywsgi": {"gevent", "gunicorn"},
    "development": {"werkzeug", "flask"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """The module's name below generator, without the `__init__` of a package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def room(name: str) -> str:
    """The package, or module at the top, that a dotted name below generator belongs to."""
    return "runtime.sizing" if name == "runtime.sizing" else name.partition(".")[0]


def imports(path: Path, package: str) -> Iterator[str]:
    """Dotted names of all imported modules, wherever they stand; our own by their full name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            folder = ROOT.joinpath(*module.split("."))
            for alias in node.names:
                yield f"{module}.{alias.name}" if (folder / f"{alias.name}.py").exists() else module


def ours(path: Path) -> set[str]:
    """What a module of the generator imports of the generator, below it."""
    package = ".".join(["generator", *path.relative_to(PACKAGE).parts[:-1]])
    found = {name for name in imports(path, package) if name == "generator" or name.startswith("generator.")}
    return {name.removeprefix("generator").removeprefix(".") for name in found}


@pytest.mark.parametrize("path", [path for path in MODULES if path != PACKAGE / "__init__.py"], ids=dotted)
def test_packages_import_only_what_stands_before_them(path: Path) -> None:
    own = room(dotted(path)).partition(".")[0]
    foreign = {room(name) for name in ours(path)} - {own, "runtime.sizing" if own == "runtime" else own}
    assert foreign <= MAY_IMPORT[own]


def test_rules_judge_numbers_and_make_none() -> None:
    inner = {name for path in (PACKAGE / "rules").glob("*.py") for name in ours(path)}
    assert not inner & {"plan.plan", "plan.numbers"}
    assert not {name for name in inner if name.startswith("render")}


def test_the_table_names_every_package_and_has_no_circle() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == MAY_IMPORT.keys()
    done: set[str] = {"runtime.sizing"}
    while ready := {name for name, needs in MAY_IMPORT.items() if name not in done and needs <= done}:
        done |= ready
    assert MAY_IMPORT.keys() - done == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {dotted(path): ours(path) for path in MODULES}
    done: set[str] = set()
    while ready := {
        name for name, needs in graph.items() if name not in done and needs & graph.keys() <= done | {name}
    }:
        done |= ready
    assert graph.keys() - done == set()


@pytest.mark.parametrize("path", sorted((PACKAGE / "runtime").rglob("*.py")), ids=dotted)
def test_the_runtime_needs_only_the_server_of_its_folder(path: Path) -> None:
    inside = path.relative_to(PACKAGE / "runtime").parts[:-1]
    package = ".".join(["generator", "runtime", *inside])
    foreign = {name.split(".")[0] for name in imports(path, package)} - sys.stdlib_module_names - {"generator"}
    allowed = RUNTIME_NEEDS[inside[0] if inside else ""]
    if path.parent.name == "workers" and path.stem in ("gevent", "gthread", "meinheld", "sync", "eventlet"):
        allowed = {"gunicorn", path.stem} & allowed
    assert foreign <= allowed


@pytest.mark.parametrize("name", ["boot", "health", "limits", "report", "sizing"])
def test_what_every_image_runs_imports_no_server_through_another_module(name: str) -> None:
    inner = ours(PACKAGE / "runtime" / f"{name}.py")
    assert not {one for one in inner if one.split(".")[1:2] and one.split(".")[1] in RUNTIME_NEEDS}
    assert name != "sizing" or inner == set()


def test_the_generator_imports_only_what_its_requirements_install() -> None:
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    distributions = packages_distributions()
    for path in MODULES:
        if room(dotted(path)) == "runtime" or dotted(path) == "servers.lock":  # in images; for development
            continue
        package = ".".join(["generator", *path.relative_to(PACKAGE).parts[:-1]])
        found = {name.split(".")[0] for name in imports(path, package)} - sys.stdlib_module_names - {"generator"}
        found -= {"vl_convert"} if dotted(path) == "pages.draw" else set()  # an extra, imported where it is used
        assert all(set(map(_normal, distributions[name])) & set(map(_normal, locked)) for name in found), path.name


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_walk_sees_relative_and_inner_imports(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import os.path\nfrom .profile import load\nfrom .runtime import one, sizing\ndef f():\n  from .. import x\n"
    )
    assert list(imports(module, "generator")) == [
        "os.path",
        "generator.profile.load",
        "generator.runtime",
        "generator.runtime.sizing",
        "",
    ]
