"""Whatever text stands in any field of a profile: every generated file keeps the shape that it has for a plain value.

The fields come from the table of settings and their variants from the fields' own examples, so a new field is covered
as soon as it is defined. The shape is what parsers see that are not ours: crossplane (nginx), PyYAML with Compose's
rules for variables, Python's ast, and Docker's own way to read lines.
"""

from __future__ import annotations

import ast
import ipaddress
import json
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import crossplane  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.errors import ProfileError
from generator.plan.plan import Plan
from generator.profile.records import all_settings
from generator.profile.schema import Profile
from generator.render.render import render
from generator.verify.files import verify
from tests.fast_support import HOSTILE_STRINGS, MINIMAL, UNWRITABLE_STRINGS, assignments, instructions, plan_of

#: Profiles in which between them every field may be set.
BASES = {
    "all of Kubernetes": MINIMAL + "kubernetes: {namespace: shop, proxy: true, allowed_namespaces: [edge], "
    "metrics: prometheus, metrics_image: 'r.example/exporter:1', "
    "route: {kind: ingress, host: a.example, class_name: nginx, tls_secret: cert}}\n",
    "a route of the gateway": MINIMAL.replace("gevent", "sync").replace("memory: 512Mi", "memory: 2Gi")
    + "workers: 8\nproxy: true\n"
    "kubernetes: {allowed_namespaces: [edge], "
    "route: {kind: httproute, host: a.example, gateway: edge, gateway_namespace: net}}\n",
    "a server of its own": MINIMAL.replace("gevent", "pywsgi"),
    "development": MINIMAL.replace("gevent", "flask"),
}
#: Fields whose text decides what the files look like, with the reason; their own tests compare values.
DECIDES = {
    "server": "a server's name chooses templates",
    "kubernetes.patches": "a patch is there to change the manifest",
}
#: Settings of gunicorn with text in them: the section's example has none.
MORE_EXAMPLES = {
    "gunicorn": (
        "{dogstatsd_tags: a}",
        "{dirty_apps: [a]}",
        "{secure_scheme_headers: {A: b}}",
        "{logconfig_dict: {a: b}}",
    )
}
#: What ends a word, a line, a directive or a string in one of the files.
SPLICES = (
    *"\n\r\0\t ;{}#'\"\\$%,:&*!|>@`-",
    "; y z",
    "} server {",
    "%x; y z",
    " #",
    "${X}",
    "$(X)",
    "{{ x }}",
    "\n- x",
)
SPLICES += ("\n---\n", ": ", "'''", '"""', "\\\n", " RUN id", "<<EOF", "\u2028", "\x85", "/255.0.0.0", "/..", "\u0660")

#: Whole values that a parser of ours may take for good and a consumer reads otherwise; each is tried in every field.
WHOLE: tuple[str, ...] = (
    "fe80::1%x; y z",
    "::1%0",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/0.0.0.255",
    "::ffff:10.0.0.1",
    "1.2.3.4 1;",
    "010.0.0.1",
)
WHOLE += (
    "//",
    "/.",
    "/a/../b",
    "/%0a",
    "/a;b",
    "/$uri",
    "a:b",
    "a@b",
    "import os;",
    "0",
    "-1",
    "~",
    "*",
    "*.a",
    ".",
    "..",
)


class Key(str):
    """A mapping's name as it stands in an example: its variants replace the name."""


