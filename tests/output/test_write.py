"""Files on disk: whose they are, what a run may touch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.errors import TargetError
from generator.output import journal
from generator.output.drift import Bundle, Change
from generator.output.write import find_drift, write_bundles

A = Bundle("docker/a", {"docker/a/Dockerfile": "FROM a\n", "docker/a/conf.py": "x = 1\n", "k8s/a.yaml": "kind: A\n"})
B = Bundle("docker/b", {"docker/b/Dockerfile": "FROM b\n", "k8s/b.yaml": "kind: B\n"})
LIST = "docker/a/.generated.json"


def version(number: int) -> Bundle:
    return Bundle(A.folder, {path: f"{text}# {number}\n" for path, text in A.files.items()})


def run(root: Path, *bundles: Bundle, force: bool = False) -> dict[str, str]:
    """Write the bundles; what was done to each path."""
    return verbs(write_bundles(root, bundles, force))


def verbs(changes: list[Change]) -> dict[str, str]:
    return {change.path: change.verb for change in changes}


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_bytes().decode("latin-1")
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_created_then_unchanged_then_changed_then_removed(tmp_path: Path) -> None:
    every = [*A.files, LIST]
    assert run(tmp_path, A) == dict.fromkeys(every, "created")
    assert json.loads((tmp_path / LIST).read_text()).keys() == A.files.keys()
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in every}
    assert run(tmp_path, A) == dict.fromkeys(every, "unchanged")
    assert {path: (tmp_path / path).stat().st_mtime_ns for path in every} == before
    assert run(tmp_path, version(2)) == dict.fromkeys(every, "changed")
    less = Bundle("docker/a", {"docker/a/Dockerfile": "FROM a\n"})
    assert run(tmp_path, less) == {
        "docker/a/Dockerfile": "changed",
        LIST: "changed",
        "docker/a/conf.py": "removed",
        "k8s/a.yaml": "removed",
    }
    assert tree(tmp_path).keys() == {"docker/a/Dockerfile", LIST}


def by_hand(root: Path) -> None:
    (root / "docker/a/conf.py").write_text("mine = 1\n")


def no_list(root: Path) -> None:
    (root / LIST).unlink()
    by_hand(root)


def bytes_by_hand(root: Path) -> None:
    (root / "docker/a/conf.py").write_bytes(b"caf\xe9 \xff\n")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (by_hand, "docker/a/conf.py: changed by hand\nmove them away, or overwrite them with --force"),
        (bytes_by_hand, "docker/a/conf.py: changed by hand\nmove them away"),
        (no_list, "docker/a/conf.py: not made by the generator\nk8s/a.yaml: not made by the generator\nmove them away"),
    ],
)
def test_somebody_elses_file_is_refused_and_forced(
    prepare: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    run(tmp_path, A)
    prepare(tmp_path)
    before, new = tree(tmp_path), version(2) if prepare is not no_list else A
    if prepare is no_list:
        (tmp_path / "k8s/a.yaml").write_text("mine: 1\n")
        before = tree(tmp_path)
    with pytest.raises(TargetError) as caught:
        run(tmp_path, new)
    assert message in str(caught.value)
    assert tree(tmp_path) == before
    assert run(tmp_path, new, force=True)["docker/a/conf.py"] == "changed"
    assert (tmp_path / "docker/a/conf.py").read_text() == new.files["docker/a/conf.py"]


def test_a_hand_changed_file_with_the_new_text_is_no_conflict(tmp_path: Path) -> None:
    run(tmp_path, A)
    (tmp_path / "docker/a/conf.py").write_text(version(2).files["docker/a/conf.py"])
    assert run(tmp_path, version(2))["docker/a/conf.py"] == "unchanged"


def test_a_file_no_longer_made_is_kept_once_it_was_changed_by_hand(tmp_path: Path) -> None:
    run(tmp_path, A)
    by_hand(tmp_path)
    less = Bundle("docker/a", {"docker/a/Dockerfile": "FROM a\n"})
    assert "docker/a/conf.py" not in run(tmp_path, less)
    assert (tmp_path / "docker/a/conf.py").read_text() == "mine = 1\n"


@pytest.mark.parametrize(
    "copied",
    [
        {"docker/b/Dockerfile", "k8s/b.yaml", "docker/b/.generated.json"},
        {"docker/a/../b/Dockerfile", "docker/ab/x", "k8s/b.yaml", "README.md", "/etc/hostname", "../outside", ""},
        {"docker/a/\0", "docker/a/\ud800", "docker/a/" + "x" * 300, "docker/a//x", "docker/a/./x", "docker/a/\n"},
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_never_another_profiles_file_even_when_the_list_names_it(copied: set[str], force: bool, tmp_path: Path) -> None:
    root = tmp_path / "root"
    run(root, A, B)
    (tmp_path / "outside").write_text("")
    (root / "README.md").write_text("")
    others = {
        path: text for path, text in tree(tmp_path).items() if not path.startswith(("root/docker/a", "root/k8s/a"))
    }
    listed = json.loads((root / LIST).read_text()) | json.loads((root / "docker/b/.generated.json").read_text())
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (root / LIST).write_text(json.dumps({**dict.fromkeys(copied, empty), **listed}))
    run(root, A, force=force)
    after = tree(tmp_path)
    assert {path: after.get(path) for path in others} == others


BROKEN_LISTS = ["", "{", "[]", "3", '{"a": ', "\ufeff{}", "\0", "[" * 200_000, '{"a":' * 200_000]


@pytest.mark.parametrize("text", BROKEN_LISTS, ids=lambda text: ascii(text[:6]))
def test_a_broken_list_is_named(text: str, tmp_path: Path) -> None:
    run(tmp_path, A)
    (tmp_path / LIST).write_text(text)
    with pytest.raises(TargetError, match=r"\.generated\.json: not a list of generated files; remove it"):
        run(tmp_path, version(2))


@pytest.mark.parametrize(
    ("link", "to"),
    [
        ("docker/a/conf.py", "../../../outside.py"),
        ("docker/a/conf.py", "Dockerfile"),
        ("docker/a/conf.py", "nowhere"),
        ("docker/a", "../../outside"),
        ("docker/a", "a"),
        ("docker", "../outside"),
        ("docker", "/tmp"),
        ("k8s", ".."),
        (LIST, "../../../outside.py"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_links_that_lead_elsewhere_are_refused(link: str, to: str, force: bool, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside.py").write_text("{}")
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(to)
    with pytest.raises(TargetError, match="leads outside the output folder by a link; remove the link"):
        run(root, A, force=force)
    assert tree(tmp_path).get("outside.py") == "{}"
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("link", ["docker/a", "docker", "k8s"])
@pytest.mark.parametrize("write", [True, False])
def test_a_link_to_nothing_is_refused_and_later_runs_go_on(link: str, write: bool, tmp_path: Path) -> None:
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to("elsewhere")
    before = tree(tmp_path)
    with pytest.raises(TargetError, match=f"^{link}: a link that leads to nothing; remove the link$"):
        run(tmp_path, A) if write else find_drift(tmp_path, [A])
    assert tree(tmp_path) == before
    (tmp_path / link).unlink()
    assert set(run(tmp_path, A).values()) == {"created"}


def test_a_link_that_appears_while_writing_leaves_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = journal.stage

    def stage(root: Path, changes: Any) -> Any:
        found = staged(root, changes)
        (root / "k8s").symlink_to("elsewhere")
        return found

    monkeypatch.setattr(journal, "stage", stage)
    with pytest.raises(TargetError, match="k8s: a link that leads to nothing"):
        run(tmp_path, A)
    assert list(tmp_path.iterdir()) == [tmp_path / "k8s"]


def test_a_list_that_names_itself_is_mended(tmp_path: Path) -> None:
    run(tmp_path, A)
    (tmp_path / LIST).write_text(json.dumps({LIST: "0" * 64}))
    run(tmp_path, A, force=True)
    assert set(run(tmp_path, A).values()) == {"unchanged"}


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert set(run(tmp_path / "link", A).values()) == {"created"}


@pytest.mark.parametrize("in_the_way", ["docker", "docker/a/Dockerfile/x", "k8s"])
def test_a_file_or_folder_in_the_way_is_the_users_fault(in_the_way: str, tmp_path: Path) -> None:
    (tmp_path / in_the_way).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / in_the_way).write_text("")
    before = tree(tmp_path)
    with pytest.raises(TargetError):
        run(tmp_path, A, force=True)
    assert tree(tmp_path) == before


def large(path: Path) -> None:
    """3 GB, none of it on the disk."""
    with path.open("wb") as file:
        file.truncate(3 * 10**9)


@pytest.mark.parametrize("path", ["docker/a/Dockerfile", LIST, "docker/a/.Dockerfile.kit-new"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.mkdir(), large], ids=["FIFO", "folder", "3 GB"])
@pytest.mark.parametrize("write", [True, False])
def test_what_is_no_file_of_the_generator_is_refused_at_once(
    path: str, make: Callable[[Path], None], write: bool, tmp_path: Path
) -> None:
    run(tmp_path, A)
    (tmp_path / path).unlink(missing_ok=True)
    make(tmp_path / path)
    with pytest.raises(TargetError, match=r"(a FIFO, not a file|a folder, not a file|too large).*; move it away"):
        write_bundles(tmp_path, [version(2)], force=True) if write else find_drift(tmp_path, [version(2)])
    assert (tmp_path / "docker/a/conf.py").read_text() == A.files["docker/a/conf.py"]


@pytest.mark.parametrize("path", ["", "docker/a", LIST, "k8s/a.yaml"])
@pytest.mark.parametrize("write", [True, False])
def test_what_cannot_be_read_is_the_users_fault(
    path: str, write: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, A)
    original = os.open

    def failing(name: str | Path, *rest: int, **named: int) -> int:  # root may read everything, so it is made here
        if Path(name).is_relative_to(tmp_path / path):
            raise PermissionError(13, "Permission denied", str(name))
        return original(name, *rest, **named)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(TargetError, match="Permission denied"):
        write_bundles(tmp_path, [version(2)]) if write else find_drift(tmp_path, [version(2)])
