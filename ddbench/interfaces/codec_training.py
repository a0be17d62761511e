"""Training a codec's weights beforehand, on datasets other than the one that it will serve: `ddbench codec train`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch

from ddbench.interfaces.dataset import Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.signal import SignalSpec


@dataclass(frozen=True)
class TrainingSet:
    """The training split of one dataset, raw; the test split is nobody's to train on."""

    name: str
    revision: str
    signal: SignalSpec
    train: Split


@dataclass(frozen=True)
class Work:
    """Where a training is done, and how it tells how far it is."""

    device: torch.device
    checkpoint: Path
    """A file of this very training: the trainer replaces it now and then, and goes on from it where it is there."""
    checkpoint_s: float
    """Seconds between two checkpoints."""
    tell: Callable[[str], None]
    """Takes a line of progress."""


@dataclass(frozen=True)
class Trained:
    """What came of a training, as JSON values for the card that lies beside the weights."""

    card: dict[str, Any]
    """What whoever loads the weights has to know: the range of the signals that they take, for one."""
    record: dict[str, Any]
    """How it went: steps, losses, seconds."""


@runtime_checkable
class Trainable(Protocol):
    """A codec class whose weights are trained beforehand. The same arguments give the same weights, killed or not."""

    TrainConfig: ClassVar[type[PluginConfig]]
    """Arguments of a training, each with its line of documentation."""

    @classmethod
    def train(cls, config: Any, sets: Sequence[TrainingSet], work: Work, into: Path) -> Trained:
        """Fits weights and writes them into the folder `into`, as the codec loads them.

        Raises: SpecError for arguments that do not fit the sets, DataError for sets that cannot be trained on,
        Divergence where the loss stops being finite, RunError where files cannot be written.
        """
        ...
