"""What a rule of this package yields."""

from __future__ import annotations

#: Field path in one document, and what is wrong with it.
Problem = tuple[str, str]
#: The kind of the document in a manifest, then the same.
ObjectProblem = tuple[str, str, str]
