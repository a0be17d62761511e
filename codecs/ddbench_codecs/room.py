"""How many items a set has room for, as codecs whose learning rates depend on it must know."""

from __future__ import annotations

from ddbench.cost import cost_of
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Target
from ddbench.leaf import Leaf


def items_in(target: Target, leaves: tuple[Leaf, ...]) -> int:
    """Items of the whole set that these leaves leave room for; at least one a class, though the budget hold none."""
    cost, K = cost_of(leaves, target.storage), target.n_classes
    left_bytes = target.cap_bytes - cost.total(0, K)
    return K * max(1, left_bytes // (K * (cost.item + cost.item_side)))


def needs_extent(codec: str, extent: tuple[int, ...], most: int, shape: tuple[int, ...], does: str) -> None:
    """Raises: SpecError where signals have no axis behind the channels, or more than the codec takes."""
    if not 1 <= len(extent) <= most:
        raise SpecError(
            f"The codec {codec!r} {does} one to {most} axes behind the channels; signals of shape {shape} have "
            f"{len(extent)}. Use 'identity' or 'pca' for them."
        )
