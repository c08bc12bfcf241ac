"""app.before_start in a container of its own before any server boots: a migration, without which its pages fail."""

from __future__ import annotations

from dataclasses import dataclass

from ..plan.plan import Plan
from .claim import Claim, judged
from .log import last_words
from .stage import Stage, server_options, shared_volumes

SECONDS = 600


@dataclass(frozen=True)
class Ran:
    """How the command ended, and what reaches the servers of it."""

    exit_code: int
    #: In words, where it succeeded.
    what: str
    last_words: str


def run_before_start(stage: Stage, image: str) -> Ran:
    """Run it to its end in the server's image, environment and limits, as Compose does; the volumes stay for servers.

    Raises NotInTime for a command that does not end.
    """
    options = {**server_options(stage.plan), "init": True, "no_healthcheck": True}
    ran = stage.run_app(image, *stage.plan.before_start.command, **options)
    code = ran.wait(timeout=SECONDS)
    stage.prepared = ran
    return Ran(code, f"exit code {code}; {reaches(stage.plan)}", last_words(ran.logs()))


def reaches(plan: Plan) -> str:
    """What a server has of what the command did."""
    if shared := shared_volumes(plan):
        return f"the server has what it left in {', '.join(shared)}, and in what lies outside both"
    return (
        "the profile has no volume with a claim, so the server has nothing of it but what lies outside both, as in a "
        "database that both reach"
    )


def judge_before_start(ran: Ran) -> Claim:
    """A release of which it fails never serves."""
    advice = f"Mend the command, or give it what it needs with --env-file. Its last words:\n{ran.last_words}"
    faults = {f"exit code {ran.exit_code}": advice} if ran.exit_code else {}
    measured = "it failed" if ran.exit_code else ran.what
    return judged("app.before_start", "app.before_start succeeds before the server boots", measured, faults)
