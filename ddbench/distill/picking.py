"""How a selector makes a set: what it prepares, and as many of its items as fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from ddbench.artifact.rounding import store_leaf
from ddbench.budget import Cost, pack, pack_jointly, slots
from ddbench.cost import cost_of
from ddbench.distill import initial
from ddbench.distill.prepare import Preparation, identity
from ddbench.distill.space import MatchSpace, match_space
from ddbench.distill.task import Selection
from ddbench.distill.workshop import Built, Workshop, no_clash
from ddbench.errors import DataError
from ddbench.interfaces.codec import Codes, Ragged, Tensors
from ddbench.interfaces.method import Selector
from ddbench.leaf import Leaf, Storage

FIRST_GUESS = 8
"""Items a class that are tried first where items vary in size."""


@dataclass
class Picking:
    """A selector at work on one cell's set.

    Raises: PluginError where codec and selector both store a leaf of one name.
    """

    shop: Workshop
    selector: Selector
    tell: Callable[[float], None] = lambda fraction: None
    """Told the share of the selector's preparation that is done."""

    def __post_init__(self) -> None:
        shop = self.shop
        self.own, self.extra = shop.codec.leaves(), self.selector.extra_leaves(shop.n_classes)
        no_clash(self.own, self.extra)
        self.leaves = (*self.own, *self.extra)
        self.task = Selection(shop.data, lambda: self._space[0], shop.network, shop.cell.budget, shop.streams)

    def prepare(self) -> Tensors:
        """What the selector prepares, made or found when first asked for."""
        return self._prepared

    def pick(self) -> Built:
        """As many items as fit. Raises: DataError where a class has too few signals for one item."""
        s, rarest = self.shop.codec.signals_per_item, min(len(m) for m in self.shop.data.members)
        if rarest < s:
            raise DataError(
                f"One item of this codec stores {s} signals; the rarest class of {self.shop.data.card.name!r} has "
                f"{rarest}. Choose a codec that stores fewer in an item."
            )
        codes, counts, notes = self._fill(rarest // s)
        return Built(codes, counts, self.own, self.extra, notes=(*notes, *self.selector.notes()))

    @cached_property
    def _space(self) -> tuple[MatchSpace, Codes]:
        """The match space, and the codes that say what it rests on; made only for selectors that look at values."""
        shop = self.shop
        codes = shop.encode(initial.draw(shop.data, shop.cell.budget, shop.cell.seed, shop.codec.signals_per_item))
        return match_space(shop.cell.space, shop.data, shop.codec, codes, shop.device, self.tell), codes

    @cached_property
    def _prepared(self) -> Tensors:
        if not self.selector.prepares:
            return {}
        shop, (space, codes) = self.shop, self._space
        named = identity(shop.cell, shop.data, shop.codec, shop.network, space, codes)
        return self.selector.prepare(Preparation(shop.data, space, shop.network, named, self.tell))

    def _fill(self, most: int) -> tuple[Codes, tuple[int, ...], tuple[str, ...]]:
        """(codes, items of each class, notes) of as many items as fit, at most `most` a class."""
        shop, K = self.shop, self.shop.n_classes
        cost = cost_of(self.leaves, shop.cell.storage)
        if not any(x.varies for x in self.leaves):
            room = slots(cost, K, shop.cap_bytes)
            n = min(room, most)
            note = f"The budget holds {room} items a class; the rarest class has signals for {n}."
            return self._items(n), (n,) * K, (note,) if n < room else ()
        if any(x.coder is not None for x in self.leaves):
            codes, n = self._jointly(most)
            counts = [n] * K
        else:
            counts, codes, n = self._in_order(cost, most)
            if not self.selector.nested:
                counts, codes, n = self._whole(cost, max(counts))
            keep = [k * n + i for k, count in enumerate(counts) for i in range(count)]
            codes = take_items(codes, self.leaves, keep)
        note = f"The rarest class has signals for {most} items, the most of any class."
        return codes, tuple(counts), (note,) if max(counts) == most else ()

    def _items(self, n: int) -> Codes:
        """All leaves of the set of n items a class."""
        s = self.shop.codec.signals_per_item
        index = self.selector.select(self.task, n * s)
        y = torch.arange(self.shop.n_classes).repeat_interleave(n)
        return self.shop.encode(index) | self.selector.extra(self.prepare(), index.reshape(-1, s), y)

    def _in_order(self, cost: Cost, most: int) -> tuple[list[int], Codes, int]:
        """(items of each class that fit, codes of n a class, n): as many are chosen as are needed to fill the cap."""
        n = min(FIRST_GUESS, most)
        while True:
            codes = self._items(n)
            counts = self._fitting(codes, cost)
            if max(counts) < n or n == most:
                return counts, codes, n
            n = min(2 * n, most)

    def _whole(self, cost: Cost, n: int) -> tuple[list[int], Codes, int]:
        """The largest choice of n items a class, n no larger than given, that fits as a whole."""
        while True:
            codes = self._items(n)
            counts = self._fitting(codes, cost)
            if min(counts) == n or n == 1:
                return counts, codes, n
            n -= 1

    def _fitting(self, codes: Codes, cost: Cost) -> list[int]:
        return pack(row_sizes(codes, self.leaves, self.shop.n_classes), cost, self.shop.cap_bytes)

    def _jointly(self, most: int) -> tuple[Codes, int]:
        """As many items a class as fit when a coder writes them together."""
        made: dict[int, Codes] = {}
        K = self.shop.n_classes

        def size(n: int) -> int:
            made[n] = self._items(n)
            return set_bytes(made[n], self.leaves, self.shop.cell.storage, torch.arange(K).repeat_interleave(n))

        n = pack_jointly(size, most, self.shop.cap_bytes)
        return made[n], n


def set_bytes(codes: Codes, leaves: tuple[Leaf, ...], storage: Storage, labels: Int[Tensor, " m"]) -> int:
    """Bytes of a whole set as it would be written."""
    tensors = (t for leaf in leaves for t in store_leaf(leaf, codes[leaf.name], storage, labels).values())
    return sum(t.numel() * t.element_size() for t in tensors)


def row_sizes(codes: Codes, leaves: tuple[Leaf, ...], n_classes: int) -> list[list[int]]:
    """Bytes of each item's byte strings, by class."""
    strings = [codes[leaf.name] for leaf in leaves if leaf.shape is None]
    sizes = sum(leaf.offsets.diff().long() for leaf in strings if isinstance(leaf, Ragged))
    assert isinstance(sizes, Tensor)
    return sizes.reshape(n_classes, -1).tolist()


def take_items(codes: Codes, leaves: tuple[Leaf, ...], keep: list[int]) -> Codes:
    """The codes with only the item rows in `keep`."""
    items = {x.name for x in leaves if x.scope == "item"}
    return {n: (c.take(keep) if isinstance(c, Ragged) else c[keep]) if n in items else c for n, c in codes.items()}
