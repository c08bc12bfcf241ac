"""Moved: import generator.engine.command instead; this module goes when nobody imports it any more."""

from generator.engine.command import *  # noqa: F403
from generator.engine.command import EngineError

SupportError = EngineError
