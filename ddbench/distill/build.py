"""How a cell's set is made: room for items, first items, then picking or learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ddbench import rng
from ddbench.artifact.rounding import store_leaf
from ddbench.budget import Cost, pack, pack_jointly, slots
from ddbench.cost import cost_of
from ddbench.data import Data
from ddbench.distill import initial
from ddbench.distill.encoded import encode_split
from ddbench.distill.loop import Progress, learn
from ddbench.distill.prepare import Preparation, identity
from ddbench.distill.space import match_space
from ddbench.distill.suitable import not_random, suitable
from ddbench.distill.task import Matching, Selection, Streams
from ddbench.errors import DataError, Divergence, PluginError
from ddbench.interfaces.codec import Codec, Codes, Ragged, Tensors
from ddbench.interfaces.method import Matcher, Selector
from ddbench.interfaces.network import Network, measures
from ddbench.interfaces.room import Room
from ddbench.leaf import Leaf, Storage
from ddbench.spec.cell import Cell

FIRST_GUESS = 8
"""Items a class that are tried first where items vary in size."""


@dataclass
class Built:
    """A set before it is written: all leaves, items of each class, and what a reader must know."""

    codes: Codes
    counts: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    extra: tuple[Leaf, ...] = ()
    losses: tuple[tuple[int, float], ...] = ()
    notes: tuple[str, ...] = ()
    divergence: Divergence | None = None


@dataclass
class Workshop:
    """Everything that the making of one cell's set needs."""

    cell: Cell
    data: Data
    codec: Codec
    network: Network
    cap_bytes: int
    device: torch.device
    fitted: Codes
    """Class and set leaves fitted on the training set."""

    @property
    def n_classes(self) -> int:
        return self.data.card.n_classes

    @property
    def streams(self) -> Streams:
        return Streams(self.data.card.revision, self.cell.seed)

    def encode(self, index: Int[Tensor, "k n_s"]) -> Codes:
        """All leaves of a set of the given training items; class and set leaves may be chosen from them."""
        x, y = self._signals(index)
        stream = rng.generator("codec-begin", dataset=self.data.card.revision, seed=self.cell.seed)
        shared = self.fitted | self.codec.begin(x, y, stream)
        return self._checked(shared | self.codec.encode(x, y, shared))

    def _checked(self, codes: Codes) -> Codes:
        """The codes as they are. Raises: PluginError where some are not finite."""
        for name, leaf in codes.items():
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and not bool(leaf.isfinite().all()):
                raise PluginError(
                    f"The codec {self.cell.codec} gives values that are not finite in its leaf {name!r} for real items "
                    f"of {self.data.card.name!r}. Change its arguments, or leave it out for this dataset."
                )
        return codes

    def encode_items(self, index: Int[Tensor, "k n_s"], shared: Codes) -> Codes:
        """Item leaves alone, under class and set leaves that stay: what was prepared may rest on them."""
        return self._checked(self.codec.encode(*self._signals(index), shared))

    def _signals(self, index: Int[Tensor, "k n_s"]) -> tuple[Tensor, Tensor]:
        flat = index.flatten()
        return self.data.signals(flat).to(self.device), self.data.train.labels[flat].to(self.device)


