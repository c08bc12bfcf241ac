"""An OSError of the app's own, which gunicorn takes for the client's: it must be a 500 with its traceback in the log.

gunicorn's workers hang up at an OSError, without a word where it says that a connection was reset: the client has gone.
But so does the app's own, when its database resets a connection or a file is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

App = Callable[..., Iterable[bytes]]
#: Packages that read from the client and write to it.
SERVER = ("gunicorn.", f"{__package__}.")


class AppError(Exception):
    """The app raised what gunicorn would take for the client's; the cause is the app's error."""


class OwnErrors:
    """A worker's class, in front of gunicorn's own: its app raises AppError where it raised an OSError of its own."""

    wsgi: App

    def load_wsgi(self) -> None:
        super().load_wsgi()  # type: ignore[misc]
        self.wsgi = AppWithOwnErrors(self.wsgi)


class AppWithOwnErrors:
    """The app, with AppError for each OSError that does not come from the client's connection.

    StopIteration stays: flask-sock and python-engineio raise it after a WebSocket, so that gunicorn only hangs up.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            body = self.app(environ, start_response)
        except OSError as error:
            raise_if_own(error)
            raise
        # A list cannot fail; gunicorn knows its mark of a response already sent, and a file for sendfile, as they are.
        if body.__class__ in (list, tuple, object) or isinstance(body, environ["wsgi.file_wrapper"]):
            return body
        return Pieces(body)


class Pieces:
    """What the app returned, piece by piece."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self.body = body
        self.iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        try:
            if self.iterator is None:
                self.iterator = iter(self.body)
            return next(self.iterator)
        except OSError as error:
            raise_if_own(error)
            raise

    def close(self) -> None:
        close = getattr(self.body, "close", None)
        try:
            if close is not None:
                close()
        except OSError as error:
            raise_if_own(error)
            raise


def raise_if_own(error: OSError) -> None:
    """Raise AppError unless the error came up through gunicorn or a worker of the kit, called by the app.

    For who called the app and has caught the error.
    """
    place: TracebackType | None = error.__traceback__
    place = place and place.tb_next  # the first is the caller's
    while place:
        if str(place.tb_frame.f_globals.get("__name__")).startswith(SERVER):
            return
        place = place.tb_next
    raise AppError(f"the app raised {type(error).__name__}") from error
