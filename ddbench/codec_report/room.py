"""How many items of a codec a budget holds, as a row that picks real items at random would find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ddbench.budget import Budget, pack, pack_jointly, slots
from ddbench.codec_report.schema import Room
from ddbench.cost import cost_of
from ddbench.data import Data
from ddbench.distill.initial import draw
from ddbench.distill.picking import FIRST_GUESS, row_sizes, set_bytes
from ddbench.errors import BudgetError
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.dataset import DatasetCard


def cap_of(budget: Budget, card: DatasetCard) -> int:
    """Bytes of the whole set."""
    return budget.cap_bytes(card.signal.bare.shape, card.n_classes, card.train_size * card.signal_bytes)


def first_items(codec: Codec, rarest: int) -> int:
    """Items a class that a row of the codec's own budget begins with: those that fit, at least one.

    Where items vary in size it is not known before they are encoded; then as many as packing tries first.
    """
    most = max(1, rarest // codec.signals_per_item)
    if any(leaf.varies for leaf in codec.leaves()):
        return min(FIRST_GUESS, most)
    target = codec.target
    try:
        return min(most, slots(cost_of(codec.leaves(), target.storage), target.n_classes, target.cap_bytes))
    except BudgetError:
        return 1


@dataclass(frozen=True)
class Rooms:
    """Counts items; `build` gives the codec for a cap, `ready` its class and set leaves."""

    data: Data
    seed: int
    device: torch.device
    build: Callable[[int], Codec]
    ready: Callable[[Codec], Codes]

    def room(self, budget: Budget) -> Room:
        """Items of each class within the budget; no more than the rarest class has signals for."""
        card = self.data.card
        cap = cap_of(budget, card)
        codec = self.build(cap)
        most = min(len(members) for members in self.data.members) // codec.signals_per_item
        if most < 1:
            return Room(budget=str(budget), cap_bytes=cap, items=None, why="one item stores more than a class has")
        try:
            if any(leaf.coder is not None for leaf in codec.leaves()):
                counts = self._packed_jointly(codec, budget, cap, most)
            elif any(leaf.shape is None for leaf in codec.leaves()):
                counts = self._packed(codec, budget, cap, most)
            else:
                counts = [slots(cost_of(codec.leaves(), codec.target.storage), card.n_classes, cap)] * card.n_classes
        except BudgetError as error:
            return Room(budget=str(budget), cap_bytes=cap, items=None, why=str(error))
        full = max(counts) >= most
        why = f"the rarest class has signals for {most}" if full else ""
        return Room(budget=str(budget), cap_bytes=cap, items=tuple(min(n, most) for n in counts), why=why)

    def _packed(self, codec: Codec, budget: Budget, cap: int, most: int) -> list[int]:
        """Items of each class that fit, in the order of the draw: more are encoded until the cap is full."""
        leaves, shared = tuple(codec.leaves()), self.ready(codec)
        n = min(FIRST_GUESS, most)
        while True:
            codes = self._drawn(codec, shared, budget, n)
            sizes = row_sizes(codes, leaves, self.data.card.n_classes)
            counts = pack(sizes, cost_of(leaves, codec.target.storage), cap)
            if max(counts) < n or n == most:
                return counts
            n = min(2 * n, most)

    def _packed_jointly(self, codec: Codec, budget: Budget, cap: int, most: int) -> list[int]:
        """Items of each class that fit when a coder writes them together."""
        leaves, shared, K = tuple(codec.leaves()), self.ready(codec), self.data.card.n_classes

        def size(n: int) -> int:
            labels = torch.arange(K).repeat_interleave(n)
            return set_bytes(shared | self._drawn(codec, shared, budget, n), leaves, codec.target.storage, labels)

        return [pack_jointly(size, most, cap)] * K

    def _drawn(self, codec: Codec, shared: Codes, budget: Budget, n: int) -> Codes:
        """Item leaves of the first n items a class of the draw."""
        index = draw(self.data, budget, self.seed, n * codec.signals_per_item).flatten()
        x, y = self.data.signals(index).to(self.device), self.data.train.labels[index].to(self.device)
        with torch.no_grad():
            return codec.encode(x, y, shared)