def pick(shop: Workshop, selector: Selector) -> Built:
    """The selector's choice of real items, as many as fit."""
    space = shop.cell.space

    def make_space():
        needs_shared = shop.encode(
            initial.draw(shop.data, shop.cell.budget, shop.cell.seed, shop.codec.signals_per_item)
        )
        return match_space(space, shop.data, shop.codec, needs_shared, shop.device)

    task = Selection(shop.data, make_space, shop.network, shop.cell.budget, shop.streams)
    leaves, s = shop.codec.leaves(), shop.codec.signals_per_item
    cost = cost_of(leaves, shop.cell.storage)
    most = min(len(m) for m in shop.data.members) // s
    if most < 1:
        rarest = min(len(m) for m in shop.data.members)
        raise DataError(
            f"One item of this codec stores {s} signals; the rarest class of {shop.data.card.name!r} has {rarest}. "
            "Choose a codec that stores fewer in an item."
        )
    if any(x.coder is not None for x in leaves):
        return _packed_jointly(shop, selector, task, leaves, most)
    if all(x.shape is not None for x in leaves):
        room = slots(cost, shop.n_classes, shop.cap_bytes)
        n = min(room, most)
        notes = () if n == room else (f"The budget holds {room} items a class; the rarest class has signals for {n}.",)
        return Built(shop.encode(selector.select(task, n * s)), (n,) * shop.n_classes, leaves, notes=notes)

    counts, codes, n = _packed(shop, selector, task, cost, leaves, most)
    if not selector.nested:
        counts, codes, n = _packed_whole(shop, selector, task, cost, leaves, max(counts))
    keep = [k * n + i for k, count in enumerate(counts) for i in range(count)]
    notes = (f"The rarest class has signals for {most} items, the most of any class.",) if max(counts) == most else ()
    return Built(take_items(codes, leaves, keep), tuple(counts), leaves, notes=notes)


def _packed(
    shop: Workshop, selector: Selector, task: Selection, cost: Cost, leaves: tuple[Leaf, ...], most: int
) -> tuple[list[int], Codes, int]:
    """(items of each class that fit, codes of n a class, n): as many items are chosen as are needed to fill the cap."""
    n = min(FIRST_GUESS, most)
    while True:
        codes = shop.encode(selector.select(task, n * shop.codec.signals_per_item))
        counts = pack(row_sizes(codes, leaves, shop.n_classes), cost, shop.cap_bytes)
        if max(counts) < n or n == most:
            return counts, codes, n
        n = min(2 * n, most)


def _packed_jointly(shop: Workshop, selector: Selector, task: Selection, leaves: tuple[Leaf, ...], most: int) -> Built:
    """As many items a class as fit when a coder writes them together."""
    made: dict[int, Codes] = {}

    def size(n: int) -> int:
        made[n] = shop.encode(selector.select(task, n * shop.codec.signals_per_item))
        return set_bytes(made[n], leaves, shop.cell.storage, torch.arange(shop.n_classes).repeat_interleave(n))

    n = pack_jointly(size, most, shop.cap_bytes)
    notes = (f"The rarest class has signals for {most} items, the most of any class.",) if n == most else ()
    return Built(made[n], (n,) * shop.n_classes, leaves, notes=notes)


def set_bytes(codes: Codes, leaves: tuple[Leaf, ...], storage: Storage, labels: Int[Tensor, " m"]) -> int:
    """Bytes of a whole set as it would be written."""
    tensors = (t for leaf in leaves for t in store_leaf(leaf, codes[leaf.name], storage, labels).values())
    return sum(t.numel() * t.element_size() for t in tensors)


def _packed_whole(
    shop: Workshop, selector: Selector, task: Selection, cost: Cost, leaves: tuple[Leaf, ...], n: int
) -> tuple[list[int], Codes, int]:
    """The largest choice of n items a class, n no larger than given, that fits as a whole."""
    while True:
        codes = shop.encode(selector.select(task, n * shop.codec.signals_per_item))
        counts = pack(row_sizes(codes, leaves, shop.n_classes), cost, shop.cap_bytes)
        if min(counts) == n or n == 1:
            return counts, codes, n
        n -= 1


