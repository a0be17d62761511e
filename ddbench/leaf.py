"""A leaf: one named tensor of a stored set, its scope, its storage type, its price. torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ddbench.coding.coder import Coder

Scope = Literal["item", "class", "set"]
Storage = Literal["float32", "float16", "bfloat16", "uint8"]

ITEM_SIZE_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
FLOATS = ("float64", "float32", "float16", "bfloat16")
RANGE_BYTES = 8
"""A row stored as uint8 brings its lowest value and its step, two float32."""
OFFSET_BYTES = 4
"""A ragged row brings one int32 offset."""


@dataclass(frozen=True)
class Leaf:
    """One named tensor of a stored set.

    A tensor of scope `item` has one row an item, of scope `class` one row a class, of scope `set` is one tensor.
    """

    name: str
    scope: Scope
    shape: tuple[int, ...] | None
    """Shape of one row (of the whole tensor for scope `set`). None: byte strings of varying length (item scope)."""
    dtype: str = "float32"
    """Type in memory. A `quantise` leaf is written in the cell's storage type instead."""
    learned: bool = True
    """Whether matchers optimise it."""
    lr_scale: float = 1.0
    """Factor on the matcher's learning rate, chosen so that a step moves the signal about as far as a pixel's would."""
    momentum: float | None = None
    """Momentum of the matcher's SGD on the leaf; None: what the matcher's arguments say."""
    side: bool = False
    """Side information (masks, scales, step size, soft labels) may exceed the cap by 2 %; payload may not."""
    quantise: bool = True
    """Whether the storage type applies (float leaves only)."""
    derived: bool = False
    """Not stored, and so free: whoever decodes the set gets it back by encoding the signals. For a code leaf alone."""
    coder: Coder | None = None
    """Writes the rows of a uint8 item leaf together: their bytes are known only once all are there."""

    @property
    def varies(self) -> bool:
        """Whether an item's bytes depend on what it holds: such items are picked until the budget is full."""
        return self.shape is None or self.coder is not None

    def stored_dtype(self, storage: Storage) -> str:
        return storage if self.quantise and self.dtype in FLOATS else self.dtype

    def row_bytes(self, storage: Storage) -> tuple[int, int]:
        """(tensor bytes, range bytes) of one row; for scope `set` of the whole tensor.

        Of byte strings (0, offset); of rows that are written together nothing.
        """
        if self.shape is None:
            return 0, OFFSET_BYTES
        if self.coder is not None:
            return 0, 0
        stored = self.stored_dtype(storage)
        size = prod(self.shape) * ITEM_SIZE_BYTES[stored]
        return size, RANGE_BYTES * self.range_rows if self.has_ranges(storage) else 0

    def has_ranges(self, storage: Storage) -> bool:
        """Whether rows are stored as uint8 with a range each."""
        return self.dtype in FLOATS and self.stored_dtype(storage) == "uint8"

    @property
    def range_rows(self) -> int:
        """Ranges that one row needs: one, but a set leaf of two or more dimensions has one for each of its rows."""
        return self.shape[0] if self.scope == "set" and self.shape is not None and len(self.shape) > 1 else 1
