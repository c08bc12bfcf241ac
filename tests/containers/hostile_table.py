"""``python -m tests.containers.hostile_table``: docs/hostile.md, the verdicts on every production server.

Boots each server alone and behind its proxy; the same bytes bring the same verdicts, so the file changes only when a
server, the cases or gunicorn's parser does.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from generator.containers.docker import Docker
from tests.containers import hostile_client, hostile_servers, kit
from tests.containers.hostile_cases import CASES
from tests.containers.hostile_client import VERDICTS, Found, Verdict
from tests.containers.support.base_image import ensure_base_image
from tests.containers.support.docker import LABEL
from tests.containers.support.engine import ensure_engine
from tests.containers.support.images import ensure_nginx_image
from tests.containers.support.plugins import ensure_compose

FILE = kit.ROOT / "docs" / "hostile.md"

TEXT = """\
# Hostile HTTP

{cases} connections with hostile or odd HTTP/1.x (`tests/containers/hostile_cases.txt`: request lines, headers,
lengths, transfer codings, chunks, line ends, pipelines, each with a whole request behind it) are sent to every
production server, alone and behind its proxy. The verdict is on what the app saw of them:

- **same**: what gunicorn {gunicorn}'s own parser reads from the same bytes: method, path, query, scheme and body;
- **stricter**: fewer of these requests (`sync` serves one request a connection);
- **more lenient**: another request, or one more. `tests/containers/test_hostile.py` fails where it is not 0.

Behind nginx the comparison is with gunicorn behind the same nginx, which reads the bytes in its own way (in {nginx}
of the cases the app sees a request that gunicorn's parser would not read from them) and writes well-formed requests
of its own. Nowhere is there a response to a request that was hidden in another one's body, headers or broken chunks.

| server | alone: same | stricter | more lenient | behind nginx: same | stricter | more lenient |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

Made by `python -m tests.containers.hostile_table`, which boots the servers as the container tests do.
"""


def main() -> None:
    # On a busy machine a response may come later, and who closes its half before counts as a client that has gone.
    hostile_client.QUIET_SECONDS = 5.0
    engine = ensure_engine()
    with engine:
        docker = Docker(engine.client, LABEL)
        ensure_base_image(docker)
        ensure_nginx_image(docker)
        client = ensure_compose(docker.client)
        alone: dict[str, list[Found]] = {}
        behind: dict[str, list[Found]] = {}
        for server, profile in sorted(hostile_servers.PROFILES.items()):
            image = kit.build(docker, kit.plan_of(profile))
            alone[server] = hostile_servers.alone(docker, profile, image)
            with tempfile.TemporaryDirectory() as scratch:
                Path(scratch).chmod(0o755)
                behind[server] = hostile_servers.proxied(docker, client, profile, image, Path(scratch))
            print(server, flush=True)
        FILE.write_text(text(alone, behind))


def text(alone: dict[str, list[Found]], behind: dict[str, list[Found]]) -> str:
    beside = behind[hostile_servers.BESIDE]
    rows = []
    for server, responses in alone.items():
        of_both = (
            hostile_servers.verdicts_alone(responses),
            hostile_servers.verdicts_proxied(behind[server], beside),
        )
        rows.append(f"| `{server}` | " + " | ".join(counts(verdicts) for verdicts in of_both) + " |")
    by_nginx = sum(verdict == "more lenient" for _, verdict in hostile_servers.verdicts_alone(beside))
    return TEXT.format(cases=len(CASES), gunicorn=version("gunicorn"), nginx=by_nginx, rows="\n".join(rows))


def counts(verdicts: list[tuple[Found, Verdict]]) -> str:
    found = Counter(verdict for _, verdict in verdicts)
    return " | ".join(str(found[verdict]) for verdict in VERDICTS)


if __name__ == "__main__":
    main()
