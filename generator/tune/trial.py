"""One measure of one candidate: booted anew, loaded at the declared connections, rate by rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from ..containers.command import EngineError
from ..containers.container import Container, Logs
from ..containers.docker import Option
from ..load_client.steps import FAILED_IN_A_ROW
from ..plan.plan import Plan
from ..proof import against, loads
from ..proof.env_file import hide
from ..proof.log import kept, last_traceback, last_words
from ..proof.request import Request
from ..proof.stage import Stage, server_options
from .search import COARSE

#: Factors around a figure that is known, and from the last of them on for as long as every rate passes.
FINE, BEYOND = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.6), 1.2
#: So much lower begins who has kept no rate: half of what one connection gets alone may be all that a fraction of a CPU
#: has for many of them (99 % of 2,336 requests/s took 12 to 160 ms, each alone 0.2, on 1 CPU shared with the client).
LOWER = 4
#: Requests a second: more than the load client sends.
MAX_RATE = 20_000.0
#: Seconds of one rate at least, so that 99 of 100 requests mean something; and times the limit, so that a late request
#: is seen and a queue that grows stands out from the requests that any rate has in progress.
MIN_STEP, STEP_LIMITS, COARSE_STEPS = 0.5, 3, 12
#: Seconds of one run at most, by which the list of rates is cut: a command in the load container may take 300. What
#: has time for fewer rates than the second figure cannot be measured.
MAX_RUN, MIN_RATES = 220.0, 4
#: Rates of one run, which time that is left over does not reduce.
COMFORTABLE_RATES = 18
#: Measures in a row of a candidate that passes every rate of them.
MAX_CLIMBS = 3
#: Requests over so many connections for so many seconds before the first rate.
WARM_CONNECTIONS, WARM_SECONDS = 50, 0.5
#: A rate of which the client itself sent more than this part late says nothing about the server.
MAX_LAGGED = 0.01
#: Seconds for the connections to open, usually and at most.
OPENING, MAX_OPENING = 2.0, 30


#: Of a request on its own or of --p99, in seconds: what the longest run has time for.
MAX_LIMIT = MAX_RUN / MIN_RATES / STEP_LIMITS


class NotServing(EngineError):
    """The candidate itself does not get ready; any other error of the engine says nothing about it."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class Trial:
    """What became of it: requests a second of which 99 % had a response within the limit and nothing failed."""

    rate: float
    steps: Sequence[Mapping[str, Any]] = ()
    #: Why there is no figure: it did not boot, or ended.
    fault: str = ""
    #: Responses of another status than 2xx, and the exception that the app's last traceback ends with.
    errors: str = ""
    #: Whether this machine's load client, not the server, was late at the rate that ended the run.
    client_late: bool = False
    #: Whether no rate was too much, so that it may do more.
    all_passed: bool = False
    ready_seconds: float | None = None


