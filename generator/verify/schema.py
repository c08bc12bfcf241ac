"""The API server's own schemas, strict, for each Kubernetes minor asked for: every error of every document.

The bundled schema files are megabytes of prose, and jsonschema takes milliseconds a document. So what the kit's kinds
need of them is compiled to Python once and kept in build/ (by content), which also says quickly that a document is
good; only one that is not goes through jsonschema, which lists all errors.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

CACHE = Path(__file__).resolve().parents[2] / "build" / "schemas"
#: Definition of each kind that the templates may write; HTTPRoute has none here (verify_route.py has its rules).
KINDS: Mapping[tuple[str, str], str] = {
    ("v1", "ConfigMap"): "io.k8s.api.core.v1.ConfigMap",
    ("v1", "Namespace"): "io.k8s.api.core.v1.Namespace",
    ("v1", "Service"): "io.k8s.api.core.v1.Service",
    ("v1", "ServiceAccount"): "io.k8s.api.core.v1.ServiceAccount",
    ("apps/v1", "Deployment"): "io.k8s.api.apps.v1.Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    ("networking.k8s.io/v1", "Ingress"): "io.k8s.api.networking.v1.Ingress",
    ("networking.k8s.io/v1", "NetworkPolicy"): "io.k8s.api.networking.v1.NetworkPolicy",
    ("policy/v1", "PodDisruptionBudget"): "io.k8s.api.policy.v1.PodDisruptionBudget",
}
#: What jsonschema judges by; prose and Kubernetes' own extensions only make it slow.
_KEYWORDS = ("$ref", "additionalProperties", "enum", "items", "oneOf", "properties", "required", "type")


def schema_problems(document: Mapping[str, Any], minors: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(field, message) for each error of one API object under each of the Kubernetes minors."""
    kind = (str(document["apiVersion"]), str(document["kind"]))
    if kind not in KINDS:
        yield "apiVersion", f"Kubernetes {minors[-1]} has no {kind[1]} in {kind[0]} that the kit may write"
        return
    told = set()
    for minor in minors:
        if is_valid(minor)(kind, document):
            continue
        for error in _validator(minor, kind).iter_errors(document):
            field = ".".join(str(step) for step in error.absolute_path)
            if (field, error.message) not in told:
                told.add((field, error.message))
                yield field, f"{error.message[:300]} (schema of Kubernetes {minor})"


def bundled_minors() -> tuple[str, ...]:
    """The Kubernetes minors that the installed schemas know, oldest first."""
    names = (path.name for path in _bundle().glob("v1.*.0-local-strict"))
    return tuple(f"1.{number}" for number in sorted(int(name.split(".")[1]) for name in names))


@cache
def is_valid(minor: str) -> Callable[[tuple[str, str], Any], bool]:
    """A quick yes or no for (apiVersion, kind) and document, from the compiled schemas of one minor."""
    module = _compiled(minor)
    refused = module["JsonSchemaValueException"]

    def ask(kind: tuple[str, str], document: Any) -> bool:
        try:
            module["validate"]({KINDS[kind]: document})
        except refused:
            return False
        return True

    return ask


@cache
def _bundle() -> Path:
    # Found without importing it: its import alone costs more than the whole stage.
    spec = importlib.util.find_spec("kubernetes_validate")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema"


@cache
def _definitions_text(minor: str) -> bytes:
    return (_bundle() / f"v{minor}.0-local-strict" / "_definitions.json").read_bytes()


@cache
def _trimmed(minor: str) -> dict[str, Any]:
    """One schema for ``{definition's name: object}``, with only what the kit's kinds reach."""
    everything = json.loads(_definitions_text(minor))["$defs"]
    wanted, definitions = list(KINDS.values()), {}
    while wanted:
        name = wanted.pop()
        if name not in definitions:
            definitions[name] = _lean(everything[name], wanted)
    roots = {name: {"$ref": f"#/definitions/{name}"} for name in KINDS.values()}
    return {"definitions": definitions, "type": "object", "properties": roots}


def _lean(schema: Any, found: list[str]) -> Any:
    """The schema without prose; adds the names of the definitions that it refers to."""
    if not isinstance(schema, dict):
        return schema
    lean: dict[str, Any] = {}
    for word in sorted(schema.keys() & set(_KEYWORDS)):
        value = schema[word]
        if word == "$ref":
            found.append(value.rpartition("/")[2])
            value = f"#/definitions/{found[-1]}"
        elif word == "properties":
            value = {name: _lean(item, found) for name, item in value.items()}
        elif word == "oneOf":
            value = [_lean(item, found) for item in value]
        elif word in ("additionalProperties", "items"):
            value = _lean(value, found)
        lean[word] = value
    return lean


@cache
def _validator(minor: str, kind: tuple[str, str]) -> Any:
    from jsonschema import Draft7Validator

    trimmed = _trimmed(minor)
    return Draft7Validator({"$ref": f"#/definitions/{KINDS[kind]}", "definitions": trimmed["definitions"]})


def _compiled(minor: str) -> dict[str, Any]:
    """The compiled module's names, from build/ where it is there already, else made now and kept."""
    key = sha256(_definitions_text(minor) + Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:20]
    kept = CACHE / f"{minor}-{key}.pyc"
    try:
        return _load(kept)
    except (OSError, EOFError, ValueError, TypeError, ImportError):
        return _compile(minor, kept)


def _load(path: Path) -> dict[str, Any]:
    code = importlib.machinery.SourcelessFileLoader("kit_schemas", str(path)).get_code("kit_schemas")
    assert code is not None
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 (our own, made from the schemas in _compile)
    return names


def _compile(minor: str, path: Path) -> dict[str, Any]:
    import fastjsonschema

    source = fastjsonschema.compile_to_code(_trimmed(minor), use_default=False, detailed_exceptions=False)
    names: dict[str, Any] = {}
    exec(compile(source, f"<schemas of Kubernetes {minor}>", "exec"), names)  # noqa: S102
    with contextlib.suppress(OSError):  # a checkout that cannot be written only costs time
        _keep(source, path)
    return names


def _keep(source: str, path: Path) -> None:
    import py_compile
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        (Path(folder) / "schemas.py").write_text(source, encoding="utf-8")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(f"{folder}/schemas.py", str(made), dfile="schemas", doraise=True, invalidation_mode=mode)
        made.replace(path)
