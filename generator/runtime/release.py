"""``python -P -m kit_runtime.release``: what a release runs once before its pods start, and how they learn of it.

``run FOLDER RELEASE COMMAND...``: become the command, unless FOLDER, a mounted ConfigMap, has a file RELEASE: then it
has succeeded already.

``mark CONFIGMAP RELEASE TEXT``: give the ConfigMap the key RELEASE by Kubernetes' API. Pods that mount this key, and
could not start without it, start. It runs beside the command, not in it, so that the command is given no token.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .boot import become, fail

#: A token, the API's certificate authority and the namespace, as a projected volume has them.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: What the command has done must not be lost to an API server that is being replaced.
MARK_SECONDS = 600
_PAUSE_SECONDS = 2
_REQUEST_SECONDS = 10


def run(folder: str, release: str, command: Sequence[str]) -> None:
    """Run the command in place of this process, or nothing where the release is marked."""
    if Path(folder, release).exists():
        print(f"kit: release {release} is marked in {folder}: nothing to do", flush=True)
        return
    become(list(command), os.execvp)


def mark(
    configmap: str, release: str, text: str, environ: Mapping[str, str], account: Path = ACCOUNT, seconds: float = 0
) -> None:
    """Set the key, trying again for ``seconds`` while the API does not respond or is overloaded.

    A response that says no ends the process with code 2, its reason on stderr.
    """
    end = time.monotonic() + seconds
    reported = ""
    while True:
        try:
            status, reason = _patch(configmap, {"data": {release: text}}, environ, account)
            later = status == http.client.TOO_MANY_REQUESTS or status >= http.client.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException) as error:
            status, reason, later = 0, str(error), not isinstance(error, ssl.SSLCertVerificationError)
        if status == http.client.OK:
            print(f"kit: release {release} is marked in the ConfigMap {configmap}", flush=True)
            return
        why = f"the ConfigMap {configmap} cannot be given the key {release}: {status or ''} {reason[:500]}"
        if not later or time.monotonic() >= end:
            fail(why)
        if why != reported:
            print(f"kit: {why}; trying again", file=sys.stderr, flush=True)
        reported = why
        time.sleep(_PAUSE_SECONDS)


def _patch(name: str, change: object, environ: Mapping[str, str], account: Path) -> tuple[int, str]:
    # Read each time: the kubelet renews the token.
    token, namespace = ((account / file).read_text().strip() for file in ("token", "namespace"))
    context = ssl.create_default_context(cafile=str(account / "ca.crt"))
    # Python 3.13 asks for extensions that certificate authorities of clusters often lack; kubectl does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    host, port = environ["KUBERNETES_SERVICE_HOST"], int(environ["KUBERNETES_SERVICE_PORT"])
    connection = http.client.HTTPSConnection(host, port, timeout=_REQUEST_SECONDS, context=context)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
    try:
        connection.request("PATCH", f"/api/v1/namespaces/{namespace}/configmaps/{name}", json.dumps(change), headers)
        response = connection.getresponse()
        return response.status, response.read(10_000).decode("utf-8", "replace")
    finally:
        connection.close()


def main(argv: Sequence[str]) -> None:
    """One of the two commands above."""
    if argv[:1] == ["run"] and len(argv) > 3:
        run(argv[1], argv[2], argv[3:])
    elif argv[:1] == ["mark"] and len(argv) == 4:
        mark(argv[1], argv[2], argv[3], os.environ, seconds=MARK_SECONDS)
    else:
        fail("usage: run FOLDER RELEASE COMMAND..., or mark CONFIGMAP RELEASE TEXT")


if __name__ == "__main__":
    main(sys.argv[1:])
