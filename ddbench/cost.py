"""What leaves cost: bytes of each scope's rows, payload and side information apart. torch-free."""

from __future__ import annotations

from collections.abc import Iterable

from ddbench.budget import Cost
from ddbench.leaf import OFFSET_BYTES, Leaf, Storage


def cost_of(leaves: Iterable[Leaf], storage: Storage) -> Cost:
    """The price of a set of these leaves. Ranges and offsets are side information whatever their leaf is.

    The bytes of ragged rows are not in it: they are known only once items are encoded.
    """
    payload = {"item": 0, "class": 0, "set": 0}
    side = {"item": 0, "class": 0, "set": 0}
    for leaf in leaves:
        if leaf.derived:
            continue
        tensor_bytes, extra_bytes = leaf.row_bytes(storage)
        (side if leaf.side else payload)[leaf.scope] += tensor_bytes
        side[leaf.scope] += extra_bytes
        if leaf.shape is None:
            side["set"] += OFFSET_BYTES  # M rows have M + 1 offsets
    return Cost(payload["item"], side["item"], payload["class"], side["class"], payload["set"], side["set"])
