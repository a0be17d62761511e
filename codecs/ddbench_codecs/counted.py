"""Operations of networks, counted on tensors that hold nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def flop_of(call: Callable[[], object]) -> float:
    """FLOP of the matrix products, convolutions and attention in a call; quick where its tensors are on `meta`."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())
