"""Values taken as they were written, and written as they always were. torch-free."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import BaseModel, field_validator, model_serializer
from pydantic_core import PydanticCustomError


def _as_written(value: Any, read: Callable[[Any], Any]) -> Any:
    found = read(value)
    if fault := _converted(value, found):
        raise PydanticCustomError("written_otherwise", "Input should be {wanted}", {"wanted": fault})
    return found


as_written = field_validator("*", mode="wrap")(_as_written)
"""For a model's body, `_written = as_written`: pydantic would read `true` and `'1'` as 1, and a later reader would not
know what was meant. A whole number still stands for a fractional one, and 3.0 for 3."""


class _Added:
    def __repr__(self) -> str:
        return "ADDED"


ADDED = _Added()
"""Marks a field that a model got later, `name: Annotated[T, ADDED] = Field(default, …)`: see `without_added`."""


def _without_added(self: BaseModel, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    found = write(self)
    for name, default in _added(type(self)):
        if getattr(self, name) == default:
            found.pop(name, None)
    return found


@cache
def _added(model: type[BaseModel]) -> list[tuple[str, Any]]:
    """The fields of a model that are `ADDED`, each with its default."""
    return [(name, f.default) for name, f in model.model_fields.items() if ADDED in f.metadata]


without_added = model_serializer(mode="wrap")(_without_added)
"""For a model's body, `_without_added = without_added`: fields that are `ADDED` are not written while they have their
default, so that what was written before they were there keeps its text, and a cell its key."""


def _converted(written: Any, read: Any) -> str:
    """What should have been written; '' where it was."""
    if isinstance(written, list | tuple) and isinstance(read, list | tuple):
        return next((fault for pair in zip(written, read) if (fault := _converted(*pair))), "")
    if isinstance(written, dict) and isinstance(read, dict):
        return next((fault for k in written if k in read and (fault := _converted(written[k], read[k]))), "")
    if isinstance(read, bool):
        return "" if isinstance(written, bool) else "true or false"
    if isinstance(read, int | float) and isinstance(written, bool | str | bytes):
        return "a number"
    return ""
