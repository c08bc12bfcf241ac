"""Whatever text stands in any field of a profile: every generated file keeps the shape that it has for a plain value.

The fields come from the table of settings and the places of text in them from the fields' own examples, so a new field
is covered as soon as it is defined. The shape is what parsers see that are not ours: crossplane (nginx), PyYAML with
Compose's rules for variables, Python's ast, and Docker's own way to read lines.
"""

from __future__ import annotations

import ast
import ipaddress
import json
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import crossplane  # type: ignore[import-untyped]
import pytest
import yaml

from generator.errors import ProfileError
from generator.plan.plan import Plan
from generator.profile.document import parse_value
from generator.profile.field_types import FieldType
from generator.profile.records import all_settings
from generator.profile.schema import Profile
from generator.render.render import render
from generator.verify.files import verify
from tests.fast_support import HOSTILE_STRINGS, MINIMAL, UNWRITABLE_STRINGS, assignments, instructions, plan_of

#: Profiles in which between them every field may be set.
BASES = {
    "all of Kubernetes": MINIMAL
    + "kubernetes: {namespace: shop, proxy: true, allowed_cidrs: [{cidr: 10.0.0.0/8, proxy: true}], "
    "metrics: prometheus, metrics_image: 'r.example/exporter:1', "
    "route: {kind: ingress, host: a.example, class_name: nginx, tls_secret: cert}}\n",
    "a route of the gateway": MINIMAL.replace("gevent", "sync").replace("memory: 512Mi", "memory: 2Gi")
    + "workers: 8\nproxy: true\nforwarded_allow_ips: 10.244.0.0/16\n"
    "kubernetes: {allowed_namespaces: [edge], "
    "route: {kind: httproute, host: a.example, gateway: edge, gateway_namespace: net}}\n",
    "a server of its own": MINIMAL.replace("gevent", "pywsgi") + "kubernetes: {replicas: 1}\n",
    "development": MINIMAL.replace("gevent", "flask") + "env: {GREETING: hello}\n",
}
#: Fields whose text decides what the files look like, with the reason; their own tests compare values.
DECIDES = {
    "server": "a server's name chooses templates",
    "kubernetes.patches": "a patch is there to change the manifest",
}
#: The whole context as the app: its ignore file has another form by purpose.
OTHER_FORM = {("app.path", ".")}
#: Settings of gunicorn with text in them: the section's example has none.
GUNICORN: Any = {
    "dogstatsd_tags": None,
    "dirty_apps": [None],
    "secure_scheme_headers": {"A": None},
    "logconfig_dict": {"a": None},
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


#: The profile that all hostile texts are tried in; each other one has every fourth, since most templates are shared.
ALL_TEXTS = "all of Kubernetes"
#: libyaml's parser where there is one: it is many times faster.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Key(str):
    """A mapping's name as it stands in an example: its variants replace the name."""


def variants(example: Any, schema: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """(how the value looks with None in the text's place, the plain text there)."""
    if isinstance(example, dict):
        yield from _variants_of_mapping(example, _option(schema, "object"))
    elif isinstance(example, list):
        items = _option(schema, "array").get("items", {})
        for number, inner in enumerate(example):
            for form, plain in variants(inner, items):
                yield [*example[:number], form, *example[number + 1 :]], plain
    elif _is_text(schema) and not (example.isdigit() and not schema):
        yield None, str(example)


def _variants_of_mapping(example: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    properties, values = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in example.items():
        for form, plain in variants(inner, properties.get(name) or values or {}):
            yield {**example, name: form}, plain
        if "propertyNames" in schema:
            yield {Key(name): inner}, name
    required = {name: example[name] for name in schema.get("required", ()) if name in example}
    for name, inner_schema in properties.items():
        if name not in example and _is_text(inner_schema):
            pattern = next((one["pattern"] for one in _options(inner_schema) if "pattern" in one), "")
            plain = next(text for text in ("web", "/data") if re.search(pattern, text))
            yield {**required, name: None}, plain


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


def _written(form: Any, text: str) -> str:
    """As YAML that any parser reads back; JSON is, but for what it may leave unescaped."""
    if form is None:
        return json.dumps(text)
    if isinstance(form, dict):
        pairs = (f"{_written(None if isinstance(n, Key) else n, text)}: {_written(v, text)}" for n, v in form.items())
        return "{" + ", ".join(pairs) + "}"
    return "[" + ", ".join(_written(item, text) for item in form) + "]" if isinstance(form, list) else str(form)


def shape(plan: Plan) -> dict[str, Any]:
    """What parsers see in each file: names and numbers of things, no values."""
    peers, peers_in_a_pod = len(plan.proxy.trusted), len(plan.proxy.trusted_in_a_pod)
    found = {}
    for path, text in render(plan).items():
        name = "k8s/web.yaml" if path == plan.manifest else path.removeprefix(plan.folder)
        found[name] = file_shape(name, text, peers_in_a_pod if name.startswith("k8s/") else peers)
    return found


@lru_cache(maxsize=256)
def file_shape(path: str, text: str, peers: int) -> Any:
    verify({path: text})
    name = path.rpartition("/")[2]
    if path.startswith("k8s/"):
        objects = list(yaml.load_all(text, Loader=LOADER))
        proxies = [one["data"]["nginx.conf"] for one in objects if "nginx.conf" in one.get("data", {})]
        return [yaml_shape(one) for one in objects], [nginx_shape(one, peers) for one in proxies]
    if name == "nginx.conf":
        return nginx_shape(text, peers)
    if name == "compose.yaml":
        return yaml_shape(yaml.load(text, Loader=LOADER), variables=True)
    if name == "Dockerfile":
        return [dockerfile_shape(word, rest) for word, rest in instructions(text)]
    return python_shape(ast.parse(text)) if name.endswith(".py") else len(re.split(r"[\n\r]", text))


@lru_cache(maxsize=64)
def nginx_shape(text: str, peers: int) -> Any:
    """Directives, how many words each has, and those in its block."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "nginx.conf")
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


#: Mappings whose names a profile may choose: how many there are belongs to the shape, and no name.
NAMED_BY_PROFILE = (
    "annotations",
    "environment",
    "limits",
    "nodeSelector",
    "requests",
    "secrets",
    "services",
    "volumes",
)


def yaml_shape(value: Any, variables: bool = False) -> Any:
    if isinstance(value, dict):
        shapes = {name: yaml_shape(item, variables) for name, item in value.items()}
        return {
            name: sorted(inner.values(), key=repr) if name in NAMED_BY_PROFILE and isinstance(inner, dict) else inner
            for name, inner in shapes.items()
        }
    if isinstance(value, list):
        return [yaml_shape(item, variables) for item in value]
    if variables and isinstance(value, str):
        rest = value.replace("$$", "")
        names = re.findall(r"\$\{([A-Z_0-9]+):-[^{}$]*\}", rest)
        assert rest.count("$") == len(names), value
        return [re.sub("^(BUILD_SECRET_).+", r"\1", name) for name in names]
    return type(value).__name__


def dockerfile_shape(word: str, rest: str) -> Any:
    """An instruction and how many words or names it has; of a shell's command line, what is no word, too."""
    if word in ("ENV", "LABEL"):
        return word, len(assignments(rest))
    flags, rest = re.fullmatch(r"((?:--\w+=\S+ )*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    word += "".join(re.findall(r" --\w+|,\w+(?==)", flags))  # names of flags and of their fields
    if rest.startswith("["):
        return word, len(json.loads(rest))
    if not word.startswith("RUN"):
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


@dataclass(frozen=True, eq=False)
class Case:
    """A place in a setting where text may stand."""

    path: str
    #: The setting's value, with None in the text's place.
    form: Any
    plain: str
    #: The hostile ones that the setting's type accepts.
    texts: tuple[str, ...]

    def written(self, text: str) -> str:
        return f"{self.path}={_written(self.form, text)}"


@cache
def cases() -> tuple[Case, ...]:
    found = []
    for path, one in all_settings(Profile):
        if path in DECIDES:
            continue
        forms = [*variants(yaml.load(one.type.example, yaml.BaseLoader), one.type.schema)]
        forms += [(GUNICORN, "a")] * (path == "gunicorn")
        for form, plain in forms:
            texts = tuple(text for text in dict.fromkeys(hostile(plain)) if _takes(one.type, form, text))
            texts = tuple(text for text in texts if (path, text) not in OTHER_FORM)
            found.append(Case(path, form, plain, texts))
    return tuple(found)


def hostile(plain: str) -> Iterator[str]:
    yield from (*HOSTILE_STRINGS, *UNWRITABLE_STRINGS, *WHOLE)
    for splice in SPLICES:
        yield plain[: len(plain) // 2] + splice + plain[len(plain) // 2 :]
        yield plain + splice


def _takes(field_type: FieldType, form: Any, text: str) -> bool:
    try:
        field_type.parse(parse_value(_written(form, text), "test"))
    except (ValueError, ProfileError):
        return False
    return True


def plan_with(base: str, texts: Mapping[Case, str]) -> Plan | None:
    """None where the rules refuse it."""
    try:
        return plan_of("", *(case.written(text) for case, text in texts.items()), base=BASES[base])
    except ProfileError:
        return None


@cache
def lots(base: str) -> tuple[tuple[Case, ...], ...]:
    """The cases that this base accepts with their plain text, in as few lots as one profile each can hold."""
    found: list[dict[Case, str]] = []
    for case in cases():
        plain = {case: case.plain}
        if plan_with(base, plain) is None:
            continue
        fits = (number for number, lot in enumerate(found) if _fits(base, lot, case))
        if (number := next(fits, None)) is None:
            found.append(plain)
        else:
            found[number] |= plain
    return tuple(tuple(lot) for lot in found)


def _fits(base: str, lot: Mapping[Case, str], case: Case) -> bool:
    free = all(other.path != case.path for other in lot)
    return free and plan_with(base, {**lot, case: case.plain}) is not None


@pytest.mark.parametrize("base", BASES)
def test_no_text_changes_the_shape_of_a_file(base: str) -> None:
    """In each round the settings of a lot have their next texts; what the rules refuse together is tried by itself."""
    step = 1 if base == ALL_TEXTS else len(BASES)
    for lot in lots(base):
        plain = {case: case.plain for case in lot}
        plan = plan_with(base, plain)
        assert plan is not None
        expected = shape(plan)
        for number in range(0, max(len(case.texts) for case in lot), step):
            texts = {case: case.texts[number] for case in lot if number < len(case.texts)}
            if (plan := plan_with(base, plain | texts)) is not None:
                assert shape(plan) == expected, texts
                continue
            for case, text in texts.items():
                if (plan := plan_with(base, plain | {case: text})) is not None:
                    assert shape(plan) == expected, (case.path, text)


def test_each_field_can_be_set_in_one_of_the_profiles() -> None:
    """Else the test above looks at refusals only."""
    covered = {case for base in BASES for lot in lots(base) for case in lot}
    assert [(case.path, case.form) for case in cases() if case not in covered] == []


def test_every_reason_belongs_to_a_field() -> None:
    assert {*DECIDES} <= {path for path, _ in all_settings(Profile)}
