"""The kit's one version number: the distribution's, `--version`'s and the generated labels'."""

__version__ = "0.1.0"
