"""A dataset: what it says of itself without loading anything, and its two splits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ddbench.interfaces.display import DisplayOf
from ddbench.interfaces.plugin import Plugin
from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DatasetCard:
    """What a dataset says of itself before it is loaded; enough to plan budgets and to key cells."""

    name: str
    revision: str
    """Changes whenever the data do: a digest or a published version, never a path or a date."""
    signal: SignalSpec
    class_names: tuple[str, ...]
    train_size: int
    test_size: int
    licence: str
    smallest_class: int
    """Training items of the rarest class: the most items a class that a selector can be asked for."""
    signal_bytes: int
    """Bytes of one training signal as the dataset stores it (1 a pixel for 8-bit images)."""
    family: str = ""
    """Shared by datasets whose signals are parts of one another, so that what was trained on one knows the others;
    default: the name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.family or self.name)

    @property
    def n_classes(self) -> int:
        return len(self.class_names)


@dataclass(frozen=True)
class Split:
    """Raw signals `[N, *shape]` (uint8 or float32) and their int64 labels `[N]`."""

    signals: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> Split:
        return Split(self.signals[index], self.labels[index])


class Dataset(Plugin):
    """A labelled dataset with a training and a test split."""

    @abstractmethod
    def card(self) -> DatasetCard:
        """What the dataset is. Reads no data where it can be avoided and imports no torch."""

    def display(self) -> DisplayOf | None:
        """How its signals are shown in pictures and listings; None (the default): by the axes of their shape."""
        return None

    @abstractmethod
    def load(self) -> tuple[Split, Split]:
        """(train, test). Raises: DataError naming the file that is missing or wrong and how to get it."""


class Source(Protocol):
    """A set of normalised signals that is read in batches, so that it never has to fit in memory as float32."""

    def __len__(self) -> int: ...

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised float32 signals `[b, *shape]` and labels `[b]`, in order."""
        ...
