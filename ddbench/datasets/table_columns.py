"""Columns of a table as numbers: what becomes of a cell, what was learned from the training rows, and back in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import fsum, isfinite

MISSING = ""
"""A cell without a value."""
ABSENT = "missing"
"""The category of cells without a value, where training rows have such."""
MOST_CATEGORIES = 64
MOSTLY = 0.9
"""Share of numbers from which a column is one of numbers with mistakes in it, not one of categories."""
FLOAT32_MAX = 3.4028234e38


@dataclass(frozen=True)
class Numbers:
    """A number; missing ones are the mean of the training rows. Where they miss some, a second number is 1 there."""

    name: str
    mean: float = 0.0
    marked: bool = False

    @property
    def width(self) -> int:
        return 1 + self.marked

    def encode(self, cell: str) -> list[float]:
        value = self.mean if cell == MISSING else float(cell)
        return [value, float(cell == MISSING)] if self.marked else [value]

    def refuses(self, cell: str) -> bool:
        return cell != MISSING and number(cell) is None

    def words(self, values: Sequence[float]) -> str:
        return f"{self.name} ?" if self.marked and values[1] >= 0.5 else f"{self.name} {values[0]:.4g}"


@dataclass(frozen=True)
class Categories:
    """A category as one-hot numbers; one that no training row has is zero everywhere."""

    name: str
    names: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.names)

    def encode(self, cell: str) -> list[float]:
        return [float(name == (cell or ABSENT)) for name in self.names]

    def refuses(self, cell: str) -> bool:
        return cell != MISSING and cell not in self.names

    def words(self, values: Sequence[float]) -> str:
        best = max(range(len(values)), key=values.__getitem__)
        sure = abs(values[best] - 1) < 0.05
        return f"{self.name} {self.names[best]}" + ("" if sure else f" ({values[best]:.2g})")


Column = Numbers | Categories


def number(cell: str) -> float | None:
    """The finite float32 that a cell writes, None where it writes none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if isfinite(value) and abs(value) <= FLOAT32_MAX else None


def _writes_number(cell: str) -> bool:
    """Whether a number stands there at all: one too large for float32 and infinity are, and are no categories."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def column_of(name: str, cells: Sequence[str], categorical: bool) -> Column | None:
    """The column as its training cells show it; None where they are all alike and tell nothing.

    Raises: ValueError saying why it is neither numbers nor categories; its second argument are the cells at fault.
    """
    present = [cell for cell in cells if cell != MISSING]
    if len(set(cells)) < 2:
        return None
    numbers = [number(cell) for cell in present]
    read = [value for value in numbers if value is not None]
    if not categorical and len(read) == len(present):
        return Numbers(name, fsum(read) / len(read), len(present) < len(cells))
    if not categorical and (len(read) >= MOSTLY * len(present) or all(map(_writes_number, present))):
        wrong = [i for i, cell in enumerate(cells) if cell != MISSING and number(cell) is None]
        raise ValueError(
            f"the column {name!r} holds numbers ({len(read)} of {len(present)}; if they are names of categories, name "
            "it in the argument 'categorical') but for",
            wrong,
        )
    names = tuple(sorted({cell or ABSENT for cell in cells}))
    if len(names) > MOST_CATEGORIES:
        raise ValueError(
            f"the column {name!r} has {len(names)} categories, {MOST_CATEGORIES} at most (name it in the argument "
            "'ignore')",
            [],
        )
    return Categories(name, names)


def described(columns: Sequence[Column], values: Sequence[float]) -> str:
    """A row in words, column by column."""
    left: Iterator[float] = iter(values)
    return ", ".join(column.words(list(islice(left, column.width))) for column in columns)
