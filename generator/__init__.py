"""Turn a short YAML profile into a gunicorn configuration, a Dockerfile and Kubernetes manifests."""

import os
import sys
from types import ModuleType

# pydantic searches all installed packages for plugins at import: a third of our start, and nobody's code but ours.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Even then its loader imports importlib.metadata, with e-mail and zip files behind it: a tenth of our start.
_no_plugins = ModuleType("pydantic.plugin._loader")
vars(_no_plugins)["get_plugins"] = tuple
sys.modules.setdefault("pydantic.plugin._loader", _no_plugins)
