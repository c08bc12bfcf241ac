"""The search with a simulated measurement: it picks the known best, calls equals equal, admits what it cannot tell."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import pytest

from generator.tune.search import COARSE, Entry, Standing, Verdict, judge, may_be_best, rounds, search
from generator.tune.trial import rates_around

SERVERS = {"gevent": 0, "gthread": 1, "pywsgi": 2}
Model = Callable[[str, int, int], float]


@dataclass
class Simulated:
    """A machine whose clock moves only while something is measured."""

    model: Model
    noise: float
    seconds: float
    seed: int
    #: Seconds of one measure at least, whatever the search has for it.
    least: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.measured: list[str] = []
        self.known: dict[str, list[float]] = {}

    def left(self) -> float:
        return self.seconds

    def __call__(self, name: str, seconds: float) -> float:
        """As trial.py: the highest rate that passes, of those a factor of 1.6 apart, then of those a tenth apart."""
        server, workers, threads = name.split()
        self.measured.append(name)
        self.seconds -= max(seconds, self.least)
        able = self.model(server, int(workers), int(threads)) * (1 + self.random.uniform(-self.noise, self.noise))
        known = self.known.setdefault(name, [])
        rates = [10 * COARSE**number for number in range(20)]
        if known:
            rates = list(rates_around(median(known[1:] or known), 12))
        known.append(max((rate for rate in rates if rate <= able), default=0.0))
        return known[-1]


def entries() -> list[Entry]:
    """As candidates.py makes them for one CPU: the profile's own server first, few workers and threads before many."""
    grid = [(server, workers, 0) for server in ("gevent", "pywsgi") for workers in (1, 2, 3)]
    grid += [("gthread", workers, threads) for workers in (2, 3) for threads in (4, 16, 64)]
    made = [
        Entry(
            f"{server} {workers} {threads}",
            (server != "gevent", workers, threads, SERVERS[server]),
            own=(server, workers) == ("gevent", 1),
        )
        for server, workers, threads in grid
    ]
    return [*made, Entry("copied 3 0", (9,), eligible=False)]


def cpu_bound(server: str, workers: int, threads: int) -> float:
    """20 ms of one CPU each: nothing beats it, more processes and threads cost a little."""
    return 50 * (1 - 0.01 * workers - 0.001 * threads) * (server != "copied" or 0.8)


def io_bound(server: str, workers: int, threads: int) -> float:
    """50 ms of waiting: threads are the limit of gthread, the CPU that of gevent."""
    return 1500 - 30 * workers if server != "gthread" else min(900, workers * threads * 20)


def blocking_driver(server: str, workers: int, threads: int) -> float:
    """50 ms in C that stops an event loop: one at a time in each worker, but for threads."""
    return min(900, workers * threads * 20) if server == "gthread" else workers * 20.0


def run(model: Model, noise: float, seed: int, seconds: float = 600, least: float = 0) -> tuple[Verdict, Simulated]:
    machine = Simulated(model, noise, seconds, seed, least)
    return search(entries(), machine, machine.left), machine


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("model", "best"),
    [
        (cpu_bound, {"gevent 1 0"}),
        (io_bound, {"gevent 1 0"}),
        (blocking_driver, {"gthread 2 64"}),
    ],
)
def test_the_known_best_is_picked_in_5_of_5_runs(model: Model, best: set[str], seed: int) -> None:
    found, machine = run(model, 0.05, seed)
    assert found.chosen is not None, found.undecided
    assert found.chosen.entry.name in best
    assert machine.seconds >= -1e-9, "it keeps to its time"


@pytest.mark.parametrize("seed", range(5))
def test_what_is_better_by_more_than_the_noise_is_found_on_a_noisy_machine_too(seed: int) -> None:
    found, _ = run(blocking_driver, 0.2, seed)
    assert found.chosen is None or found.chosen.entry.name.startswith("gthread")


