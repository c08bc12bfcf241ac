"""gunicorn's workers as the kit runs them, their hooks, responses and access log."""
