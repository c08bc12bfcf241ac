"""What somebody else wrote, given to `audit` and `import`: each ends, with a report or a sentence, in little memory."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.audit.audit import audit
from generator.audit.sources import Source
from generator.cli.commands import commands

LISTS = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 13))
MAPS = "".join(f"x{n}: &x{n} {{{', '.join(f'k{m}: *x{n - 1}' for m in range(9))}}}\n" for n in range(1, 13))
END = "\\e[2J"
POD = "kind: Deployment\nspec: {{template: {{spec: {{containers: [{}]}}}}}}\n"
CASES = {
    "laughs.yaml": f"x0: &x0 [a]\n{LISTS}services: {{web: {{command: *x12, image: *x12}}}}\n",
    "laughing-maps.yaml": f"x0: &x0 {{a: b}}\n{MAPS}services: {{web: *x12, b: {{environment: *x12, deploy: *x12}}}}\n",
    "laughing-pod.yaml": f"x0: &x0 {{a: b}}\n{MAPS}kind: Pod\nspec: {{containers: *x12}}\n",
    "itself.yaml": "services: &s {web: *s, command: *s, environment: *s, image: *s}\n",
    "its-words.yaml": "services: {web: &w {command: &c [gunicorn, *c], environment: *w, deploy: *w}}\n",
    "its-pod.yaml": POD.format(
        "&c {name: x, command: [gunicorn, 'a:b'], env: [*c], resources: *c, volumeMounts: [*c]}"
    ),
    "its-list.yaml": "kind: List\nitems: &i [*i, {kind: List, items: *i}]\n",
    "laughing-list.yaml": "x0: &x0 {kind: Pod}\n"
    + "".join(f"x{n}: &x{n} {{kind: List, items: [{', '.join([f'*x{n - 1}'] * 9)}]}}\n" for n in range(1, 13))
    + "kind: List\nitems: [*x12]\n",
    "deep.yaml": "[" * 200_000,
    "deep-flow.yaml": f"services: {'{a: ' * 320}1{'}' * 320}",
    "keys.yaml": "services:\n  ? [a, b]\n  : {command: gunicorn a:b}\n  ? {x: y}\n  : 1\n  ~: {}\n",
    "tags.yaml": "services: !!python/object/apply:os.system ['touch executed']\n",
    "kinds.yaml": "services: {web: [gunicorn], b: 7, c: null, d: {command: {a: b}, environment: 3, deploy: []}}\n",
    "kinds-pod.yaml": "kind: [Deployment]\nmetadata: 3\nspec: {replicas: '9²', template: {spec: {containers: {}}}}\n",
    "numbers.yaml": POD.format(
        "{name: x, command: [gunicorn, 'a:b'], resources: {limits: {cpu: 1e999, memory: 99999999999999999999Gi}}, "
        "env: [{name: [a], value: {b: c}}], livenessProbe: {httpGet: 3}, startupProbe: {periodSeconds: '99999999999'}}"
    ),
    "digits.yaml": "services: {w: {command: gunicorn a:b, stop_grace_period: %ss, ports: ['%s:%s'], mem_limit: %sg, "
    "deploy: {resources: {limits: {cpus: %s, memory: ²}}}}}\n".replace("%s", "9" * 5000),
    "controls.yaml": f'services: {{"w{END}": {{command: "gunicorn a:b -w {END}9 --n{END}", image: "{END}"}}}}',
    "nul.yaml": "services: \0\n",
    "ENV.Dockerfile": "FROM python\nENV A=xxxxxxxxxx\n" + "ENV A=$A$A\n" * 60 + "CMD gunicorn $A a:b\n",
    "ARG.Dockerfile": "FROM python\nARG A=x\n" + "ARG A=${A}${A:-b}\n" * 60 + "CMD gunicorn -b ${A}${A} a:b\n",
    "many.Dockerfile": "FROM python\nENV A=" + "x" * 60_000 + "\nCMD gunicorn " + "$A " * 100_000 + "\n",
    "words.Dockerfile": "FROM python\nCMD gunicorn " + "a \\\n" * 150_000 + "b\n",
    "json.Dockerfile": 'FROM python\nCMD ["gunicorn", ' + '"a",\\\n' * 100_000 + '"b"]\n',
    "deep.Dockerfile": "FROM python\nCMD " + "[" * 100_000 + "\n",
    "controls.Dockerfile": 'FROM x\x1b[2J\nENV A\x1b=\x07\nCMD ["gunicorn", "a:b", "-k", "\\u001b[2J"]\n',
    "stages.Dockerfile": "FROM a AS a\nFROM b AS a\nFROM a AS b\nFROM b AS b\nCMD gunicorn -c ../../etc/passwd a:b\n",
    "Procfile": f"web: {'x ' * 100_000}gunicorn 'a:b\nweb\x1b: gunicorn a:b -b \x1b[2J $((1<<99)) `id`\n",
    "deep.conf.py": f"workers = {'(' * 5000}1{')' * 5000}\n",
    "long.conf.py": f"workers = {'1+' * 30_000}1\n",
    "minus.conf.py": f"workers = {'-' * 50_000}1\n",
    "attributes.conf.py": f"bind = a{'.b' * 50_000}\n",
    "large.conf.py": "workers = 2**10**10\nbind = 'a' * 10**12\nx = [0] * 10**12\ntimeout = 1 << 10**10\n",
    "formats.conf.py": "x = '%999999999999d' % 1\nbind = '{:>9999999999}'.format(1)\nworkers = int('9' * 5000)\n",
    "joined.conf.py": "a = 'x' * 99\n" + "a = f'{a}{a}{a}{a}'\n" * 40 + "bind = a\n",
    "doubled.conf.py": "a = [1]\n" + "a = [a, a]\n" * 60 + "bind = str(a)\nworkers = a\nproc_name = f'{a}'\n",
    "doubled-maps.conf.py": "a = {'x': 1}\n" + "a = {'x': a, 'y': a}\n" * 60 + "bind = '%s' % a\nworkers = a\n",
    "held.conf.py": "a = [1]\n" + "a = [a]\n" * 3000 + "workers = a\nbind = a\n",
    "wide.conf.py": f"a = [{'1, ' * 50_000}]\n" + "b = [a]\n" * 20_000 + "workers = b\n",
    "digits.conf.py": f"workers = 0x{'f' * 9000}\nthreads = -0x{'f' * 9000}\n",
    "elif.conf.py": "if a():\n    x = 1\n" + "elif b():\n    workers = 2\n" * 600 + "else:\n    workers = 3\n",
    "defaults.conf.py": "import os\nif 0:\n    x = 1\n" + "elif os.getenv('A', '1') == '1':\n    x = 2\n" * 600,
    "sum.conf.py": f"for name in {' + '.join(['a'] * 900)}:\n    workers = 2\n",
    "call.conf.py": f"a{'.b' * 900}()\nwith a{'.b' * 900}: pass\n",
    "merges.yaml": "x0: &x0 {a: b}\n"
    + "".join(f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}\n" for n in range(1, 7))
    + "services: {web: *x6, b: {<<: [*x6, *x6], command: gunicorn a:b}}\n",
    "extends.yaml": "services:\n  x0: {extends: x1, command: gunicorn a:b}\n"
    + "".join(f"  x{n}: {{extends: x{n + 1}, image: a, command: gunicorn a:b}}\n" for n in range(1, 1000)),
    "braces.yaml": f"services: {{w: {{command: 'gunicorn a:b {'{{' * 200_000}', image: a}}}}\n",
    "dollars.yaml": f"services: {{w: {{command: 'gunicorn a:b {'${' * 100_000}{'$$' * 100_000}', image: a}}}}\n",
    "quotes.yaml": f"services: {{w: {{command: 'gunicorn a:b {chr(34) * 100_001}', image: a}}}}\n",
    "script.sh": "gunicorn a:b $(" + "$(" * 50_000 + '"$(' * 50_000 + "${" * 50_000 + "\nexport A=$A$A\n" * 9,
    "sh-c.sh": "sh -c '" * 3000 + "gunicorn a:b -w $A" + " -c" * 30_000,
    "values.sh": "A=xxxxxxxxxxx\n" + "A=$A$A\n" * 60 + "gunicorn $A a:b\n",
    "here.sh": "cat <<A <<B <<C\n" * 9000 + "gunicorn a:b\n",
    "unit.service": "[Service]\nExecStart=gunicorn ${A} a:b \\\n" * 9000 + " -b \x1b[2J\n",
    "program.conf": '[program:a]\ncommand=gunicorn %(a)s %(ENV_B)s a:b\nenvironment=A=%(B)s,C="\n' * 3000,
    "here.Dockerfile": "FROM a\nRUN <<A <<B\n" + "RUN <<C\nx\n" * 9000 + "CMD gunicorn a:b\n",
    "many-stages.Dockerfile": "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\nENV A{n}=b\n" for n in range(500)),
    "opened.conf.py": 'bind = f\'{open("executed", "w")}\'\n',
    "bytes.conf.py": "a = b'aaaaaaaaaa'\n" + "a = a + a\n" * 24 + "bind = a\n_x = b'a' * 5000000000\n",
    "secret.conf.py": "raw_env = ['PASSWORD=hunter2']\nbind = '\x1b[2J'\nworkers = '\\x1b[2J'\n",
}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_with_a_report_or_a_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / (name if name == "Procfile" else name.replace("ENV.", "").replace(".Dockerfile", "/Dockerfile"))
    file.parent.mkdir(exist_ok=True)
    file.write_text(CASES[name])
    monkeypatch.chdir(tmp_path)
    for words in (["audit"], ["audit", "--format", "github"], ["audit", "--format", "sarif"], ["import", "--alone"]):
        module = ["--module", "a:b"] if words[0] == "import" else []
        result = CliRunner().invoke(commands, [*words, *module, str(file)], prog_name="container-kit")
        assert result.exit_code in (0, 1, 2)
        assert isinstance(result.exception, SystemExit | None), (words, result.exception)
        assert not {"\x1b", "\x07", "\0"} & set(result.output), words
        # Only the excerpt of the file's own line has it.
        told = [line for line in result.output.split("\n") if words != ["audit"] or not re.match(r" *\d+ \| ", line)]
        assert not any("hunter2" in line for line in told), words
    assert not (tmp_path / "executed").exists()
    assert all("hunter2" not in made.read_text() for made in tmp_path.glob("*.yaml") if made != file)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("aws_secret_access_key = hunter2\nworkers = 3\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "linked.conf.py").symlink_to(tmp_path / "credentials")
    (project / "own.conf.py").write_text("workers = 'many'\n")
    (project / "inside.conf.py").symlink_to("own.conf.py")
    for name, seen in (("linked", False), ("inside", True)):
        (project / "Procfile").write_text(f"web: gunicorn -c {name}.conf.py a:b\n")
        result = CliRunner().invoke(commands, ["audit", str(project / "Procfile")], prog_name="container-kit")
        assert "hunter2" not in result.output
        assert ("many" in result.output) is seen and ("not seen: " in result.output) is not seen


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "loop", "not UTF-8", "large"])
def test_what_is_no_small_text_is_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind in ("device", "loop"):
        file.symlink_to("/dev/zero" if kind == "device" else file.name)
    else:
        file.write_bytes(b"services: \xff" if kind == "not UTF-8" else b"x" * (2 << 20))
    for command in ("audit", "import"):
        result = CliRunner().invoke(commands, [command, str(file)], prog_name="container-kit")
        assert result.exit_code == 2 and "compose.yaml" in result.output


#: Texts by their length, that tempt a search to begin again at each of their parts.
LONG: dict[str, tuple[int, Callable[[int], dict[str, str]]]] = {
    "a unit's variable": (
        8_000,
        lambda n: {"a.service": f"[Service]\nEnvironment={'A' * n}\nExecStart=gunicorn a:b\n"},
    ),
    "a program's variable": (
        30_000,
        lambda n: {"a.conf": f"[program:a]\nenvironment={'A' * n}\ncommand=gunicorn a:b\n"},
    ),
    "options of a list": (2_000, lambda n: {"Procfile": f"web: gunicorn a:b {'-b x ' * n}\n"}),
    "names of a configuration": (6_000, lambda n: {"a.conf.py": "".join(f"_a{i} = 1\n" for i in range(n))}),
    "names under a command": (
        6_000,
        lambda n: {
            "Procfile": "web: gunicorn -c a.conf.py a:b\n",
            "a.conf.py": "".join(f"a{i} = a{i}\n" for i in range(n)),
        },
    ),
    "a base image": (10_000, lambda n: {"Dockerfile": f"FROM {'python' * n}\nHEALTHCHECK CMD curl a\n"}),
    "braces before a command": (40_000, lambda n: {"Dockerfile": f"FROM a\nCMD {'{ ' * n}gunicorn a:b\n"}),
    "stages upon stages": (
        1_000,
        lambda n: {
            "Dockerfile": "FROM a AS s0\n"
            + "".join(f"FROM s{i} AS s{i + 1}\nCOPY x{i} .\nENV A{i}=b\nRUN apt install p{i}\n" for i in range(n))
            + "CMD gunicorn a:b\n"
        },
    ),
    "options of apt": (4_000, lambda n: {"Dockerfile": f"FROM a\nRUN apt {'-apt ' * n}\n"}),
    "a script's variables": (8_000, lambda n: {"a.sh": "".join(f"export A{i}=1\n" for i in range(n))}),
    "a script that gives way": (
        30_000,
        lambda n: {
            "Dockerfile": 'FROM a\nENTRYPOINT ["/a.sh"]\nCMD ["gunicorn", "a:b"]\n',
            "a.sh": f"$@ {'exec ' * n}\n",
        },
    ),
    "here-documents": (4_000, lambda n: {"a.sh": "".join(f"cat <<A{i}\n" for i in range(n))}),
}


@pytest.mark.parametrize("name", LONG)
def test_four_times_the_text_takes_about_four_times_as_long(name: str) -> None:
    size, made = LONG[name]

    def taken(length: int) -> float:
        sources = [Source(file, text) for file, text in made(length).items()]
        begun = time.process_time()
        audit(sources)
        return time.process_time() - begun

    taken(size)  # what is read once, gunicorn's table, is none of it
    # A square would be sixteen.
    assert min(taken(4 * size) for _ in range(3)) < 10 * min(taken(size) for _ in range(3))
