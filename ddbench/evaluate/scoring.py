"""The test pass: which held-out items each student gets right."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec

BATCH_VALUES = 2**20
LARGEST_BATCH = 256


def batch_for(shape: tuple[int, ...]) -> int:
    """Items of a test batch: about a million signal values keep feature maps within a few hundred megabytes."""
    return max(1, min(LARGEST_BATCH, BATCH_VALUES // prod(shape)))


def correct(
    models: Sequence[nn.Module], held_out: Split, signal: SignalSpec, *, device: str | torch.device = "cpu"
) -> Bool[Tensor, "s n"]:
    """For each model and each held-out item, whether the largest logit is the label's, on the CPU.

    Items of which a model's logits are not a number are wrong. Each batch is normalised once for all models. Models are
    left in the mode they were in.
    """
    modes = [model.training for model in models]
    rows = []
    size = batch_for(signal.shape)
    try:
        for model in models:
            model.eval()
        with torch.inference_mode():
            for start in range(0, len(held_out), size):
                x = signal.normalise(held_out.signals[start : start + size].to(device))
                y = held_out.labels[start : start + size].to(device)
                rows.append(torch.stack([_right(model, x, y) for model in models]))
    finally:
        for model, mode in zip(models, modes):
            model.train(mode)
    return torch.cat(rows, 1).cpu()


def _right(model: nn.Module, x: Tensor, y: Tensor) -> Bool[Tensor, " b"]:
    logits = model(x.to(next(model.parameters(), x).dtype))
    return (logits.argmax(1) == y) & ~logits.isnan().any(1)
