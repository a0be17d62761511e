"""Work on items in blocks of one size, so that an item's result does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_blocks(work: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """`work` on every `size` items, the last block filled up with empty ones.

    Matrix products and convolutions of another size may round otherwise, and many steps can blow that up.
    """
    if not len(x):
        return work(x.new_zeros(size, *x.shape[1:]))[:0]
    filled = (torch.cat([b, b.new_zeros(size - len(b), *b.shape[1:])]) for b in x.split(size))
    return torch.cat([work(b) for b in filled])[: len(x)]
