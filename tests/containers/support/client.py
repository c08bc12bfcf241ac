"""Moved: import generator.engine.client instead; this module goes when nobody imports it any more."""

from generator.engine.client import *  # noqa: F403
