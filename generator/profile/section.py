"""The base of every section of a profile."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

#: A DNS label, as Kubernetes names are, without its limit of 63 characters.
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


class Section(BaseModel):
    """Base of all sections: frozen, and strict about names. Built on first use, once, as part of Profile."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), defer_build=True)
