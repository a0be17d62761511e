"""A dataset of picture files in two sides: how it is decoded, loaded and described, wherever its files come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbench.canonical import digest
from ddbench.datasets.decoded import Pictures, decoded
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

NATURAL = "color_crop_cutout_flip_scale_rotate"
"""The field's augmentation of pictures whose mirror image is as good."""


@dataclass(frozen=True)
class Side:
    """The files (paths, or what `read` takes) of one split in order, their labels, and what they are known by."""

    files: tuple[Any, ...]
    labels: tuple[int, ...]
    known_by: tuple[str, ...]
    """For each file, what changes whenever it does: a digest, or name and size."""

    @property
    def listing(self) -> str:
        return digest([[known, label] for known, label in zip(self.known_by, self.labels, strict=True)])

    def sorted(self) -> Side:
        """In the order of a digest of what the files are known by: the same everywhere, and no labels in a row."""
        return self.take(sorted(range(len(self.files)), key=lambda i: digest(self.known_by[i])))

    def take(self, index: Iterable[int]) -> Side:
        index = list(index)
        return Side(
            tuple(self.files[i] for i in index),
            tuple(self.labels[i] for i in index),
            tuple(self.known_by[i] for i in index),
        )


@dataclass(frozen=True)
class PictureSet:
    """Two sides of picture files, and what becomes of each."""

    name: str
    class_names: tuple[str, ...]
    train: Side
    test: Side
    shape: tuple[int, int, int]
    processing: str
    """What `read` does; part of the revision."""
    read: Callable[[Any], UInt8[np.ndarray, "c h w"]]

    def pictures(self) -> tuple[Pictures, Pictures]:
        """(train, test) as files to decode."""
        train, test = (
            Pictures(f"{self.name}-{part}-{self.shape[-1]}", side.files, side.listing, self.shape, self.processing,
                     self.read)
            for part, side in (("train", self.train), ("test", self.test))
        )  # fmt: skip
        return train, test

    def decode(self, tell: Callable[[float], None]) -> str:
        """Makes the two maps; says what there is."""
        n, m = len(self.train.files), len(self.test.files)
        train, test = self.pictures()
        decoded(train, lambda done: tell(done * n / (n + m)))
        decoded(test, lambda done: tell((n + done * m) / (n + m)))
        return f"{n} + {m} pictures at {' x '.join(map(str, self.shape))}"

    def load(self) -> tuple[Split, Split]:
        """(train, test), uint8 `[n, c, h, w]` over memory maps. Raises: DataError, RunError as `decoded`."""
        import torch

        train, test = (
            Split(torch.from_numpy(decoded(files)), torch.tensor(side.labels, dtype=torch.int64))
            for files, side in zip(self.pictures(), (self.train, self.test))
        )
        return train, test

    def card(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        licence: str,
        augmentation: str = NATURAL,
        revision: object = None,
        family: str = "",
    ) -> DatasetCard:
        """`revision`: what the data are known by (any JSON value), where not by the listings of both sides."""
        channels, height, width = self.shape
        known = [self.train.listing, self.test.listing] if revision is None else revision
        return DatasetCard(
            name=self.name,
            revision=digest([known, self.processing, list(self.shape)])[:16],
            signal=SignalSpec(self.shape, mean, std, low=0.0, high=1.0, augmentation=augmentation),
            class_names=self.class_names,
            train_size=len(self.train.files),
            test_size=len(self.test.files),
            licence=licence,
            smallest_class=min(self.train.labels.count(k) for k in range(len(self.class_names))),
            signal_bytes=channels * height * width,
            family=family,
        )
