"""Turn a short YAML profile into a gunicorn configuration, a Dockerfile and Kubernetes manifests."""

import os

# pydantic searches all installed packages for plugins at import: a third of our start, and nobody's code but ours.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
