"""Moved: import generator.engine.waiting instead; this module goes when nobody imports it any more."""

from generator.engine.waiting import *  # noqa: F403
