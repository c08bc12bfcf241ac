"""Containers by the docker client: a thin typed wrapper, used by `prove` and by the tests."""
