"""A coder: how the rows of an item leaf are written together, without loss, in fewer bytes. torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jaxtyping import Int, UInt8
    from torch import Tensor


class Coder(Protocol):
    """Writes all rows of a uint8 item leaf as one byte string, and reads them back exactly.

    Whoever reads a set knows each item's class, for items stand class by class: a coder may lean on labels. What it
    learns from the rows it learns on the way, from rows that the reader has by then; nothing else is stored. Two coders
    that read each other's bytes are equal.
    """

    def pack(self, values: UInt8[Tensor, "m *shape"], y: Int[Tensor, " m"]) -> bytes: ...

    def unpack(self, data: bytes, y: Int[Tensor, " m"]) -> UInt8[Tensor, "m *shape"]:
        """Raises: ValueError for bytes that `pack` does not give for so many rows."""
        ...