def first_task(shop: Workshop, matcher: Matcher, tell: Callable[[float], None] = lambda fraction: None) -> Matching:
    """The task at its first items, with whatever the matcher prepares; `tell` gets the share of that work done.

    Raises: SpecError where the matcher refuses the cell (plans ask it too, but cells are also made by hand).
    """
    leaves, extra = shop.codec.leaves(), matcher.extra_leaves(shop.n_classes)
    if clash := {x.name for x in leaves} & {x.name for x in extra}:
        raise PluginError(f"Codec and method both declare a leaf {', '.join(sorted(clash))}; rename the method's.")
    n = slots(cost_of((*leaves, *extra), shop.cell.storage), shop.n_classes, shop.cap_bytes)
    index = initial.draw(shop.data, shop.cell.budget, shop.cell.seed, n * shop.codec.signals_per_item)
    codes = shop.encode(index)
    space = match_space(shop.cell.space, shop.data, shop.codec, codes, shop.device, tell)
    y = torch.arange(shop.n_classes).repeat_interleave(n)
    if matcher.start() == "noise":
        codes |= space.noise(codes, y, initial.noise(shop.data, shop.cell.budget, shop.cell.seed))
    values = n * (shop.codec.signals_per_item if shop.cell.space == "signal" else 1)
    measured = measures(shop.network, space.shape, shop.n_classes)
    rarest = min(len(members) for members in shop.data.members)
    matcher.check(Room(shop.n_classes, n, values, space.shape, measured, rarest, len(shop.data.train)))
    named = identity(shop.cell, shop.data, shop.codec, shop.network, space, codes)
    preparation = Preparation(shop.data, space, shop.network, named, tell)
    prepared, notes = matcher.prepare(preparation), ()
    if matcher.start() == "real":
        chosen = suitable(matcher, preparation, prepared, index, shop.cell.budget, shop.cell.seed)
        if chosen is not None:
            codes |= shop.encode_items(chosen, codes)
            notes = (not_random(index, chosen),)
    codes |= matcher.initial_extra(n * shop.n_classes, shop.n_classes)
    task = Matching.start(
        shop.data,
        space,
        shop.network,
        shop.streams,
        codes,
        leaves,
        extra,
        y,
        shop.device,
        _chunk(shop, len(y)),
    )
    return prepare_task(task, matcher, prepared, notes)


def _chunk(shop: Workshop, m: int) -> int | None:
    """Of m items, how many are decoded at once; None where they all are: chunks are decoded twice."""
    chunk = shop.codec.decode_chunk
    return None if chunk is None or chunk >= m or shop.cell.space == "code" else chunk


def prepare_task(task: Matching, matcher: Matcher, prepared: Tensors, notes: tuple[str, ...] = ()) -> Matching:
    """The task with what its matcher prepared, and with the first values that it makes of that."""
    task.prepared, task.notes = prepared, notes
    task.begin(0)
    with torch.no_grad(), task.own_noise("first"):
        task.set_extra(matcher.first_extra(task))
    return task


def learn_set(
    shop: Workshop,
    matcher: Matcher,
    resume: Progress | None,
    keep: Callable[[Progress], None],
    task: Matching | None = None,
) -> Built:
    """Items learned from the row's first items (`first_task`); the last good ones where the loss diverges."""
    task = task or first_task(shop, matcher)
    progress, divergence = resume or Progress(), None
    try:
        learn(task, matcher, progress, keep)
    except Divergence as error:
        divergence = error
    losses = tuple(progress.losses)
    counts = tuple(torch.bincount(task.labels.cpu(), minlength=shop.n_classes).tolist())
    leaves, extra = shop.codec.leaves(), matcher.extra_leaves(shop.n_classes)
    notes = (*task.notes, *matcher.notes())
    if progress.skipped:
        notes += (f"{progress.skipped} of {progress.step} updates were skipped for their loss.",)
    codes = task.export(progress.average)
    if shop.cell.space == "code" and type(shop.codec).settle is not Codec.settle:
        encoded = encode_split(shop.codec, codes, shop.data, "train", shop.device)
        codes = shop.codec.settle(codes, task.labels.cpu(), shop.data.source, encoded)
    return Built(codes, counts, leaves, extra, losses, notes, divergence)


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
