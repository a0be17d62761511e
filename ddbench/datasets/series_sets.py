"""Labelled series as a dataset: lengths padded behind a mask, constants of the training series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ddbench.errors import DataError
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

FLAT = 1e-6
"""A channel whose deviation is below this share of its largest value is constant: its std is taken for 1."""


@dataclass(frozen=True)
class Side:
    """Series `[c, t]` of one side of the split, their classes, and what each is called in messages."""

    series: Sequence[Float32[np.ndarray, "c t"]]
    labels: Sequence[str]
    places: Sequence[str]


@dataclass(frozen=True)
class SeriesSet:
    """Both sides, and all that a card says of them."""

    name: str
    revision: str
    class_names: tuple[str, ...]
    train: Side
    test: Side
    licence: str
    augmentation: str

    def __post_init__(self) -> None:
        """Raises: DataError where sides do not agree, naming the place."""
        channels = len(self.train.series[0])
        seen = set(self.train.labels)
        for side in (self.train, self.test):
            for series, label, place in zip(side.series, side.labels, side.places):
                if len(series) != channels:
                    raise DataError(f"{place} has {len(series)} channels; the first training series has {channels}.")
                if label not in seen:
                    raise DataError(
                        f"{place} is of the class {label!r}, of which {self.name!r} has no training series. Take it "
                        "out, or move some series of that class to the training side."
                    )
        if idle := [name for name in self.class_names if name not in seen]:
            raise DataError(f"{self.name!r} has no training series of the class {idle[0]!r}, which its header names.")

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        return tuple(s.shape[1] for side in (self.train, self.test) for s in side.series)

    @property
    def varies(self) -> bool:
        return min(self.lengths) < max(self.lengths)

    @cached_property
    def signal(self) -> SignalSpec:
        import numpy as np

        values = np.concatenate(self.train.series, axis=1).astype(np.float64)
        mean, std = values.mean(1), values.std(1)
        std = np.where(std > FLAT * np.abs(values).max(1), std, 1.0)
        means = [*(float(f"{m:.7g}") for m in mean), *[0.0] * self.varies]
        stds = [*(float(f"{s:.7g}") for s in std), *[1.0] * self.varies]
        shape = (len(means), max(self.lengths))
        return SignalSpec(shape, tuple(means), tuple(stds), augmentation=self.augmentation, mask=self.varies)

    def card(self) -> DatasetCard:
        per_class = Counter(self.train.labels)
        values = sum(series.size for series in self.train.series)
        return DatasetCard(
            name=self.name,
            revision=self.revision,
            signal=self.signal,
            class_names=self.class_names,
            train_size=len(self.train.labels),
            test_size=len(self.test.labels),
            licence=self.licence,
            smallest_class=min(per_class.values()),
            signal_bytes=-(-4 * values // len(self.train.series)),
        )

    def load(self) -> tuple[Split, Split]:
        return self._split(self.train), self._split(self.test)

    def _split(self, side: Side) -> Split:
        import torch

        spec = self.signal
        x = torch.tensor(spec.mean, dtype=torch.float32)[:, None].expand(spec.shape).repeat(len(side.series), 1, 1)
        for row, series in zip(x, side.series):
            row[: len(series), : series.shape[1]] = torch.from_numpy(series)
            if spec.mask:
                row[-1, : series.shape[1]] = 1
        index = {name: k for k, name in enumerate(self.class_names)}
        return Split(x, torch.tensor([index[label] for label in side.labels]))
