"""How many values a network is given at once, so that what a gradient needs of them fits into memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from ddbench.interfaces.network import has_batch_norm

POSITIONS = 32 * 32
"""Of the values that counts are meant for: of larger ones fewer are taken, since activations grow with positions."""
PASS = 4096
"""Values of 32 × 32 that go forth and back at once: 64 pictures at 256 pixels."""
GRAPH = 1024
"""The same where a gradient goes through a gradient, or graphs are kept."""

THROUGH_GRADIENT = 3
"""What a graph through a gradient keeps, in passes forth and back, about."""


def values_at_once(shape: Sequence[int], values: int = PASS, networks: int = 1) -> int:
    """Values of `shape` `[c, *extent]` in one pass through so many networks together, one at least.

    `values` is meant for one network and 32 × 32; of larger values as many as have the same positions, of smaller ones
    no more. Sums over parts of a batch so cut are those over the batch but for rounding.
    """
    return max(1, min(values, values * POSITIONS // prod(shape[1:])) // networks)


def part_of(device: torch.device, shape: Sequence[int], on_cpu: int, elsewhere: int = PASS) -> int:
    """`values_at_once`, on a CPU no more than `on_cpu`: small parts stay in its cache."""
    fitting = values_at_once(shape, elsewhere)
    return min(on_cpu, fitting) if device.type == "cpu" else fitting


def part_in_training(
    model: torch.nn.Module, shape: Sequence[int], batch: int, values: int = PASS, networks: int = 1
) -> int:
    """Of a batch as many values as go through a network in training mode at once: all where it has batch norm."""
    return batch if has_batch_norm(model) else min(batch, values_at_once(shape, values, networks))
