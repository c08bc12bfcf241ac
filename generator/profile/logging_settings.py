"""What of a ``logconfig_dict`` logging.config would refuse at boot, found when the profile is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: What gunicorn adds where the dictionary has no such key (gunicorn.glogging.CONFIG_DEFAULTS); a key that it has
#: replaces all of it.
GUNICORN: dict[str, Any] = {
    "version": 1,
    "formatters": {"generic": {}},
    "filters": {},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic"},
        "error_console": {"class": "logging.StreamHandler", "formatter": "generic"},
    },
    "loggers": {"gunicorn.error": {"handlers": ["error_console"]}, "gunicorn.access": {"handlers": ["console"]}},
    "root": {"handlers": ["console"]},
}
_MAPPINGS = ("formatters", "filters", "handlers", "loggers", "root")
#: Which keys of an item name items of which kind.
_NAMES = {
    "handlers": {"formatter": "formatters", "filters": "filters"},
    "loggers": {"handlers": "handlers", "filters": "filters"},
    "root": {"handlers": "handlers", "filters": "filters"},
}
_LEVELS = ("CRITICAL", "FATAL", "ERROR", "WARN", "WARNING", "INFO", "DEBUG", "NOTSET")


def refused(given: Mapping[str, Any]) -> str | None:
    """The first fault with its remedy, or None."""
    whole = {**GUNICORN, **given}
    if whole["version"] != 1 or isinstance(whole["version"], bool):
        return "its version is the number 1"
    for key in _MAPPINGS:
        if not isinstance(whole[key], Mapping):
            return f"{key} is a mapping"
    for key in _MAPPINGS[:-1]:
        for name, item in whole[key].items():
            if not isinstance(item, Mapping):
                return f"{key}.{name} is a mapping"
    if whole.get("incremental"):
        return "incremental changes handlers that exist, and at boot there are none: leave it out"
    return next(_dangling(whole, given), None)


def _dangling(whole: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    items = [("root", "root", whole["root"])]
    items += [(key, f"{key}.{name}", item) for key in ("handlers", "loggers") for name, item in whole[key].items()]
    for key, place, item in items:
        if key == "handlers" and not ("class" in item or "()" in item):
            yield f"{place} needs a class"
        level = item.get("level")
        if not (level is None or level in _LEVELS or type(level) is int):
            yield f"{place}.level is one of {', '.join(_LEVELS)}"
        for word, kind in _NAMES[key].items():
            if item.get(word) is None:
                continue
            names = [item[word]] if word == "formatter" else item[word]
            if not isinstance(names, list | tuple):
                yield f"{place}.{word} is a list"
                return
            for name in names:
                if name not in whole[kind]:
                    yield f"{place}.{word} names {name!r}, which is not among the {kind}{_remedy(key, kind, given)}"


def _remedy(key: str, kind: str, given: Mapping[str, Any]) -> str:
    if key in given:
        return ""
    own = f"{key} is gunicorn's own, and your {kind} replace those that it needs"
    if key == "root":
        return f"; {own}: add root: {{level: INFO, handlers: [{', '.join(sorted(given[kind]))}]}}"
    return f"; {own}: add {key} too"
