"""What students are trained on: a distilled set in memory, or a whole dataset that is normalised batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec


class TrainingSet(Protocol):
    """A labelled set that gives normalised items by index, on the device on which it lies."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def __len__(self) -> int: ...

    def batch(self, index: Int[Tensor, " *b"]) -> tuple[Float[Tensor, "*b *shape"], Tensor]:
        """Signals and labels at an index of any shape: classes `[*b]`, or probabilities `[*b, K]`."""
        ...

    def to(self, device: str | torch.device) -> TrainingSet: ...


@dataclass(frozen=True)
class TensorSet:
    """Normalised signals `[N, *shape]` and their labels, classes `[N]` or probabilities `[N, K]`: a distilled set."""

    x: Float[Tensor, "n *shape"]
    y: Int[Tensor, " n"] | Float[Tensor, "n k"]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        return self.x.dtype

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return _rows(self.x, index), _rows(self.y, index)

    def to(self, device: str | torch.device) -> TensorSet:
        return TensorSet(self.x.detach().to(device), self.y.to(device))


@dataclass(frozen=True)
class SplitSet:
    """A dataset's split as it is stored (8-bit images stay 8-bit), normalised when a batch is taken."""

    split: Split
    signal: SignalSpec

    @property
    def shape(self) -> tuple[int, ...]:
        return self.signal.shape

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def __len__(self) -> int:
        return len(self.split)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.signal.normalise(_rows(self.split.signals, index)), _rows(self.split.labels, index)

    def to(self, device: str | torch.device) -> SplitSet:
        return SplitSet(Split(self.split.signals.to(device), self.split.labels.to(device)), self.signal)


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """values[index]; index_select is several times faster than indexing for the few rows of a batch."""
    return values.index_select(0, index.flatten()).reshape(*index.shape, *values.shape[1:])
