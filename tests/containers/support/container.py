"""Moved: import generator.engine.container instead; this module goes when nobody imports it any more."""

from generator.engine.container import *  # noqa: F403
