"""`new`: what it sees in a folder, what it asks, and that its profile can be planned."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator.cli.commands import commands
from generator.errors import ProfileError
from generator.pipeline import plan_profile
from generator.plan.plan import Plan
from generator.profile.load import read_profile
from generator.profile.writing import Entry, profile_text
from tests.fast_support import HOSTILE_STRINGS, ROOT

APPS = sorted(path.parent for path in ROOT.glob("tests/apps/*/profile.yaml"))
REAL = sorted(path.parent for path in ROOT.glob("tests/apps/real/*/profile.yaml"))
#: Whose profile generate refuses until a file is corrected: without the wheels that a test builds, for its gunicorn.
REFUSED = ("wheels", "older-gunicorn")
FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def new(folder: Path, *words: str, typed: str = "") -> Result:
    arguments = ["new", str(folder), "--file", "new.yaml", *words]
    return CliRunner().invoke(commands, arguments, input=typed, prog_name="container-kit")


def made(folder: Path, *words: str) -> Plan:
    result = new(folder, *words)
    assert result.exit_code == 0, result.output
    return plan_profile((folder / "new.yaml").read_text(), "new.yaml", (), folder)


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("app", APPS, ids=lambda path: path.name)
def test_what_people_bring_needs_no_question(app: Path, tmp_path: Path) -> None:
    """Every app of tests/apps: module, folder and dependency file as the profile written by hand has them."""
    ours = shutil.copytree(app, tmp_path / app.name)
    result = new(ours)
    assert result.exit_code == (2 if app.name in REFUSED else 0), result.output
    text = (ours / "new.yaml").read_text()
    assert len(text.splitlines()) <= 15
    draft = read_profile(text, "new.yaml")
    by_hand = read_profile((ours / "profile.yaml").read_text(), "profile.yaml").profile.app
    assert draft.faults == ()
    found = draft.profile.app
    assert (found.module, found.path) == (by_hand.module, by_hand.path)
    folder = Path(by_hand.requirements or "").parent
    locks = ("uv.lock", "poetry.lock")
    assert found.requirements == by_hand.requirements or found.requirements in [str(folder / lock) for lock in locks]


#: Of tests/apps/real/: the folder has no code of its own, the application is that of an installed package.
ASKED = ("httpbin", "mlflow")


def test_fewer_than_half_of_the_real_applications_need_a_question() -> None:
    assert len(ASKED) < len(REAL) / 2 and len(REAL) >= 8


@pytest.mark.parametrize("app", REAL, ids=lambda path: path.name)
def test_real_applications_need_a_question_only_without_code_of_their_own(app: Path, tmp_path: Path) -> None:
    """Module, folder and dependency file as the profile has them that the tests boot; what is written is accepted, or
    refused with the two lines that it lacks (an older gunicorn)."""
    by_hand = read_profile((app / "profile.yaml").read_text(), "profile.yaml").profile.app
    ours = shutil.copytree(app, tmp_path / app.name, ignore=shutil.ignore_patterns("profile.yaml", "__pycache__"))
    result = new(ours)
    if app.name in ASKED:
        assert (result.exit_code, "name it with --module" in result.stderr) == (2, True)
        result = new(ours, "--module", by_hand.module)
    assert result.exit_code == (2 if app.name == "mlflow" else 0), result.output
    found = read_profile((ours / "new.yaml").read_text(), "new.yaml")
    assert (found.faults, found.profile.app.module) == ((), by_hand.module)
    assert (found.profile.app.path, found.profile.app.requirements) == (by_hand.path, by_hand.requirements)
    lacks = r'write server: sync and server_packages: \{gunicorn: "26'
    with pytest.raises(ProfileError, match=lacks) if app.name == "mlflow" else nullcontext():
        plan_profile((ours / "new.yaml").read_text(), "new.yaml", (), ours)


@pytest.mark.parametrize("app", [app for app in APPS if app.name not in REFUSED], ids=lambda path: path.name)
def test_its_profile_is_planned_and_its_commands_are_printed(app: Path, tmp_path: Path) -> None:
    ours = shutil.copytree(app, tmp_path / app.name)
    result = new(ours)
    name = plan_profile((ours / "new.yaml").read_text(), "new.yaml", (), ours).name
    assert [line.split()[:2] for line in result.stdout.splitlines()[2:]] == [
        ["container-kit", "generate"], ["docker", "build"], ["docker", "run"]]  # fmt: skip
    assert result.stdout.rstrip().endswith(f"{name}:dev")


def test_an_app_that_refuses_the_newest_gunicorn_is_shown_the_way_out(tmp_path: Path) -> None:
    ours = shutil.copytree(ROOT / "tests/apps/older-gunicorn", tmp_path / "older-gunicorn")
    new(ours)
    with pytest.raises(ProfileError, match=r'server: sync and server_packages: \{gunicorn: "26'):
        plan_profile((ours / "new.yaml").read_text(), "new.yaml", (), ours)


@pytest.mark.parametrize(
    ("files", "module", "path", "python_path"),
    [
        ({"app.py": FLASK, "other.py": FLASK}, "app:app", ".", None),
        ({"wsgi.py": FLASK.replace("app =", "application ="), "app.py": FLASK}, "wsgi:application", ".", None),
        ({"wsgi.py": "from s import app as application\n", "s/__init__.py": FLASK}, "wsgi:application", ".", None),
        ({"hello.py": FLASK.replace("app =", "site =")}, "hello:site", ".", None),
        ({"b.py": "import dash\napp = dash.Dash('x')\nserver = app.server\n"}, "b:server", ".", None),
        ({"a.py": FLASK, "b.py": "app = Other()\nserver = app.server\n"}, "a:app", ".", None),
        ({"hello.py": "import flask as f\nclass Mine(f.Flask): ...\nx = Mine('x')\n"}, "hello:x", ".", None),
        ({"shop/__init__.py": "def create_app(config=None):\n    return object()\n"}, "shop:create_app()", ".", None),
        ({"shop/__init__.py": "def make_app():\n    return object()\n"}, "shop:make_app()", ".", None),
        ({"run.py": "from shop import create_app\napp = create_app()\n", "shop/__init__.py": ""}, "run:app", ".", None),
        ({"src/shop/__init__.py": "", "src/shop/app.py": FLASK}, "shop.app:app", ".", "src"),
        ({"backend/app.py": FLASK}, "app:app", "backend", None),
        ({"backend/src/app.py": FLASK}, "app:app", "backend", "src"),
        ({"a.py": FLASK, "b.py": FLASK, ".flaskenv": "FLASK_APP=b.py\n"}, "b:app", ".", None),
        ({"a.py": FLASK, "b.py": FLASK, "Procfile": "web: gunicorn b:app -w 4\n"}, "b:app", ".", None),
        ({"a.py": FLASK, "tests/app.py": FLASK, "venv/pyvenv.cfg": "", "venv/app.py": FLASK}, "a:app", ".", None),
        ({"a.py": FLASK + "if __name__ == '__main__':\n    other = Flask('x')\n"}, "a:app", ".", None),
        (
            {
                "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n',
                "site1/__init__.py": "",
                "site1/settings.py": "WSGI_APPLICATION = 'site1.wsgi.application'\n",
                "site1/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
                "application = get_wsgi_application()\n",
            },
            "site1.wsgi:application",
            ".",
            None,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)  # fmt: skip
def test_where_the_application_is(
    files: dict[str, str], module: str, path: str, python_path: str | None, tmp_path: Path
) -> None:
    app = made(project(tmp_path, files)).profile.app
    assert (app.module, app.path, app.python_path) == (module, path, python_path)


def test_nothing_of_the_app_is_executed(tmp_path: Path) -> None:
    project(tmp_path, {"app.py": f"{FLASK}open({str(tmp_path / 'ran')!r}, 'w')\n"})
    made(tmp_path)
    assert not (tmp_path / "ran").exists()
    assert "app" not in sys.modules


def test_a_page_for_probes_that_is_sure(tmp_path: Path) -> None:
    route = '\n@app.get("/healthz")\ndef healthz():\n    return "ok"\n'
    assert made(project(tmp_path / "a", {"app.py": FLASK + route})).profile.health.readiness_path == "/healthz"
    post = route.replace('get("/healthz")', 'route("/healthz", methods=["POST"])')
    assert made(project(tmp_path / "b", {"app.py": FLASK + post})).profile.health.readiness_path is None
    blueprint = (
        "from flask import Blueprint\npages = Blueprint('pages', __name__)\n"
        "@pages.route('/ready')\ndef ready():\n    return ''\n"
    )
    files = {"app.py": FLASK + "from pages import pages\napp.register_blueprint(pages)\n", "pages.py": blueprint}
    assert made(project(tmp_path / "c", files)).profile.health.readiness_path == "/ready"
    files["app.py"] = files["app.py"].replace("(pages)", "(pages, url_prefix='/api')")
    assert made(project(tmp_path / "d", files)).profile.health.readiness_path is None


@pytest.mark.parametrize(
    ("requirements", "server", "build"),
    [
        ("flask\n", "gevent", ()),
        ("flask\npsycopg2-binary==2.9\n", "gthread", ()),
        ("flask\npsycopg2\n", "gthread", ("gcc", "libc6-dev", "libpq-dev")),
        ("psycopg2-binary\npsycogreen\n", "gevent", ()),
        ("-r more.txt\n", "gthread", ()),
        ("psycopg[binary]\n", "gevent", ()),
    ],
)
def test_a_driver_that_stops_gevent_means_threads(
    requirements: str, server: str, build: tuple[str, ...], tmp_path: Path
) -> None:
    project(tmp_path, {"app.py": FLASK, "requirements.txt": requirements, "more.txt": "grpcio\n"})
    profile = made(tmp_path).profile
    assert (profile.server, profile.app.build_packages) == (server, build)


def test_memory_is_the_least_that_holds_the_plan(tmp_path: Path) -> None:
    project(tmp_path, {"app.py": FLASK})
    small = made(tmp_path).profile
    (tmp_path / "new.yaml").unlink()
    large = made(tmp_path, "--connections", "40000", "--cpu", "4")
    assert large.profile.connections == 40000
    assert large.profile.resources.memory > small.resources.memory
    assert (large.numbers.workers.decided_by, large.numbers.warnings) == ("rule", ())


def test_a_project_without_a_dependency_file_is_reported(tmp_path: Path) -> None:
    assert "nothing is installed: set app.requirements" in new(project(tmp_path / "a", {"app.py": FLASK})).stderr
    files = {"app.py": FLASK, "requirements.txt": "flask\n"}
    assert new(project(tmp_path / "b", files)).stderr == ""
    assert "poetry lock writes poetry.lock" in new(project(tmp_path / "c", {"app.py": FLASK, **_poetry('"*"')})).stderr
    assert "pipenv lock writes Pipfile.lock" in new(project(tmp_path / "d", {"app.py": FLASK, "Pipfile": ""})).stderr


def test_it_never_overwrites(tmp_path: Path) -> None:
    project(tmp_path, {"app.py": FLASK, "new.yaml": "mine\n"})
    result = new(tmp_path)
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert (tmp_path / "new.yaml").read_text() == "mine\n"


def test_without_a_terminal_it_errs_instead_of_guessing(tmp_path: Path) -> None:
    none = new(tmp_path)
    assert (none.exit_code, "--module shop:app" in none.stderr) == (2, True)
    project(tmp_path, {"a.py": FLASK, "b.py": FLASK})
    several = new(tmp_path)
    assert (several.exit_code, "a:app, b:app; choose one with --module" in several.stderr) == (2, True)
    assert made(tmp_path, "--module", "b:app").profile.app.module == "b:app"
    (tmp_path / "new.yaml").unlink()
    bad = new(tmp_path, "--module", "b:app", "--connections", "many")
    assert (bad.exit_code, "connections: 'many'" in bad.stderr) == (2, True)
    assert not (tmp_path / "new.yaml").exists()


def test_questions_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generator.cli.new.is_terminal", lambda: True)
    one = new(project(tmp_path / "one", {"a.py": FLASK}), typed="300\n")
    assert (one.exit_code, one.stdout.count("]:")) == (0, 1)
    assert "connections: 300 " in (tmp_path / "one/new.yaml").read_text()
    two = new(project(tmp_path / "two", {"a.py": FLASK, "b.py": FLASK}), typed="b:app\n\n")
    assert (two.exit_code, two.stdout.count("]:")) == (0, 2)
    text = (tmp_path / "two/new.yaml").read_text()
    assert "module: b:app" in text
    assert "connections: 1200 " in text
    (tmp_path / "two/new.yaml").unlink()
    silent = new(tmp_path / "two", "--yes", "--module", "a:app")
    assert "]:" not in silent.stdout


def test_any_setting_is_an_option(tmp_path: Path) -> None:
    project(tmp_path, {"app.py": FLASK})
    words = ("port=5000", "env.GREETING='a: b # c'", "access_log=off", "app.include=[data, more]")
    profile = made(tmp_path, *(part for word in words for part in ("--set", word))).profile
    assert (profile.port, profile.env, profile.app.include) == (5000, (("GREETING", "a: b # c"),), ("data", "more"))


@pytest.mark.parametrize("text", [text for text in HOSTILE_STRINGS if "\n" not in text and "\x00" not in text])
def test_values_are_read_back_as_they_were(text: str) -> None:
    written = profile_text([text], [Entry("env.A", text, text), Entry("app.build_commands", [text], above=(text,))])
    document = read_profile(f"{written}", "x.yaml").document
    assert document["env"]["A"] == text
    assert document["app"]["build_commands"] == [text]


@pytest.mark.parametrize(
    ("folder", "name"), [("shop2", "shop2"), ("2shop_v-3", "shop-v-3"), ("-a-", "a"), ("42", "web")]
)
def test_the_folders_name_is_the_profiles(folder: str, name: str, tmp_path: Path) -> None:
    assert made(project(tmp_path / folder, {"app.py": FLASK})).name == name


def _poetry(version: str) -> dict[str, str]:
    return {"pyproject.toml": f'[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = {version}\n'}


@pytest.mark.parametrize(
    ("files", "python", "where"),
    [
        *((_poetry(f'"{text}"'), python, "tool.poetry.dependencies.python") for text, python in (
            ("~3.11", "3.11"), ("~3.12.4", "3.12"), (">=3.11,<3.13", "3.12"), (">=3.11 <3.12", "3.11"),
            (">= 3.11, < 3.12", "3.11"), ("3.11.*", "3.11"), ("3.12", "3.12"), ("3.12.7", "3.12"), ("~=3.11.2", "3.11"),
            ("3.14 || ~2.7", "3.14"), ("^3.14", "3.14"), ("<3.13", "3.12"))),
        # The usual one is in these, which require no other.
        *((_poetry(f'"{text}"'), "3.13", "") for text in ("^3.11", "~3", "*", ">=3.9", "3.11 || 3.13", "none")),
        (_poetry('{version = "~3.11"}'), "3.11", "tool.poetry.dependencies.python"),
        (_poetry('["~3.11"]'), "3.13", ""),
        (_poetry('"^2.7"'), "3.13", "requires another"),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = "<3.12"\n'}, "3.11", "requires-python"),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.9"\n'}, "3.13", ""),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.14"\n'}, "3.14", "requires-python"),
        ({"setup.cfg": "[options]\npython_requires = >=3.9,<3.12\n"}, "3.11", "setup.cfg"),
        ({".tool-versions": "nodejs 22.1.0\npython 3.12.4\n"}, "3.12", ".tool-versions"),
        ({".python-version": "3.11.9\n"}, "3.11", ".python-version"),
        ({".python-version": "shop.env\n"}, "3.13", ""),
        *(({".python-version": text}, "3.12", ".python-version") for text in (
            "# c\n3.12", "  # c\n\n3.12.4\n", "3.12-dev\n", "3.12rc1\n", "3.12t")),
        ({".python-version": "# 3.12\n"}, "3.13", ""),
        ({"setup.cfg": "[options]\npython_requires =\n  >=3.9,<3.12\n"}, "3.11", "setup.cfg"),
        ({"setup.cfg": "[options]\npython_requires =\n  >=3.9,\n  <3.12\n"}, "3.11", "setup.cfg"),
        ({"setup.cfg": "python_requires = >=3.9,<3.12\n"}, "3.13", ""),
        *((_poetry(text), "3.12", "tool.poetry.dependencies.python") for text in (
            '"3.12.4"', '"==3.12.4"', '"== 3.12.4"', '"=3.12.4"', '"==3.12"', '"==3.12.*"')),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = "==3.12.4"\n'}, "3.12", "requires-python"),
        ({"runtime.txt": "python-3.12.x\n"}, "3.12", "runtime.txt"),
        ({"Pipfile": '[packages]\nflask = "*"\n[requires]\npython_version = "3.12"\n'}, "3.12", "Pipfile"),
        ({"Pipfile.lock": '{"_meta": {"requires": {"python_version": "3.11"}}, "default": {}}'}, "3.11", "Pipfile"),
    ],
)  # fmt: skip
def test_the_projects_python(files: dict[str, str], python: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    project(tmp_path, files)
    assert new(tmp_path, "--server", "gevent").exit_code == 0
    written = (tmp_path / "new.yaml").read_text()
    lines = [line for line in written.splitlines() if line.startswith("python:")]
    assert (lines[0].split()[1] if lines else "'3.13'") == f"'{python}'"
    assert where in written and bool(lines) == bool(where)


def test_a_factorys_arguments_in_a_procfile_are_the_profiles(tmp_path: Path) -> None:
    files = {
        "shop.py": "from flask import Flask\ndef create_app(config):\n    return Flask(__name__)\n",
        "Procfile": "web: gunicorn \"shop:create_app('prod')\" -w 4\n",
    }
    plan = made(project(tmp_path, files), "--yes")
    assert (plan.profile.app.module, plan.profile.app.arguments) == ("shop:create_app()", ((None, "prod"),))


def test_a_dependency_file_that_needs_the_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that it gives writes a profile that can be generated, of the app that was meant."""
    files = {f"services/{name}/app.py": f"# {name}\n{FLASK}" for name in ("admin", "api")}
    files |= {"services/api/requirements.txt": "-r ../../common/web.txt\n", "common/web.txt": "flask\n"}
    folder = project(tmp_path, files) / "services/api"
    monkeypatch.chdir(folder)
    refused = CliRunner().invoke(commands, ["new", "--yes", "--connections", "50"], prog_name="container-kit")
    assert (refused.exit_code, list(folder.glob("*.yaml"))) == (2, [])
    words = refused.stderr.rpartition("in the folder above both this works: container-kit ")[2].split()
    assert words[:2] == ["new", "../.."]
    assert CliRunner().invoke(commands, words, prog_name="container-kit").exit_code == 0
    text = (tmp_path / "api.yaml").read_text()
    profile = plan_profile(text, "api.yaml", (), tmp_path).profile
    assert (profile.app.path, profile.app.requirements) == ("services/api", "services/api/requirements.txt")
    assert (profile.connections, "# services/api/app.py" in text) == (50, True)


