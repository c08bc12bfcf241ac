"""What a field type is, to the loader, to pydantic and to JSON schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import PydanticCustomError, core_schema

from .document import Text


class Inside(ValueError):
    """Faults inside a mapping: (name, what is allowed, what to do) for each."""

    def __init__(self, faults: list[tuple[str, str, str]]) -> None:
        super().__init__()
        self.faults = faults


@dataclass(frozen=True, eq=False)
class FieldType:
    """A field's type: ``parse`` raises ValueError (its message, if any, says what to do); ``schema`` is JSON schema."""

    parse: Callable[[Any], Any]
    allowed: str
    example: str
    schema: dict[str, Any]

    def or_null(self) -> FieldType:
        """The same type, with ``null`` for None."""

        def parse(value: Any) -> Any:
            return None if isinstance(value, Text) and value.is_null else self.parse(value)

        return replace(self, parse=parse, allowed=f"{self.allowed}, or null", schema=_nullable(self.schema))

    def _validate(self, value: Any) -> Any:
        try:
            return self.parse(value)
        except Inside as error:
            raise PydanticCustomError("inside", "inside", {"faults": error.faults}) from None
        except ValueError as error:
            context = {"allowed": self.allowed, "remedy": str(error) or f"write for example: {self.example}"}
            raise PydanticCustomError("kit", "{allowed}", context) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return self.schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def scalar(value: Any) -> Text:
    if not isinstance(value, Text):
        raise ValueError("write a single value here, not a list or a mapping")
    return value
