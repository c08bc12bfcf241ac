"""A machine that is not there: answers commands from a table and keeps what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from generator.containers.command import CommandFailed, Completed

Answer = str | int | Callable[[Sequence[str]], str]


class FakeMachine:
    """A `Runner`: the first entry whose words begin the command answers (text: stdout, number: exit code)."""

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[list[str]] = []
        self.environments: list[Mapping[str, str] | None] = []

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = True,
    ) -> Completed:
        self.asked.append(list(argv))
        self.environments.append(env)
        line = " ".join(argv)
        answer = next((value for words, value in self.answers.items() if words in line), "")
        if callable(answer):
            answer = answer(argv)
        code, text = (answer, "") if isinstance(answer, int) else (0, answer)
        completed = Completed(tuple(argv), code, text, "said no\n" if code else "")
        if check and code:
            raise CommandFailed(completed)
        return completed

    def lines(self) -> list[str]:
        return [" ".join(argv) for argv in self.asked]
