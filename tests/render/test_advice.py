"""No generated file advises what its server refuses."""

from __future__ import annotations

import re

import pytest

from generator.plan.texts import preload_note
from generator.render.render import render
from generator.servers import SERVERS
from tests.fast_support import faults_of, plan_of

HOOKS = re.compile(r"\b(?:app\.hooks|post_fork|pre_fork|post_worker_init|when_ready|child_exit)\b")
HOOKLESS = [name for name, server in SERVERS.items() if server.family != "gunicorn"]


@pytest.mark.parametrize("name", HOOKLESS)
def test_what_has_no_hooks_names_none(name: str) -> None:
    assert faults_of("", f"server={name}", "app.hooks=mine"), "the server would honour it"
    for more in (["preload_app=true"], ["preload_app=false"]) if SERVERS[name].production else ([],):
        files = render(plan_of("", f"server={name}", *more))
        comments = [(path, line) for path, text in files.items() for line in re.findall("#.*", text)]
        assert [(path, line) for path, line in comments if HOOKS.search(line)] == []


def test_what_has_hooks_says_so() -> None:
    assert HOOKS.search(preload_note(SERVERS["gevent"], preload_app=True))
    assert not HOOKS.search(preload_note(SERVERS["pywsgi"], preload_app=True))
