"""Which tensors a card asks for: names, types and shapes of the file beside it. torch-free."""

from __future__ import annotations

from collections.abc import Iterable

from ddbench.artifact.card import Card, LeafCard
from ddbench.leaf import Leaf

TENSORS, CARD = "distilled.safetensors", "distilled.json"

Wanted = dict[str, tuple[str, tuple[int, ...] | None]]
"""(dtype, shape) by name; no shape: one axis of any length."""


def leaf_of(card: LeafCard) -> Leaf:
    return Leaf(card.name, card.scope, card.shape, card.dtype, side=card.side, quantise=card.quantise)


def rows_of(card: Card, leaf: Leaf) -> tuple[int, ...]:
    """Shape of the whole leaf: its rows, then the shape of one."""
    assert leaf.shape is not None
    rows = {"item": (sum(card.counts),), "class": (card.n_classes,), "set": ()}[leaf.scope]
    return (*rows, *leaf.shape)


def tensors_of(card: Card, leaf: Leaf, coded: bool) -> Wanted:
    """The tensors that hold a leaf: itself, with `.range` for uint8 rows; `.values` and `.offsets` for strings.

    Rows that are written together (`coded`) are one `.stream`.
    """
    name = f"{leaf.scope}/{leaf.name}"
    if leaf.shape is None:
        return {f"{name}.values": ("uint8", None), f"{name}.offsets": ("int32", (sum(card.counts) + 1,))}
    if coded:
        return {f"{name}.stream": ("uint8", None)}
    shape = rows_of(card, leaf)
    wanted: Wanted = {name: (leaf.stored_dtype(card.storage), shape)}
    if leaf.has_ranges(card.storage):
        wanted[f"{name}.range"] = ("float32", (leaf.range_rows if leaf.scope == "set" else shape[0], 2))
    return wanted


def misfit(part: str, wanted: tuple[str, tuple[int, ...] | None], found: tuple[str, tuple[int, ...]] | None) -> str:
    """What a tensor should have been, in words; '' where it is."""
    dtype, shape = wanted
    fits = found is not None and found[0] == dtype and (len(found[1]) == 1 if shape is None else found[1] == shape)
    return "" if fits else f"should hold {part!r} as {dtype} {shape or ''}; found {found or 'nothing'}"


def side_bytes(card: Card, parts: Iterable[tuple[str, int]]) -> int:
    """Bytes of side information: tensors of side leaves, ranges and offsets."""
    side = {f"{leaf.scope}/{leaf.name}" for leaf in card.leaves if leaf.side}
    sides = {*side, *(f"{name}.values" for name in side), *(f"{name}.stream" for name in side)}
    return sum(n for name, n in parts if name in sides or name.endswith((".range", ".offsets")))
