"""gunicorn's error log shows of a request what the access log does: gunicorn writes the line it refused as it came."""

from __future__ import annotations

import logging

from ..log_text import refused

#: How gunicorn's sentences begin that quote a request: one refused, one whose app failed, one that ended early.
_QUOTING = ("Invalid request from ", "Error handling request ", "Ignored premature client disconnection.", "%s %s")


class _Quoted(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and record.msg.startswith(_QUOTING):
            record.msg, record.args = "%s", (refused(record.getMessage()),)
        return True


_QUOTED = _Quoted()  # one, so that adding it again changes nothing


def hide_secrets() -> None:
    """In on_starting, for the master and the workers it forks, whichever class of logger there is."""
    logging.getLogger("gunicorn.error").addFilter(_QUOTED)