@pytest.mark.parametrize("model", [cpu_bound, io_bound, blocking_driver])
def test_a_machine_too_noisy_to_tell_chooses_nothing(model: Model) -> None:
    verdicts = [run(model, 0.8, seed)[0] for seed in range(40)]
    undecided = [verdict.undecided for verdict in verdicts if verdict.chosen is None]
    assert all("too noisy to tell" in why for why in undecided)
    assert len(undecided) >= 38, "a few measures may agree by chance"


def a_half_better(server: str, workers: int, threads: int) -> float:
    """Between two rates of a first measure, 105 and 167 a second, lie the better one and those that are simpler."""
    return 160.0 if (server, workers, threads) == ("gthread", 3, 64) else 106.0 + workers


@pytest.mark.parametrize("seed", range(5))
def test_what_the_coarse_measure_does_not_tell_apart_is_measured_again(seed: int) -> None:
    found, _ = run(a_half_better, 0.02, seed)
    assert found.chosen is not None and found.chosen.entry.name == "gthread 3 64"


def test_only_what_cannot_be_the_best_is_left_out_after_the_coarse_measure() -> None:
    found = [standing(name, 0) for name in "abcde"]
    rates = (100, 62.5, 62.5, 39, 24)
    found = [Standing(one.entry, (rate,)) for one, rate in zip(found, rates, strict=True)]
    assert [one.entry.name for one in may_be_best(found)] == ["a", "b", "c"]
    assert [one.entry.name for one in may_be_best(found[::4])] == ["a", "e"], "never fewer than the finalists"
    assert len(may_be_best([found[0], *found[3:]])) == 3


def test_a_round_that_the_time_ends_in_the_middle_of_does_not_count() -> None:
    """Whenever it ends: those measured once more than the others would be compared with nobody."""
    chosen = set()
    for seconds in range(20, 60):
        found, _ = run(cpu_bound, 0.02, 0, seconds, least=1)
        chosen.add(found.chosen.entry.name if found.chosen else found.undecided[:11])
    assert chosen == {"gevent 1 0", "no time for"}


def test_rounds_are_interleaved_and_halve() -> None:
    assert rounds(12) == [12, 12, 6, 3, 3]
    assert rounds(24) == [24, 24, 12, 6, 3, 3]
    assert rounds(1) == [1, 1, 1, 1]
    assert rounds(4) == [4, 4, 3, 3]
    _, machine = run(io_bound, 0.0, 0)
    first = machine.measured[: len(entries())]
    assert sorted(first) == sorted(entry.name for entry in entries()), "each once before any a second time"
    assert machine.measured.count("gevent 1 0") == len(rounds(11)), "the profile's own is never dropped"
    assert machine.measured.count("copied 3 0") == 2, "at the beginning and at the end"


def test_no_time_is_no_verdict() -> None:
    found, machine = run(io_bound, 0.0, 0, seconds=0.0)
    assert machine.measured == []
    assert found.chosen is None and "--minutes" in found.undecided


def standing(name: str, simplicity: int, *figures: float) -> Standing:
    return Standing(Entry(name, (simplicity,)), (1.0, *figures))  # the first one only says where to look


@pytest.mark.parametrize(
    ("simple", "better", "chosen"),
    [
        ((100, 101, 102), (104, 105, 106), "simple"),  # nearer than a run can tell
        ((100, 120, 140), (139, 141, 143), "simple"),  # they overlap
        ((100, 101, 102), (150, 151, 152), "better"),
        ((0, 0, 0), (150, 151, 152), "better"),
        ((90, 100, 150), (149, 150, 152), None),  # equal only by a figure that differs from its own others
        ((0, 0, 0), (0, 0, 0), None),
    ],
)
def test_of_equals_the_simpler_one_wins(
    simple: tuple[float, ...], better: tuple[float, ...], chosen: str | None
) -> None:
    found = judge([standing("simple", 0, *simple), standing("better", 1, *better)])
    assert (found.chosen.entry.name if found.chosen else None) == chosen
    assert bool(found.undecided) == (chosen is None)


def test_a_comparison_is_never_chosen() -> None:
    guest = Standing(Entry("copied", (0,), eligible=False), (900.0,) * 4)
    found = judge([guest, standing("ours", 1, 100, 100, 100)])
    assert found.chosen is not None and found.chosen.entry.name == "ours"
