"""A machine that is not there: has an output for each command in a table, and keeps the commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from generator.containers.command import CommandFailed, Completed

Output = str | int | Callable[[Sequence[str]], str]


class FakeMachine:
    """A `Runner`: the first entry whose words begin the command gives its result (text: stdout, number: exit code)."""

    def __init__(self, outputs: Mapping[str, Output] | None = None) -> None:
        self.outputs = dict(outputs or {})
        self.commands: list[list[str]] = []
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
        self.commands.append(list(argv))
        self.environments.append(env)
        line = " ".join(argv)
        output = next((value for words, value in self.outputs.items() if words in line), "")
        if callable(output):
            output = output(argv)
        code, text = (output, "") if isinstance(output, int) else (0, output)
        completed = Completed(tuple(argv), code, text, "said no\n" if code else "")
        if check and code:
            raise CommandFailed(completed)
        return completed

    def lines(self) -> list[str]:
        return [" ".join(argv) for argv in self.commands]
