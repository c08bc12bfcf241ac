"""The search: interleaved rounds, successive halving, and what the figures allow one to say. Measures nothing itself.

Every round measures each candidate that is left once, so that what disturbs the machine for a while disturbs them all.
After the first, coarse round those go on that may be the best; after each later one the better half, until a few
finalists have been measured often enough to know their spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from ..runtime.sizing import ceil_div

#: Candidates that are measured to the end, and how often each of them is then measured at least, after a first measure
#: that only says where to look: its rates lie far apart.
FINALISTS, MEASURES = 3, 3
#: Rates of a first measure lie this factor apart, so equal figures of it may be as far apart as that.
COARSE = 1.6
#: Rates of the others lie a tenth apart (trial.FINE), so nearer medians are one and the same result.
RESOLUTION = 0.1
#: Choosing the simpler of two equals must not cost more than the first part of the rate, nor may the measures of one of
#: them lie further apart than the second: else they are equal only because the machine is noisy.
MAX_LOSS, MAX_SPREAD = 0.25, 0.5

NO_TIME = "give more --minutes, or name fewer servers with --server"

#: Candidate's name and seconds to its figure, in requests a second; 0: it does not hold the load at all.
Measure = Callable[[str, float], float]


@dataclass(frozen=True)
class Entry:
    """One that takes part: ``simplicity`` orders equals, simplest first; one that cannot be chosen is a comparison."""

    name: str
    simplicity: tuple[int, ...]
    own: bool = False
    eligible: bool = True


@dataclass(frozen=True)
class Standing:
    """What was measured of one of them: requests a second, one figure a round."""

    entry: Entry
    figures: tuple[float, ...]

    @property
    def settled(self) -> tuple[float, ...]:
        """Without the first, coarse one, as soon as there are others."""
        return self.figures[1:] or self.figures

    @property
    def median(self) -> float:
        return median(self.settled) if self.figures else 0.0

    @property
    def spread(self) -> float:
        """From the lowest to the highest figure, as a part of the median."""
        return (max(self.settled) - min(self.settled)) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Verdict:
    """The candidate to take, or why none can be named."""

    chosen: Standing | None
    #: Those that no measurement tells from the best one, the best first.
    equals: tuple[Standing, ...]
    standings: tuple[Standing, ...]
    #: Why nothing was chosen; empty where something was.
    undecided: str = ""


@dataclass
class _Search:
    entries: Sequence[Entry]
    measure: Measure
    seconds_left: Callable[[], float]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def standing(self, entry: Entry) -> Standing:
        return Standing(entry, tuple(self.figures.get(entry.name, ())))

    def round(self, entries: Sequence[Entry], number: int, seconds: float) -> bool:
        """Measure each once, beginning with another one in each round; whether there was time for all of them.

        Without, the round's figures do not count: those that came last would be compared by fewer than the first. Only
        the first round's, which decide nothing, are shown.
        """
        start = number % len(entries)
        found: dict[str, float] = {}
        for entry in [*entries[start:], *entries[:start]]:
            if self.seconds_left() <= seconds / 2:
                break
            found[entry.name] = self.measure(entry.name, seconds)
        is_whole = len(found) == len(entries)
        for name, figure in found.items() if is_whole or number == 0 else ():
            self.figures.setdefault(name, []).append(figure)
        return is_whole


def rounds(candidates: int) -> list[int]:
    """How many are measured in each round at most: all twice, half as many each time, the finalists twice or until
    their spread is known."""
    sizes = [candidates, candidates]
    while sizes[-1] > FINALISTS:
        sizes.append(max(FINALISTS, ceil_div(sizes[-1], 2)))
    return sizes + [sizes[-1]] * max(1, MEASURES + 1 - len(sizes))


def search(entries: Sequence[Entry], measure: Measure, seconds_left: Callable[[], float]) -> Verdict:
    """Find the best of ``entries`` in the time that is left. The profile's own, and comparisons, are never dropped."""
    run = _Search(entries, measure, seconds_left)
    stay = [entry for entry in entries if entry.own or not entry.eligible]
    racing = [entry for entry in entries if entry not in stay]
    sizes = rounds(len(racing)) if racing else [0] * (MEASURES + 1)
    for number, size in enumerate(sizes):
        standings = ranked(map(run.standing, racing))
        racing = [one.entry for one in (may_be_best(standings) if number == 1 else standings)][:size]
        # A comparison is measured first, when a round is cheap, and at the end, when its figure is compared.
        guests = [entry for entry in stay if entry.eligible or number in (0, len(sizes) - 1)]
        left = sum(min(later, len(racing)) for later in sizes[number:]) + len(guests) * (len(sizes) - number)
        if not run.round([*guests, *racing], number, seconds_left() / max(1, left)):
            break
    return judge([run.standing(entry) for entry in entries])


def may_be_best(standings: Sequence[Standing]) -> list[Standing]:
    """Of those that have had their coarse measure, the ``ranked`` ones within a step of the best and one for a hiccup,
    and never fewer than the finalists."""
    best = max((one.median for one in standings), default=0.0)
    near = [one for one in standings if one.median * COARSE**1.5 >= best]
    return near if len(near) >= FINALISTS else list(standings[:FINALISTS])


def ranked(standings: Sequence[Standing] | map[Standing]) -> list[Standing]:
    """Best first; those that cannot be told from the best one by simplicity, so that a cut does not drop them first."""
    found = list(standings)
    best = max((one.median for one in found), default=0.0)

    def key(one: Standing) -> tuple[bool, tuple[int, ...] | float]:
        near = one.median >= best * (1 - RESOLUTION)
        return (not near, one.entry.simplicity if near else -one.median)

    return sorted(found, key=key)


def judge(standings: Sequence[Standing]) -> Verdict:
    """Choose among those that were measured often enough; pure, from their figures alone."""
    every = tuple(sorted(standings, key=lambda one: (-len(one.figures), -one.median)))
    finalists = [one for one in every if one.entry.eligible and len(one.figures) > MEASURES]
    if not finalists:
        return Verdict(None, (), every, f"no time for {MEASURES} measures of any candidate: {NO_TIME}")
    best = max(finalists, key=lambda one: one.median)
    if not best.median:
        return Verdict(None, (), every, "no candidate keeps the limit at any rate: is --path right, or --p99 too low?")
    equals = [one for one in finalists if _equal(one, best)]
    equals.sort(key=lambda one: -one.median)
    chosen = min(equals, key=lambda one: one.entry.simplicity)
    telling = [*equals, *(one for one in finalists if one.entry.own and one.median > best.median / 2)]
    noise = _noise(chosen, best, telling)
    return Verdict(None if noise else chosen, tuple(equals), every, noise)


def _equal(one: Standing, best: Standing) -> bool:
    """Whether their figures overlap, or lie nearer than a run can tell."""
    return max(one.settled) >= min(best.settled) or one.median >= best.median * (1 - RESOLUTION)


def _noise(chosen: Standing, best: Standing, telling: Sequence[Standing]) -> str:
    """Why the figures decide nothing, or nothing where they do."""
    loss = 1 - chosen.median / best.median
    if loss > MAX_LOSS:
        return (
            f"too noisy to tell: {chosen.entry.name} ({_range(chosen)}) and {best.entry.name} ({_range(best)}) "
            f"overlap, {100 * loss:.0f} % apart"
        )
    for one in telling:
        if one.spread > MAX_SPREAD:
            return f"too noisy to tell: {one.entry.name} had {_range(one)} requests/s in {len(one.settled)} measures"
    return ""


def _range(one: Standing) -> str:
    return f"{min(one.settled):.0f} to {max(one.settled):.0f}"
