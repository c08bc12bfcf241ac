"""What the user names: the output root and the app's own files below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import TargetError
from generator.output.paths import output_root, require_inputs


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
        ("generated", True, "generated: a folder of generated files; name a folder that holds only the app"),
    ],
)
def test_the_apps_own_files(path: str, is_folder: bool, message: str | None, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "app").mkdir(parents=True)
    (root / "app/r.txt").write_text("")
    (root / "generated").mkdir()
    (root / "generated/.generated.json").write_text("{}")
    (root / "out").symlink_to("..")
    (root / "loop").symlink_to("loop")
    if message is None:
        require_inputs(root, [(path, is_folder, "web.yaml:2:1")])
    else:
        with pytest.raises(TargetError, match=message):
            require_inputs(root, [("app", True, "web.yaml:1:1"), (path, is_folder, "web.yaml:2:1")])


@pytest.mark.parametrize("given", ["", " ", "\0", "file", "file/below"])
def test_an_output_root_that_is_none_is_refused(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(TargetError, match=r"--output: .*(empty|NUL|not a folder)"):
        output_root(given)
    assert output_root(".") == Path()
    assert output_root("new/folder") == Path("new/folder")
