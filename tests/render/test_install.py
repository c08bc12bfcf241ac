"""How what the app requires gets into the image, for each kind of dependency file, read from the Dockerfile."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from generator.pipeline import plan_profile
from generator.render.render import render
from generator.servers import SERVERS
from generator.verify.files import verify
from tests.containers.support.private_index import private_index
from tests.fast_support import MINIMAL, ROOT, instructions, plan_of

#: One project of tests/apps for each kind, and what installs its requirements.
KINDS = {
    "requirement-files": "-m pip --python",
    "pyproject": "uv pip install",
    "uv-lock": "uv pip install",
    "poetry-lock": "uv pip install",
    "pipfile-lock": "uv pip install",
}
PROFILE = """\
name: web
app: {module: "shop:app", path: ., requirements: requirements.txt}
server: gevent
connections: 100
resources: {cpu: 1, memory: 256Mi}
"""


def files_of(name: str, *overrides: str) -> dict[str, str]:
    folder = ROOT / "tests/apps" / name
    plan = plan_profile((folder / "profile.yaml").read_text(), "profile.yaml", overrides, folder)
    files = render(plan)
    verify(files, plan.kubernetes.minors)
    return {path.rpartition("/")[2]: text for path, text in files.items()}


def project(root: Path, files: dict[str, str], *overrides: str) -> dict[str, str]:
    for name, text in {"shop.py": "", **files}.items():
        (root / name).write_text(text)
    return render(plan_profile(PROFILE, "web.yaml", overrides, root))


@pytest.mark.parametrize("name", KINDS)
def test_the_apps_requirements_are_installed_before_its_code_is_there(name: str) -> None:
    """So a change of the code installs nothing again; and a conflict ends with one sentence."""
    lines = instructions(files_of(name)["Dockerfile"])
    code = next(at for at, (word, rest) in enumerate(lines) if word == "COPY" and rest.endswith('"/app/"]'))
    installs = [at for at, (word, rest) in enumerate(lines) if word == "RUN" and "server-constraints.txt" in rest]
    assert installs and min(installs) < code
    for at in installs:
        rest = lines[at][1]
        assert KINDS[name] in rest or at > code, "the project itself, in place"
        assert " || { echo 'kit: the requirements of the app cannot be installed beside g" in rest
        assert rest.endswith(">&2; exit 1; }")


@pytest.mark.parametrize("name", KINDS)
def test_what_is_fetched_is_fetched_with_the_build_secrets_and_nothing_else_has_them(name: str) -> None:
    lines = instructions(files_of(name, "app.build_secrets={netrc: /root/.netrc}")["Dockerfile"])
    mount, fetching = "--mount=type=secret,id=netrc,target=/root/.netrc,required=true ", 0
    for word, rest in lines:
        fetches = word == "RUN" and bool(re.search(r"(-m pip --python \S+|uv pip) install ", rest))
        assert rest.startswith(mount) == fetches, rest
        fetching += fetches
    assert fetching >= 2, "the server's and the app's"


@pytest.mark.parametrize("name", KINDS)
def test_what_reads_the_projects_files_is_pinned_by_hash_and_stays_behind(name: str) -> None:
    files = files_of(name)
    lines = instructions(files["Dockerfile"])
    last = max(at for at, (word, _) in enumerate(lines) if word == "FROM")
    assert not [rest for word, rest in lines[last:] if "/opt/tools" in rest or "/build" in rest]
    if KINDS[name].startswith("uv"):
        (tools,) = (rest for _, rest in lines if "--python /opt/tools" in rest)
        assert "--require-hashes --only-binary :all:" in tools
        wanted = re.findall(r"^([a-z]\S*)", files["project-requirements.txt"], re.MULTILINE)
        assert wanted and all("==" in one for one in wanted)


def test_uv_finds_the_index_and_its_password_where_pip_does(tmp_path: Path) -> None:
    """The step of the Dockerfile, run here: the arguments are pip's, the password is in a netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password a-pass\n")
    (tmp_path / "constraints.txt").touch()
    required = '[project]\nname = "x"\nversion = "1"\ndependencies = ["kit-private==1.0"]\n'
    files = project(tmp_path, {"pyproject.toml": required}, "app.requirements=pyproject.toml")
    lines = instructions(files["docker/web/Dockerfile"])
    (variables,) = (rest for word, rest in lines if word == "ENV" and "UV_INDEX" in rest)
    (step,) = (rest for _, rest in lines if "uv pip install" in rest)
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv/bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    here = {"/opt/tools/bin/uv": uv, "/opt/venv/bin/python": python, "/build/server-constraints.txt": "constraints.txt"}
    for there, ours in here.items():
        assert there in step
        step = step.replace(there, shlex.quote(str(ours)))
    with private_index(tmp_path / "index", "a-pass") as port:
        index = f"http://127.0.0.1:{port}/simple"
        given = {"PIP_EXTRA_INDEX_URL": index, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        command = ["sh", "-c", f"export {variables}; {step}"]
        done = subprocess.run(command, cwd=tmp_path, env=given, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    look = [str(python), "-c", "import kit_private; print(kit_private.FROM)"]
    assert subprocess.run(look, check=True, capture_output=True, text=True).stdout == "the private index\n"


def test_a_line_of_git_brings_git_and_its_variable_is_an_argument_of_the_builder(tmp_path: Path) -> None:
    line = "x @ git+https://${TOKEN}@git.example/x@v1\n"
    lines = instructions(project(tmp_path, {"requirements.txt": line})["docker/web/Dockerfile"])
    (apt,) = (rest for word, rest in lines if word == "RUN" and "apt-get install" in rest)
    assert " git " in apt
    last = max(at for at, (word, _) in enumerate(lines) if word == "FROM")
    assert ("ARG", "TOKEN") in lines[:last] and ("ARG", "TOKEN") not in lines[last:]
    without = instructions(project(tmp_path, {"requirements.txt": "flask\n"})["docker/web/Dockerfile"])
    assert not [rest for word, rest in without if "apt-get" in rest]


def test_the_projects_own_ignore_file_holds_for_buildkit_too(tmp_path: Path) -> None:
    """Its lines come first: of two that match, the last decides, and the build needs the kit's folders."""
    ignored = "# what nobody needs\ndata/\n\n*.log\ndocker\n!keep.log\n"
    files = project(tmp_path, {".dockerignore": ignored, "requirements.txt": "flask\n"})
    text = files["docker/web/Dockerfile.dockerignore"]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[:4] == ["data/", "*.log", "docker", "!keep.log"]
    for needed in ("!docker/runtime", "!docker/web", "!requirements.txt"):
        assert lines.index(needed) > 3
    assert lines.index("**/.env") > lines.index("!docker/web"), "what may be secret comes last"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("server", SERVERS)
def test_python_picks_the_base_image(server: str, python: str) -> None:
    """3.12 too, which no test boots (generator/servers/server.py). Of the locks tests/profile has a test."""
    assert python in SERVERS[server].pythons
    base = MINIMAL.replace("gevent", server).replace("1200", "3")
    plan = plan_of(f'python: "{python}"\n', base=base)
    files = render(plan)
    verify(files, plan.kubernetes.minors)
    dockerfile = files["docker/web/Dockerfile"]
    assert ("ARG", f"BASE_IMAGE={plan.base_image}") in instructions(dockerfile)
    assert plan.base_image.startswith(f"python:{python}-slim")
    named = set(re.findall(r"\b3\.1\d\b", dockerfile))
    assert named == {python}, "no other Python in the steps"
