"""The hostile cases on a started pywsgi: it lets through what gunicorn does, and tells the app the same of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import hostile_client, hostile_reference
from tests.containers.support import hostile_app
from tests.servers.started import until
from tests.servers.test_pywsgi_server import Running, _starter


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "tiny.py").write_text(Path(hostile_app.__file__).read_text())
    starter = _starter(folder)
    yield next(starter)(wsgi_app="tiny:app")
    next(starter, None)


def test_every_case_is_read_as_gunicorn_reads_it(shared: Running) -> None:
    found = hostile_client.send_all(("127.0.0.1", shared.port))
    expected = [hostile_reference.gunicorn([each.case.whole]) for each in found]
    assert len(found) >= 300
    pairs = list(zip(found, expected, strict=True))
    verdicts = Counter(each.verdict(read, whole=True) for each, read in pairs)
    others = [(e.case.name, e.requests, e.statuses, r) for e, r in pairs if e.verdict(r, whole=True) != "same"]
    # Stricter: a head of 90 kB, which gunicorn takes, and bodies that ended early, which gunicorn hands on as whole.
    assert verdicts["more lenient"] == 0, others
    assert all(statuses == [431] or read.end == "truncated" for _, _, statuses, read in others), others
    # Some reach the app, and of these many two or more times: else all of it would prove nothing.
    assert sum(len(each.core) for each in found) > len(found) / 2


def test_nothing_of_it_broke_the_server(shared: Running) -> None:
    (worker,) = shared.workers
    until(shared.serves)
    assert shared.workers == [worker] and "Traceback" not in shared.err
