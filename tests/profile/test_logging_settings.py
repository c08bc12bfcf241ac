"""logconfig_dict: what is refused when a profile is read is what logging.config refuses at boot, and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from gunicorn.glogging import CONFIG_DEFAULTS

from generator.profile.logging_settings import GUNICORN, refused
from tests.fast_support import faults_of, plan_of

STREAM = {"class": "logging.StreamHandler"}
OWN = {"handlers": {"out": {**STREAM, "formatter": "plain"}}, "formatters": {"plain": {"format": "%(message)s"}}}
ROOT = {"root": {"level": "INFO", "handlers": ["out"]}}
ACCEPTED: list[dict[str, Any]] = [
    {},
    {"root": {"level": "DEBUG", "handlers": ["error_console"]}},
    {"loggers": {"shop": {"level": "DEBUG"}}},
    {"filters": {"quiet": {"name": "shop"}}},
    {"formatters": {"generic": {"format": "%(message)s"}}},
    {**OWN, **ROOT, "loggers": {}},
    {**OWN, **ROOT, "loggers": {"gunicorn.error": {"level": 10, "handlers": ["out"]}}, "version": 1},
    {"handlers": {**{name: STREAM for name in ("console", "error_console")}}},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    (OWN, "root.handlers names 'console', which is not among the handlers; root is gunicorn's own, and your handlers"
          " replace those that it needs: add root: {level: INFO, handlers: [out]}"),
    ({**OWN, **ROOT}, "loggers.gunicorn.error.handlers names 'error_console', which is not among the handlers; loggers"
                      " is gunicorn's own, and your handlers replace those that it needs: add loggers too"),
    ({"formatters": {"plain": {}}}, "handlers.console.formatter names 'generic', which is not among the formatters"),
    ({"root": {"handlers": ["screen"]}}, "root.handlers names 'screen', which is not among the handlers"),
    ({"loggers": {"shop": {"filters": ["quiet"]}}}, "loggers.shop.filters names 'quiet', which is not among the filt"),
    ({"root": {"handlers": "console"}}, "root.handlers is a list"),
    ({"root": {"level": "LOUD"}}, "root.level is one of CRITICAL, "),
    ({"handlers": {"console": {}, "error_console": STREAM}}, "handlers.console needs a class"),
    ({"version": 2}, "its version is the number 1"),
    ({"version": "1"}, "its version is the number 1"),
    ({"root": ["console"]}, "root is a mapping"),
    ({"handlers": {"console": "x"}}, "handlers.console is a mapping"),
    ({"incremental": True}, "incremental changes handlers that exist"),
]  # fmt: skip
#: As gunicorn's Logger does it.
CONFIGURE = """
import json, sys
from logging.config import dictConfig
from gunicorn.glogging import CONFIG_DEFAULTS
for line in sys.stdin:
    try:
        dictConfig({**CONFIG_DEFAULTS, **json.loads(line)})
        print("taken")
    except (AttributeError, ImportError, ValueError, TypeError):
        print("refused")
"""


def test_the_same_as_logging_config() -> None:
    given = [*ACCEPTED, *(config for config, _ in REFUSED)]
    text = "".join(json.dumps(config) + "\n" for config in given)
    done = subprocess.run([sys.executable, "-c", CONFIGURE], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused" if refused(config) else "taken" for config in given]


@pytest.mark.parametrize(("config", "remedy"), REFUSED)
def test_what_is_refused_says_the_remedy_at_the_profiles_line(config: dict[str, Any], remedy: str) -> None:
    (fault,) = faults_of("", f"gunicorn.logconfig_dict={json.dumps(config)}")
    assert fault.path == "gunicorn.logconfig_dict"
    assert remedy in fault.remedy


@pytest.mark.parametrize("config", ACCEPTED)
def test_what_is_accepted_arrives_as_written(config: dict[str, Any]) -> None:
    assert plan_of("", f"gunicorn.logconfig_dict={json.dumps(config)}").settings == {"logconfig_dict": config}


def test_gunicorns_own_is_what_the_installed_one_adds() -> None:
    for key in ("version", "formatters", "handlers", "loggers", "root"):
        stock = CONFIG_DEFAULTS[key]
        assert stock == GUNICORN[key] or stock.keys() >= GUNICORN[key].keys()
    for key in ("handlers", "loggers"):
        assert CONFIG_DEFAULTS[key].keys() == GUNICORN[key].keys()
        for name, item in GUNICORN[key].items():
            assert CONFIG_DEFAULTS[key][name].items() >= item.items()
    assert CONFIG_DEFAULTS["root"]["handlers"] == GUNICORN["root"]["handlers"]
