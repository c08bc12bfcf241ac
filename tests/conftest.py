"""For all tests."""

import signal


def pytest_configure() -> None:
    """Tests send a Ctrl-C to what they start, which inherits it ignored where pytest was started by nohup or in the
    background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
