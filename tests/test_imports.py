"""The pipe runs one way: imports lead only to earlier stages, the runtime stands alone, and modules stay small."""

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
RUNTIME = PACKAGE / "runtime"
#: The order of the pipe; a module may import from the ones before it.
ORDER = (
    "errors",
    "source",
    "fields",
    "gunicorn_settings",
    "profile",
    "load",
    "runtime.sizing",
    "servers",
    "words",
    "plan",
    "check",
    "render",
    "verify",
    "write",
    "explain",
    "docs",
    "__main__",
)
#: What the runtime may import besides the standard library, in modules that only run where it is installed.
GUNICORN_ONLY = ("gunicorn_config", "gunicorn_response", "access_log")
SERVERS = {
    "gevent": {"gevent", "gunicorn"},
    "gthread": {"gunicorn"},
    "pywsgi": {"gevent"},
    "meinheld": {"meinheld", "gunicorn"},
}
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 220, 45
MODULES = sorted(PACKAGE.glob("*.py"))
RUNTIME_MODULES = sorted(RUNTIME.glob("*.py"))


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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_lead_only_to_earlier_stages(path: Path) -> None:
    inside = {name.removeprefix("generator.") for name in imports(path, "generator") if name.startswith("generator.")}
    ours = {name for name in inside if name in ORDER}
    if path.stem in ORDER:
        later = set(ORDER[ORDER.index(path.stem) :])
        assert ours & later == set()
    assert not {name for name in inside if name in ("__main__", "docs")} or path.stem in ("docs", "__main__")


def test_every_stage_exists() -> None:
    assert [name for name in ORDER if not (PACKAGE / f"{name.replace('.', '/')}.py").exists()] == []


def test_nothing_circles() -> None:
    """Modules that are no stage of their own stand anywhere, as long as no import leads back."""
    graph = {
        path.stem: {name.split(".")[1] for name in imports(path, "generator") if name.startswith("generator.")}
        for path in MODULES
    }
    done: set[str] = set()
    while ready := {name for name, needs in graph.items() if name not in done and needs & graph.keys() <= done}:
        done |= ready
    assert graph.keys() - done == set()


def test_the_generator_imports_of_the_runtime_only_what_runs_without_a_server() -> None:
    for path in MODULES:
        found = {name for name in imports(path, "generator") if name.startswith("generator.runtime")}
        assert found <= {"generator.runtime", "generator.runtime.sizing"}, path.name


@pytest.mark.parametrize("path", RUNTIME_MODULES, ids=lambda path: path.stem)
def test_the_runtime_needs_nothing_but_the_server_that_a_module_is_named_after(path: Path) -> None:
    names = set(imports(path, "generator.runtime"))
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"generator"}
    allowed = {"gunicorn"} if path.stem in GUNICORN_ONLY else SERVERS.get(path.stem.split("_")[0], set())
    if path.stem.startswith("flask"):
        allowed = {"werkzeug", "flask", "gunicorn"}
    assert foreign <= allowed
    assert all(name.startswith("generator.runtime") for name in names if name.startswith("generator"))


@pytest.mark.parametrize("name", ["boot", "cgroup", "health", "report", "sizing"])
def test_what_every_image_runs_imports_no_server_through_another_module(name: str) -> None:
    found = {one for one in imports(RUNTIME / f"{name}.py", "generator.runtime") if one.startswith("generator")}
    if name == "sizing":
        assert found == set()
    inner = {one.removeprefix("generator.runtime.") for one in found} - {"generator.runtime"}
    assert not inner & set(GUNICORN_ONLY)
    assert not [one for one in inner if one.split("_")[0] in SERVERS]


def test_the_generator_imports_only_what_its_requirements_install() -> None:
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    distributions = packages_distributions()
    for path in MODULES:
        found = {name.split(".")[0] for name in imports(path, "generator")} - sys.stdlib_module_names - {"generator"}
        if path.stem != "pins":  # `make pins` is for development
            assert all(set(map(_normal, distributions[name])) & set(map(_normal, locked)) for name in found), path.name


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("path", [*MODULES, *RUNTIME_MODULES], ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    }
    assert long == {}
    facts = path.stem in ("servers", "seed", "profile", "fields")
    assert facts or text.count("\n") <= MAX_MODULE_LINES


def test_the_walk_sees_relative_and_inner_imports(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import os.path\nfrom . import load\nfrom .runtime import VERSION, sizing\ndef f():\n  from .. import x\n"
    )
    assert list(imports(module, "generator")) == [
        "os.path",
        "generator.load",
        "generator.runtime",
        "generator.runtime.sizing",
        "",
    ]
