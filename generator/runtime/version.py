"""Which runtime this is: a configuration states the one it was written for, and boot refuses another.

In a pod the configuration comes from a ConfigMap, which may be newer or older than the image. The two share functions
and classes that the file names, and formulas whose results its comments and the manifests state. So the source itself
is the version; a number that people must remember to raise would guard nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def runtime_version(folder: Path = _FOLDER) -> str:
    """Twelve hex digits of a hash over names and text of all modules below ``folder``; a few ms, once a process."""
    import hashlib  # only when it is needed: the entry point and the health check do without

    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).parts):
        name, text = path.relative_to(folder).as_posix().encode(), path.read_bytes()
        digest.update(b"%d %s %d " % (len(name), name, len(text)) + text)
    return digest.hexdigest()[:12]
