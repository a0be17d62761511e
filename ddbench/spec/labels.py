"""A codec and its arguments in words, as plans and tables call them. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbench.canonical import canonical, digest
from ddbench.spec.cell import Cell


def codec_label(cell: Cell) -> str:
    """The codec with all its arguments, and the storage type where it is not float32."""
    storage = "" if cell.storage == "float32" else cell.storage
    return " ".join(p for p in (cell.codec.name, arguments(cell.codec.args), storage) if p)


def arguments(args: dict[str, Any]) -> str:
    """`factor=2 keep=0.125`; arguments that are null are not there."""
    return " ".join(f"{name}={_value(value)}" for name, value in sorted(args.items()) if value is not None)


def differing(args: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the arguments in which they differ, an absent one from one that is null too."""
    names = sorted({name for each in args for name in each})
    return [n for n in names if len({digest([n in each, each.get(n)]) for each in args}) > 1]


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else canonical(value)
