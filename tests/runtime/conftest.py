"""Fixtures of the runtime's tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def quiet() -> Iterator[None]:
    """gunicorn warns of each body that must not be sent."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)