def variants(example: Any, schema: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    """(how the value looks with None in the text's place, the plain text there, the schema of that text)."""
    if isinstance(example, dict):
        yield from _variants_of_mapping(example, _option(schema, "object"))
    elif isinstance(example, list):
        items = _option(schema, "array").get("items", {})
        for number, inner in enumerate(example):
            for form, plain, leaf in variants(inner, items):
                yield [*example[:number], form, *example[number + 1 :]], plain, leaf
    elif _is_text(schema) and not (example.isdigit() and not schema):
        yield None, str(example), schema


def _variants_of_mapping(example: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    properties, values = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in example.items():
        for form, plain, leaf in variants(inner, properties.get(name) or values or {}):
            yield {**example, name: form}, plain, leaf
        if "propertyNames" in schema:
            yield {Key(name): inner}, name, schema["propertyNames"]
    required = {name: example[name] for name in schema.get("required", ()) if name in example}
    for name, inner_schema in properties.items():
        if name not in example and _is_text(inner_schema):
            pattern = next((one["pattern"] for one in _options(inner_schema) if "pattern" in one), "")
            plain = next(text for text in ("web", "/data") if re.search(pattern, text))
            yield {**required, name: None}, plain, inner_schema


def _options(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [schema, *schema.get("anyOf", [])]


def _option(schema: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((one for one in _options(schema) if one.get("type") == kind), {})


def _is_text(schema: Mapping[str, Any]) -> bool:
    """Whether a field takes text: no words of a list, numbers, quantities or booleans. No schema takes anything."""
    options = _options(schema)
    if any("enum" in one or one.get("type") in ("integer", "number") for one in options):
        return False
    kinds = [one["type"] for one in options if "type" in one]
    return not kinds or any("string" in kind for kind in kinds)


def cases() -> Iterator[Any]:
    for path, one in all_settings(Profile):
        if path in DECIDES:
            continue
        for example in (one.type.example, *MORE_EXAMPLES.get(path, ())):
            for number, found in enumerate(variants(yaml.load(example, yaml.BaseLoader), one.type.schema)):
                yield pytest.param(path, *found, id=f"{path} {number} {example[:30]}")


def override(path: str, form: Any, text: str) -> str:
    return f"{path}={_written(form, text)}"


def _written(form: Any, text: str) -> str:
    """As YAML that any parser reads back; JSON is, but for what it may leave unescaped."""
    if form is None:
        return json.dumps(text)
    if isinstance(form, dict):
        pairs = (f"{_written(None if isinstance(n, Key) else n, text)}: {_written(v, text)}" for n, v in form.items())
        return "{" + ", ".join(pairs) + "}"
    return "[" + ", ".join(_written(item, text) for item in form) + "]" if isinstance(form, list) else str(form)


def shape(plan: Plan, folder: Path) -> dict[str, Any]:
    """What parsers see in each file: names and numbers of things, no values."""
    found: dict[str, Any] = {}
    for path, text in render(plan).items():
        name = path.rpartition("/")[2]
        if name == "nginx.conf":
            found[name] = nginx_shape(text, folder / name, len(plan.proxy.trusted))
        elif name == "compose.yaml":
            found[name] = yaml_shape(yaml.safe_load(text), variables=True)
        elif path == plan.manifest:
            found["manifest"] = [yaml_shape(one) for one in yaml.safe_load_all(text)]
            proxies = [o["data"]["nginx.conf"] for o in yaml.safe_load_all(text) if "nginx.conf" in o.get("data", {})]
            found["sidecar"] = [nginx_shape(one, folder / name, len(plan.proxy.trusted)) for one in proxies]
        elif name == "Dockerfile":
            found[name] = [dockerfile_shape(word, rest) for word, rest in instructions(text)]
        elif name.endswith(".py"):
            found[name] = python_shape(ast.parse(text))
        else:
            found[name] = len(re.split(r"[\n\r]", text))
    return found


def nginx_shape(text: str, file: Path, peers: int) -> Any:
    """Directives, how many words each has, and those in its block."""
    file.write_text(text, encoding="utf-8", newline="")
    parsed = crossplane.parse(str(file), single=True)
    assert parsed["errors"] == [] and parsed["status"] == "ok"
    (config,) = parsed["config"]
    real = [one for one in config["parsed"][-1]["block"] if one["directive"] == "set_real_ip_from"]
    assert len(real) == peers
    assert all(_is_peer(one["args"][0]) for one in real)
    geo = [one for block in config["parsed"][-1]["block"] if block["directive"] == "geo" for one in block["block"]]
    assert all(one["directive"] == "default" or _is_peer(one["directive"]) for one in geo)

    def walk(block: list[dict[str, Any]]) -> Any:
        # Peers are as many as the profile names; in geo each of them is a directive of nginx's grammar.
        kept = [one for one in block if one["directive"] != "set_real_ip_from" and not _is_peer(one["directive"])]
        return [(one["directive"], len(one["args"]), walk(one.get("block", []))) for one in kept]

    return walk(config["parsed"])


def _is_peer(word: str) -> bool:
    """An address or a network as nginx reads it: prefix lengths, no masks and no scopes."""
    try:
        return ipaddress.ip_network(word) is not None and re.fullmatch(r"[0-9a-f.:]+(/[0-9]{1,3})?", word) is not None
    except ValueError:
        return False


def yaml_shape(value: Any, variables: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: yaml_shape(item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [yaml_shape(item, variables) for item in value]
    if variables and isinstance(value, str):
        rest = value.replace("$$", "")
        names = re.findall(r"\$\{([A-Z_]+):-[^{}$]*\}", rest)
        assert rest.count("$") == len(names), value
        return names
    return type(value).__name__


def dockerfile_shape(word: str, rest: str) -> Any:
    """An instruction and how many words or names it has; of a shell's command line, what is no word, too."""
    if word in ("ENV", "LABEL"):
        return word, len(assignments(rest))
    if rest.startswith("["):
        return word, len(json.loads(rest))
    if word != "RUN":
        return word, len(rest.split())
    assert "<<" not in shlex.split(rest), "a here-document"
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    tokens = [token if re.fullmatch(r"[();<>|&]+", token) else "word" for token in lexer]
    outside = re.sub(r"'[^']*'", "", rest)
    return word, tokens, outside.count("$"), outside.count("`")


def python_shape(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return ast.dump(tree)


@cache
def plain_shape(base: str, written: str) -> Any:
    """The shape with a plain value; None where this base refuses it."""
    try:
        plan = plan_of("", written, base=BASES[base])
    except ProfileError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return shape(plan, Path(folder))


@pytest.mark.parametrize(("path", "form", "plain", "leaf"), list(cases()))
@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_text_changes_the_shape_of_a_file(
    path: str, form: Any, plain: str, leaf: Mapping[str, Any], data: st.DataObject, tmp_path: Path
) -> None:
    texts = st.sampled_from(HOSTILE_STRINGS + UNWRITABLE_STRINGS) | st.text(st.characters(codec="utf-8"), max_size=40)
    spliced = st.builds(
        lambda at, splice: plain[:at] + splice + plain[at:], st.integers(0, len(plain)), st.sampled_from(SPLICES)
    )
    texts |= spliced
    for one in _options(leaf):
        if "pattern" in one:
            texts |= st.from_regex(one["pattern"], fullmatch=True)
    refused_or_of_this_shape(path, form, plain, data.draw(texts), tmp_path)


@pytest.mark.parametrize(("path", "form", "plain", "leaf"), list(cases()))
def test_no_whole_value_changes_it(path: str, form: Any, plain: str, leaf: Mapping[str, Any], tmp_path: Path) -> None:
    for text in WHOLE:
        refused_or_of_this_shape(path, form, plain, text, tmp_path)


def refused_or_of_this_shape(path: str, form: Any, plain: str, text: str, tmp_path: Path) -> None:
    for base, lines in BASES.items():
        if (expected := plain_shape(base, override(path, form, plain))) is None:
            continue
        try:
            plan = plan_of("", override(path, form, text), base=lines)
        except ProfileError:
            continue
        if plan.profile.app.path == ".":
            continue  # the whole context: its ignore file has another form by purpose
        verify(render(plan))
        assert shape(plan, tmp_path) == expected


@pytest.mark.parametrize(("path", "form", "plain", "leaf"), list(cases()))
def test_each_field_can_be_set_in_one_of_the_profiles(
    path: str, form: Any, plain: str, leaf: Mapping[str, Any]
) -> None:
    """Else the test above looks at refusals only."""
    assert any(plain_shape(base, override(path, form, plain)) is not None for base in BASES), override(
        path, form, plain
    )


def test_every_reason_belongs_to_a_field() -> None:
    assert {*DECIDES, *MORE_EXAMPLES} <= {path for path, _ in all_settings(Profile)}
