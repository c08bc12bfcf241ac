"""Moved: import generator.engine.docker instead; this module goes when nobody imports it any more."""

from generator.engine.docker import *  # noqa: F403