@dataclass
class Bench:
    """What all trials share."""

    stage: Stage
    request: Request
    connections: int
    #: Image by server's name.
    images: Mapping[str, str]
    #: Seconds within which 99 % of the requests must have their responses.
    limit: float = 1.0
    #: Milliseconds of one request on its own, by which the first rate is chosen.
    alone_ms: float = 10.0
    trials: list[tuple[str, Trial]] = field(default_factory=list)
    #: By candidate: of the last container that did not serve, or answered errors.
    logs: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def booted(self, plan: Plan, environment: Mapping[str, str] | None = None) -> Iterator[tuple[Container, float]]:
        """The plan's server under its limits, ready, with the seconds that it took; removed afterwards.

        Raises NotServing where it does not get ready in the profile's own time.
        """
        options = server_options(plan)
        options["env"] = {
            **_environment(options),
            "WEB_CONCURRENCY": str(plan.numbers.workers.value),
            **(environment or {}),
        }
        arguments = ["--threads", str(plan.numbers.threads.value)] if plan.numbers.threads else []
        with self._started(self.images[plan.server.name], arguments, options, plan.profile.port, plan) as found:
            yield found

    @contextmanager
    def copied(self, plan: Plan) -> Iterator[tuple[Container, float]]:
        """The configuration that people copy, in gevent's image."""
        options = against.seed_options(plan)
        with self._started(self.images["gevent"], against.seed_command(plan), options, against.PORT, plan) as found:
            yield found

    @contextmanager
    def _started(
        self, image: str, words: Sequence[str], options: dict[str, Any], port: int, plan: Plan
    ) -> Iterator[tuple[Container, float]]:
        with self.stage.run_app(image, *words, **options) as container:
            path, host = plan.probes.readiness_path or "-", plan.probes.host
            target = (path, host) if host and path != "-" else (path,)
            ready = self.stage.inside("wait", str(port), str(plan.startup_seconds), *target)
            if ready["ready_at"] is None:
                words = f"not ready: {ready['message']}\n{last_words(container.logs())}"
                raise NotServing(words, kept(container))
            yield container, ready["ready_at"] - container.started_at()

    def run(self, port: int, connections: int, seconds: float, **options: float | bool | str) -> dict[str, Any]:
        """The load client, beside whatever is booted."""
        return loads.of_client(self.stage.exec(*loads.client(port, self.request, connections, seconds, **options)))

    def measure(self, name: str, plan: Plan | None, own: Plan, seconds: float) -> Trial:
        """Boot it and raise the rate until two in a row are too much; ``plan`` None is the copied configuration.

        Raises EngineError where the engine or the load client fails twice: that says nothing about the candidate.
        """
        for _ in range(MAX_CLIMBS):
            trial = self._once_more(name, plan, own, seconds)
            is_first = name not in (other for other, _ in self.trials)
            self.trials.append((name, trial))
            if is_first or not trial.all_passed or trial.rate >= 0.99 * self.most:
                break
        return trial

    @property
    def most(self) -> float:
        """Requests a second at which no connection is free any more, or the load client has enough."""
        return min(MAX_RATE, self.connections * 1000 / self.alone_ms)

    def _once_more(self, name: str, plan: Plan | None, own: Plan, seconds: float) -> Trial:
        """A measure; another one where the engine or the load client fails."""
        for attempt in range(2):
            try:
                return self._measure(name, plan, own, seconds)
            except NotServing as error:
                self.logs[name] = hide(error.log, self.stage.given.secrets)
                return Trial(0.0, fault=hide(str(error), self.stage.given.secrets))
            except EngineError:
                if attempt:
                    raise
        raise AssertionError

    def first_rates(self, name: str, count: int) -> tuple[float, ...]:
        """Those of a candidate that has kept none yet."""
        misses = sum(other == name and bool(trial.steps) and not trial.rate for other, trial in self.trials)
        return rates_from(self.alone_ms * LOWER**misses, self.most, count)

    def _measure(self, name: str, plan: Plan | None, own: Plan, seconds: float) -> Trial:
        before = [trial for other, trial in self.trials if other == name and trial.rate]
        known = [before[-1].rate] if before and before[-1].all_passed else [trial.rate for trial in before]
        booted = self.copied(own) if plan is None else self.booted(plan)
        port = against.PORT if plan is None else own.profile.port
        with booted as (container, ready):
            # The first request of a worker may import half of a framework: that is no rate's fault.
            alone = self.alone_ms / 1000
            self.run(port, min(self.connections, WARM_CONNECTIONS), max(WARM_SECONDS, 2 * alone), finish=2 + alone)
            share = (seconds - ready - OPENING - WARM_SECONDS) / (len(FINE) if known else COARSE_STEPS)
            step = max(MIN_STEP, STEP_LIMITS * self.limit, min(share, MAX_RUN / COMFORTABLE_RATES))
            count = max(MIN_RATES, int(MAX_RUN / step))
            first = self.first_rates(name, count)
            rates = rates_around(median(known[1:] or known), count, first[1] / first[0]) if known else first
            result = self.run(
                port,
                self.connections,
                1,
                rates=",".join(f"{rate:g}" for rate in rates),
                step_seconds=step,
                limit=self.limit,
                timeout=max(10.0, 2 * self.limit),
                finish=max(2.0, self.limit),
                settle=MAX_OPENING,
            )
            fault = "" if container.running() else "the server ended under the load"
            if refused := result["connections"]["never_connected"]:
                fault = fault or f"{refused} of {self.connections} connections were never open"
            errors = hide(errors_of(result, container.logs()), self.stage.given.secrets)
            if fault or errors:
                self.logs[name] = hide(kept(container), self.stage.given.secrets)
        trial = replace(of_steps(result.get("steps", []), ready), errors=errors)
        return replace(trial, rate=0.0, fault=fault) if fault else trial


def errors_of(result: Mapping[str, Any], logs: Logs) -> str:
    """Of a result of the load client: which statuses but 2xx there were, and what the app raised last."""
    other = [f"{count} x {status}" for status, count in result["statuses"].items() if not status.startswith("2")]
    raised = last_traceback(logs).rpartition("\n")[2]
    return ", ".join(other) + (f": {raised}" if raised else "") if other else ""


def _environment(options: Mapping[str, Option]) -> dict[str, str]:
    given = options.get("env")
    assert isinstance(given, Mapping)
    return {name: str(value) for name, value in given.items()}


def rates_from(alone_ms: float, most: float, count: int) -> tuple[float, ...]:
    """From half of what one connection alone gets up to ``most``, where no connection would be free any more.

    At most ``count`` rates, a factor of search.COARSE apart or, where that is too many, further.
    """
    rates = [500 / alone_ms]
    factor = max(COARSE, (most / rates[0]) ** (1 / (count - 1)))
    while len(rates) < 2 or (len(rates) < count and rates[-1] < most):
        rates.append(min(most, rates[-1] * factor))
    return tuple(rates)


def rates_around(figure: float, count: int, coarse: float = COARSE) -> tuple[float, ...]:
    """Near an earlier figure, a tenth apart; above, for one that was too low, at most ``count`` rates in all.

    The figure may be too low by the factor ``coarse``.
    """
    factors = [*FINE, *(FINE[-1] * BEYOND**number for number in range(1, count))][:count]
    if factors[-1] < coarse:
        low, high = FINE[1], coarse
        factors = [low * (high / low) ** (number / (count - 1)) for number in range(count)]
    return tuple(min(MAX_RATE, figure * factor) for factor in factors)


def of_steps(steps: Sequence[Mapping[str, Any]], ready_seconds: float | None = None) -> Trial:
    """The highest rate that passed, below the first two in a row that did not: one may have met a hiccup."""
    rate = 0.0
    failed: list[Mapping[str, Any]] = []
    for step in steps:
        failed = [] if step["passed"] else [*failed, step]
        if len(failed) == FAILED_IN_A_ROW:
            break
        rate = step["rate"] if step["passed"] else rate
    late = bool(failed) and all(step["lagged"] > MAX_LAGGED * max(1, step["due"]) for step in failed)
    all_passed = bool(steps) and not failed
    return Trial(rate, tuple(steps), client_late=late, all_passed=all_passed, ready_seconds=ready_seconds)
