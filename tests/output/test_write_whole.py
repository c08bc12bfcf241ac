"""A write is whole or not at all: ended at each step by an error, a signal or a kill, and the next run repairs."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.errors import TargetError
from generator.output import lock
from generator.output.drift import Bundle
from generator.output.journal import FOLDER
from generator.output.lock import locked
from generator.output.write import find_drift, write_bundles
from tests.output.test_write import LIST, A, B, run, tree, version

#: No more steps than this: else a test that ends no run at all would count for ever.
MAX_STEPS = 500
#: From A and B: every kind of change, in two folders, with a new folder, an orphan and a foreign file.
LESS = Bundle("docker/a", {path: text + "#\n" for path, text in A.files.items() if path != "k8s/a.yaml"})
MORE = Bundle("docker/b", {**B.files, "docker/b/deep/down/new.txt": "new\n", "k8s/b.yaml": "kind: C\n"})
FOREIGN = b"not UTF-8: \xff\n"


def prepare(root: Path) -> dict[str, str]:
    run(root, A, B)
    (root / "docker/a/conf.py").write_bytes(FOREIGN)
    return tree(root)


def new_files(root: Path) -> dict[str, str]:
    """What a run that nothing ends makes of it."""
    prepare(root)
    write_bundles(root, [LESS, MORE], force=True)
    return tree(root)


def child(work: Callable[[], Any], root: Path, nth: int, at_step: Callable[[], None]) -> int:
    """The wait status of a process that does the work, where ``at_step`` is called before its nth system call."""
    if process := os.fork():
        return os.waitpid(process, 0)[1]
    try:
        steps = 0

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            # What touches files: open, os.mkdir, os.link, os.rename, os.remove, os.rmdir, os.listdir, ...
            nonlocal steps
            if str(root) in str(arguments) and event.startswith(("open", "os.")):
                steps += 1
                if steps == nth:
                    at_step()

        sys.addaudithook(audit)
        work()
        os._exit(0 if steps < nth else 99)
    except TargetError:
        os._exit(2)
    except BaseException:
        os._exit(3)


def each_step(tmp_path: Path, at_step: Callable[[], None], work: Callable[[Path], Any]) -> Any:
    """(root, wait status, the tree before) for each step of the work."""
    for nth in range(1, MAX_STEPS):
        root = tmp_path / str(nth)
        root.mkdir()
        before = prepare(root)
        status = child(lambda root=root: work(root), root, nth, at_step)  # type: ignore[misc]
        if status == 0:
            assert nth > 40, "that many steps are not all"
            return
        yield root, status, before
    raise AssertionError("no end")


def write(root: Path) -> None:
    write_bundles(root, [LESS, MORE], force=True)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise OSError(28, "No space left on device", "somewhere")


def one_of(found: dict[str, str], *whole: dict[str, str]) -> bool:
    return {path: text for path, text in found.items() if not path.startswith(FOLDER)} in whole


@pytest.mark.parametrize("next_run", ["the same", "the one before", "of another profile"])
def test_a_kill_at_every_step_is_repaired_by_the_next_run(next_run: str, tmp_path: Path) -> None:
    new = new_files(tmp_path / "whole")
    for root, status, before in each_step(tmp_path, kill, write):
        assert os.WTERMSIG(status) == signal.SIGKILL
        foreign = (root / "docker/a/conf.py").read_bytes() == FOREIGN
        if next_run == "the same":
            # Force only if the user's own file is still there: never for the half work of the run that was killed.
            write_bundles(root, [LESS, MORE], force=foreign)
            assert tree(root) == new
        elif next_run == "the one before":
            write_bundles(root, [A, B], force=foreign)
            assert tree(root).keys() == before.keys() and tree(root)["k8s/b.yaml"] == B.files["k8s/b.yaml"]
        else:
            write_bundles(root, [Bundle("docker/c", {"docker/c/x": "x"})])
            others = {path: text for path, text in tree(root).items() if not path.startswith("docker/c/")}
            assert others in (before, new)


def test_a_kill_at_every_step_of_the_repair_is_repaired_too(tmp_path: Path) -> None:
    new = new_files(tmp_path / "whole")

    def repair(root: Path) -> None:
        with locked(root):
            pass

    for root, _, before in each_step(tmp_path, kill, write):
        for nth in range(1, MAX_STEPS):
            if child(lambda root=root: repair(root), root, nth, kill) == 0:  # type: ignore[misc]
                break
        assert tree(root) in (before, new)


def test_a_kill_at_every_step_of_the_way_back_is_repaired_too(tmp_path: Path) -> None:
    """An error in the middle of the renames, and then the kill."""
    new_files(tmp_path / "whole")
    for nth in range(1, MAX_STEPS):
        root = tmp_path / str(nth)
        root.mkdir()
        before = prepare(root)

        def write_and_fail(root: Path = root) -> None:
            original, calls = os.replace, []

            def replace(source: Any, target: Any) -> None:
                calls.append(source)
                if len(calls) == 4:
                    fail()
                original(source, target)

            os.replace = replace  # type: ignore[assignment]
            write(root)

        status = child(write_and_fail, root, nth, kill)
        if os.WIFSIGNALED(status):
            with locked(root):
                pass
            assert one_of(tree(root), before, tree(tmp_path / "whole"))
            assert not (root / FOLDER).exists()
        else:
            assert os.WEXITSTATUS(status) == 2 and nth > 40
            assert tree(root) == before
            return


def test_a_write_that_was_cut_short_is_repaired(tmp_path: Path) -> None:
    """A kill in the middle of one file's content; the steps above are whole calls."""
    before = prepare(tmp_path)
    for nth in range(1, 8):

        def write_half(nth: int = nth) -> None:
            original, calls = os.write, []

            def half(descriptor: int, data: bytes) -> int:
                calls.append(data)
                if len(calls) == nth:
                    original(descriptor, bytes(data)[: len(data) // 2])
                    kill()
                return original(descriptor, data)

            os.write = half  # type: ignore[assignment]
            write(tmp_path)

        assert os.WIFSIGNALED(child(write_half, tmp_path, 0, kill))
        assert one_of(tree(tmp_path), before)
        with locked(tmp_path):
            assert tree(tmp_path) == before


def test_an_error_at_every_step_puts_everything_back(tmp_path: Path) -> None:
    new = new_files(tmp_path / "whole")
    for root, status, before in each_step(tmp_path, fail, write):
        code = os.waitstatus_to_exitcode(status)
        # While tidying up after all was done an error is none: what stays is removed by the next run.
        assert code == 2 or one_of(tree(root), new)
        assert one_of(tree(root), before if code == 2 else new)
        with locked(root):
            pass
        assert tree(root) == (before if code == 2 else new)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_at_every_step_leaves_nothing_half_done(number: signal.Signals, tmp_path: Path) -> None:
    new = new_files(tmp_path / "whole")

    def write_interrupted(root: Path) -> None:
        for ended_by in (signal.SIGTERM, signal.SIGHUP):  # nohup has pytest, and so this process, ignore the second
            signal.signal(ended_by, signal.SIG_DFL)
        try:
            write(root)
        except KeyboardInterrupt:
            os._exit(130)

    for root, status, before in each_step(tmp_path, lambda: os.kill(os.getpid(), number), write_interrupted):
        code = os.waitstatus_to_exitcode(status)
        assert code == (130 if number == signal.SIGINT else -number)
        assert tree(root) in (before, new)


def test_what_a_power_failure_tore_goes_back(tmp_path: Path) -> None:
    """The journal is there, but not all of what it names."""
    before = prepare(tmp_path)

    def torn() -> None:
        original, calls = os.replace, []

        def replace(source: Any, target: Any) -> None:
            original(source, target)
            calls.append(target)
            if len(calls) == 3:  # the journal, and two files
                waiting = sorted((tmp_path / FOLDER).glob("*.new"))
                waiting[-1].write_bytes(b"")
                kill()

        os.replace = replace  # type: ignore[assignment]
        write(tmp_path)

    assert os.WIFSIGNALED(child(torn, tmp_path, 0, kill))
    assert not one_of(tree(tmp_path), before)
    with locked(tmp_path):
        assert tree(tmp_path) == before


def interrupted(root: Path) -> None:
    """Killed with two files in place."""

    def two() -> None:
        original, calls = os.replace, []

        def replace(source: Any, target: Any) -> None:
            original(source, target)
            calls.append(target)
            if len(calls) == 3:
                kill()

        os.replace = replace  # type: ignore[assignment]
        write(root)

    assert os.WIFSIGNALED(child(two, root, 0, kill))


def test_a_look_does_not_repair_but_tells(tmp_path: Path) -> None:
    prepare(tmp_path)
    interrupted(tmp_path)
    before = tree(tmp_path)
    found = {change.path: change.verb for change in find_drift(tmp_path, [LESS, MORE])}
    assert found[f"{FOLDER}/journal.json"] == "removed"
    assert tree(tmp_path) == before


def test_what_somebody_changed_after_the_kill_is_kept(tmp_path: Path) -> None:
    prepare(tmp_path)
    interrupted(tmp_path)
    (tmp_path / "k8s/b.yaml").write_text("mine: 1\n")
    with pytest.raises(TargetError, match=r"k8s/b.yaml: changed by hand"):
        write_bundles(tmp_path, [LESS, MORE])
    assert (tmp_path / "k8s/b.yaml").read_text() == "mine: 1\n"


@pytest.mark.parametrize(
    "text",
    ["", "{", "\0", "[" * 100_000, "{}", '{"entries": [{"path": "../x", "old": null, "new": null}], "folders": []}'],
    ids=["empty", "open", "NUL", "deep", "other", "outside"],
)
def test_a_journal_that_is_not_ours_is_named(text: str, tmp_path: Path) -> None:
    run(tmp_path, A)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "journal.json").write_text(text)
    with pytest.raises(TargetError, match=r"not a journal of the generator; remove "):
        write_bundles(tmp_path, [version(2)])


def test_two_runs_at_once_write_one_after_the_other(tmp_path: Path) -> None:
    """The second begins while the first stands still between two renames; each run's files are of one version."""
    run(tmp_path, version(0))
    gate, opened = os.pipe()

    def first() -> None:
        original = os.replace

        def replace(source: Any, target: Any) -> None:
            original(source, target)
            if str(target).endswith("conf.py"):
                (tmp_path / "between").write_text("")
                os.read(gate, 1)

        os.replace = replace  # type: ignore[assignment]
        write_bundles(tmp_path, [version(1)])
        os._exit(0)

    def second() -> None:
        write_bundles(tmp_path, [version(2)])
        os._exit(0)

    processes = []
    for work in (first, second):
        if not (process := os.fork()):
            try:
                work()
            finally:
                os._exit(3)
        processes.append(process)
        deadline = time.monotonic() + 60
        while not (tmp_path / "between").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert os.waitpid(processes[1], os.WNOHANG) == (0, 0), "it waits"
    os.write(opened, b"x")
    assert [os.waitpid(process, 0)[1] for process in processes] == [0, 0]
    (tmp_path / "between").unlink()
    assert {path: text for path, text in tree(tmp_path).items() if path != LIST} == version(2).files


def test_a_run_that_waits_in_vain_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.2)
    with locked(tmp_path), pytest.raises(TargetError, match="another run has been writing here"):
        write_bundles(tmp_path, [A])
    with locked(tmp_path, writing=False), locked(tmp_path, writing=False):
        pass
    write_bundles(tmp_path, [A])


def test_leftovers_of_earlier_versions_go(tmp_path: Path) -> None:
    run(tmp_path, A)
    leftovers = ["docker/a/.Dockerfile.kit-new", "k8s/.a.yaml.kit-new", "docker/a/..generated.json.kit-new"]
    for path in leftovers:
        (tmp_path / path).write_text("half")
    assert run(tmp_path, version(2)).items() >= dict.fromkeys(leftovers, "removed").items()
    assert tree(tmp_path).keys() == {*A.files, LIST}


@pytest.mark.parametrize("umask", [0o077, 0o022, 0])
def test_modes_do_not_depend_on_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        run(tmp_path, A)
    finally:
        os.umask(before)
    assert {(tmp_path / path).stat().st_mode & 0o777 for path in (*A.files, LIST)} == {0o644}
