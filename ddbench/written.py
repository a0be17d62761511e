"""Values taken as they were written: text is not read as a number, nor yes or no as one. torch-free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import field_validator
from pydantic_core import PydanticCustomError


def _as_written(value: Any, read: Callable[[Any], Any]) -> Any:
    found = read(value)
    if fault := _converted(value, found):
        raise PydanticCustomError("written_otherwise", "Input should be {wanted}", {"wanted": fault})
    return found


as_written = field_validator("*", mode="wrap")(_as_written)
"""For a model's body, `_written = as_written`: pydantic would read `true` and `'1'` as 1, and a later reader would not
know what was meant. A whole number still stands for a fractional one, and 3.0 for 3."""


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
