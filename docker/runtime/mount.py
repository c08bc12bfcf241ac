"""An app below a path of its own: WSGI's SCRIPT_NAME, the same with every server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

App = Callable[..., Iterable[bytes]]


def mounted(app: App, mount: str) -> App:
    """The app below ``mount`` ("/tool"): it sees its own paths, and the mount in front of the URLs that it makes.

    gunicorn's variable SCRIPT_NAME does the same for two servers out of seven, takes /toolbox for a page of /tool, and
    responds 500, with a traceback in the log, to whatever lies elsewhere. Here that is 404.
    """
    below = f"{mount}/"

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path != mount and not path.startswith(below):
            body = b"Not Found"
            start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
            return [body]
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + mount
        environ["PATH_INFO"] = path[len(mount) :]
        return app(environ, start_response)

    return application
