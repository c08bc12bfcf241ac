"""What a worker looks up instead of reading it again."""

import re
from typing import TypeVar

#: Clients and apps choose what comes, so there must be an end: then it begins anew.
MOST = 1024
#: In names of headers that carry credentials (Authorization, Set-Cookie, X-Api-Key): none of these is remembered.
_CREDENTIAL = re.compile("auth|cookie|key|token|secret|passw|sess|sign|csrf|xsrf", re.IGNORECASE).search
Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(dict[Key, Value]):
    """At most ``MOST`` entries, and one more of each thread that adds at the same moment."""

    __slots__ = ()

    def keep(self, key: Key, value: Value) -> None:
        """Remember one more."""
        if len(self) >= MOST:
            self.clear()
        self[key] = value


def is_credential(name: str) -> bool:
    """Whether a header of this name may hold one."""
    return _CREDENTIAL(name) is not None
