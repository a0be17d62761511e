"""How a matcher makes a set: room for items, first items, then learning."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ddbench.budget import slots
from ddbench.cost import cost_of
from ddbench.distill import initial
from ddbench.distill.encoded import encode_split
from ddbench.distill.loop import Progress, learn
from ddbench.distill.prepare import Preparation, identity
from ddbench.distill.space import match_space
from ddbench.distill.suitable import not_random, suitable
from ddbench.distill.task import Matching
from ddbench.distill.workshop import Built, Workshop, no_clash
from ddbench.errors import Divergence
from ddbench.interfaces.codec import Codec, Tensors
from ddbench.interfaces.method import Matcher
from ddbench.interfaces.network import measures
from ddbench.interfaces.room import Room


def first_task(shop: Workshop, matcher: Matcher, tell: Callable[[float], None] = lambda fraction: None) -> Matching:
    """The task at its first items, with whatever the matcher prepares; `tell` gets the share of that work done.

    Raises: SpecError where the matcher refuses the cell (plans ask it too, but cells are also made by hand).
    """
    leaves, extra = shop.codec.leaves(), matcher.extra_leaves(shop.n_classes)
    no_clash(leaves, extra)
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
        shop.codec.chunk_of(len(y)) if shop.cell.space == "signal" else None,
    )
    return prepare_task(task, matcher, prepared, notes)


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
