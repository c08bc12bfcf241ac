"""A failure while writing puts everything back, a kill leaves every file whole; what must be there before."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generator.errors import TargetError
from generator.output.write import Bundle, apply_changes, plan_changes, require_inputs
from tests.fast_support import ROOT
from tests.output.test_write import LIST, A, B, run, tree, version


@pytest.mark.parametrize("method", ["replace", "open", "unlink"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("lasting", [False, True])
def test_a_failure_puts_everything_back(
    method: str, nth: int, lasting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, A, B)
    (tmp_path / "docker/a/conf.py").write_bytes(b"not UTF-8: \xff\n")
    before = tree(tmp_path)
    less = Bundle("docker/a", {path: text + "#\n" for path, text in A.files.items() if path != "k8s/a.yaml"})
    more = Bundle("docker/b", {**B.files, "docker/b/new.txt": "new\n"})
    changes = plan_changes(tmp_path, [less, more], force=True)
    original, calls = getattr(Path, method), []

    def failing(self: Path, *args: object, **named: object) -> object:
        if method != "unlink" or self.name == "a.yaml":  # the others remove temporary files
            calls.append(self)
            if len(calls) == nth or (lasting and len(calls) > nth and self == calls[nth - 1]):
                raise OSError(28, "No space left on device", str(self))
        return original(self, *args, **named)

    monkeypatch.setattr(Path, method, failing)
    if method == "unlink" and nth > 1:
        apply_changes(tmp_path, changes)
        assert len(calls) == 1
        return
    with pytest.raises(TargetError, match="No space left on device; nothing was changed"):
        apply_changes(tmp_path, changes)
    monkeypatch.undo()
    assert tree(tmp_path) == before


KILLED = """
import json, os, signal, sys
from pathlib import Path
from generator.output.write import Bundle, apply_changes, plan_changes, require_inputs
root, method, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = 0
original = getattr(Path, method)
def killed(self, *args, **named):
    global calls
    calls += 1
    if calls < nth:
        return original(self, *args, **named)
    if method == "open":
        with original(self, *args, **named) as file:
            file.write("half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
changes = plan_changes(root, [Bundle("docker/a", json.loads(sys.argv[4]))])
setattr(Path, method, killed)
apply_changes(root, changes)
"""


@pytest.mark.parametrize(("method", "nth"), [("open", 1), ("open", 4), ("replace", 1), ("replace", 2), ("replace", 4)])
def test_a_kill_leaves_each_file_whole_and_the_next_run_repairs(method: str, nth: int, tmp_path: Path) -> None:
    run(tmp_path, version(1))
    command = [sys.executable, "-c", KILLED, str(tmp_path), method, str(nth), json.dumps(version(2).files)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    for path in A.files:
        assert (tmp_path / path).read_text() in (version(1).files[path], version(2).files[path])
    run(tmp_path, version(2))
    assert tree(tmp_path).keys() == {*A.files, LIST}
    assert {path: (tmp_path / path).read_text() for path in A.files} == version(2).files


@pytest.mark.parametrize(
    ("path", "is_folder", "message"),
    [
        ("app", True, None),
        ("app/r.txt", False, None),
        (".", True, None),
        ("app", False, "app: no such file below "),
        ("app/r.txt", True, "app/r.txt: no such folder below "),
        ("none", True, "none: no such folder below "),
        ("out", True, "out: leads outside the build context by a link; copy the files instead"),
        ("loop", True, "loop: leads outside the build context by a link"),
        ("x" * 300, True, ": no such folder below "),
    ],
)
def test_the_apps_own_files(path: str, is_folder: bool, message: str | None, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "app").mkdir(parents=True)
    (root / "app/r.txt").write_text("")
    (root / "out").symlink_to("..")
    (root / "loop").symlink_to("loop")
    if message is None:
        require_inputs(root, [(path, is_folder, "web.yaml:2:1")])
    else:
        with pytest.raises(TargetError, match=message):
            require_inputs(root, [("app", True, "web.yaml:1:1"), (path, is_folder, "web.yaml:2:1")])
