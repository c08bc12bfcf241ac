"""``python -m generator``, and the installed command, which is the same."""

import sys

_shown, _shown_dropped = sys.excepthook, sys.unraisablehook


def _quiet(kind: type[BaseException], error: BaseException, where: object) -> None:
    """Show an exception that nothing caught; of Ctrl-C Python dies by the signal, which says enough."""
    if not issubclass(kind, KeyboardInterrupt):
        _shown(kind, error, where)  # type: ignore[arg-type]


def _quiet_dropped(dropped: "sys.UnraisableHookArgs") -> None:
    """Show an exception that Python drops, since a callback cannot raise; Ctrl-C ends the process all the same."""
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        from .cli.interrupts import die

        die()
    _shown_dropped(dropped)


# Before any other import: Ctrl-C may come during them.
sys.excepthook, sys.unraisablehook = _quiet, _quiet_dropped


def main() -> None:
    """Run the command line of this process and end it with an exit code."""
    from .cli import main

    main()


if __name__ == "__main__":
    main()
