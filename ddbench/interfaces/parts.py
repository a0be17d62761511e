"""How many values a network is given at once, so that what a gradient needs of them fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import torch
from torch import Tensor

from ddbench.interfaces.network import has_batch_norm

POSITIONS = 32 * 32
"""Of the values that counts are meant for: of larger ones fewer are taken, since activations grow with positions."""
PASS = 4096
"""Values of 32 × 32 that go forth and back at once: 64 pictures at 256 pixels."""
GRAPH = 1024
"""The same where a gradient goes through a gradient, or graphs are kept."""
IN_CACHE = 32
"""Values at once on a CPU, whose cache their activations then stay in."""
THROUGH_GRADIENT = 3
"""What a graph through a gradient keeps, in passes forth and back, about."""


def values_at_once(shape: Sequence[int], values: int = PASS, networks: int = 1) -> int:
    """Values of `shape` `[c, *extent]` in one pass through so many networks together, one at least.

    `values` is meant for one network and 32 × 32; of larger values as many as have the same positions, of smaller ones
    no more. Sums over parts of a batch so cut are those over the batch but for rounding.
    """
    return max(1, min(values, values * POSITIONS // prod(shape[1:])) // networks)


def part_of(device: torch.device, shape: Sequence[int], values: int = PASS, on_cpu: int = IN_CACHE) -> int:
    """`values_at_once`, on a CPU no more than `on_cpu`."""
    fitting = values_at_once(shape, values)
    return min(on_cpu, fitting) if device.type == "cpu" else fitting


def part_in_training(
    model: torch.nn.Module, shape: Sequence[int], batch: int, values: int = PASS, networks: int = 1
) -> int:
    """Of a batch as many values as go through a network in training mode at once: all where it has batch norm."""
    return batch if has_batch_norm(model) else min(batch, values_at_once(shape, values, networks))


def in_parts(x: Tensor, y: Tensor, size: int, dim: int = 0) -> Iterator[tuple[Tensor, Tensor, float]]:
    """A batch and its labels so many at a time along `dim`, each part with its share of a mean over the batch."""
    for part, of_part in zip(x.split(size, dim), y.split(size, dim), strict=True):
        yield part, of_part, part.shape[dim] / x.shape[dim]
