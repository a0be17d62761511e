"""Seeded stratified draws that give the same items on every machine and with every library version. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


def stratified(labels: Sequence[int], per_class: Sequence[int], seed: int) -> list[list[int]]:
    """For each class k, `per_class[k]` positions of items with label k, ascending.

    Every item gets one key from the stream, in order; the lowest keys of a class win. Of Python's generator only
    `random()` is used, whose sequence is promised not to change between versions.

    Raises: ValueError where a class has fewer items than are asked of it.
    """
    stream = Random(seed)
    keys = [stream.random() for _ in labels]
    chosen = []
    for k, n in enumerate(per_class):
        members = [i for i, label in enumerate(labels) if label == k]
        if len(members) < n:
            raise ValueError(f"class {k} has {len(members)} items, {n} were asked for")
        chosen.append(sorted(sorted(members, key=keys.__getitem__)[:n]))
    return chosen