def test_what_cannot_be_generated_yet_ends_with_2(tmp_path: Path) -> None:
    result = new(project(tmp_path, {"app.py": FLASK, "requirements.txt": "-r missing.txt\n"}), "--yes")
    assert (result.exit_code, "before generate: requirements.txt:1:1" in result.stderr) == (2, True)
    assert (tmp_path / "new.yaml").is_file()


@pytest.mark.parametrize(
    ("target", "line"),
    [("shop:create_app()", 5), ("shop:app", 2), ("shop:application", 3), ("shop:typed", 8), ("shop:none", 1)],
)
def test_the_line_of_what_is_named(target: str, line: int, tmp_path: Path) -> None:
    text = (
        "import flask\nfrom other import one as app\napplication = flask.Flask('a')\n\ndef create_app():\n"
        "    return flask.Flask('b')\n\ntyped: flask.Flask = create_app()\n"
    )
    project(tmp_path, {"src/shop/__init__.py": text})
    assert new(tmp_path, "--module", target).exit_code == 0
    assert f"# src/shop/__init__.py:{line}\n" in (tmp_path / "new.yaml").read_text()


def test_the_next_commands_have_no_control_characters(tmp_path: Path) -> None:
    folder = tmp_path / "app\x1b]0;x\a"
    folder.mkdir()
    (folder / "app.py").write_text("from flask import Flask\napp = Flask('x')\n")
    (folder / "requirements.txt").write_text("flask\n")
    result = CliRunner().invoke(commands, ["new", "-y", str(folder)], prog_name="container-kit")
    assert result.exit_code == 0 and "next:" in result.output
    assert not {"\x1b", "\a"} & set(result.output)
