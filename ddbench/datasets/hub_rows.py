"""The labelled pictures of two splits of a set that the `datasets` library reads; whole, or of some classes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ddbench.canonical import digest
from ddbench.datasets import hub
from ddbench.datasets.picture_sets import Side
from ddbench.datasets.pictures import opened
from ddbench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class HubRows:
    """Where the pictures are: names of the set, of its splits and of its columns, and whether it may be downloaded."""

    repo: str
    revision: str
    train: str
    test: str
    image: str
    label: str
    download: bool

    @cached_property
    def _found(self) -> tuple[dict[str, Any], Any]:
        splits, known = hub.splits(self.repo, self.revision, (self.train, self.test), self.download)
        hub.check_columns(splits, self.repo, self.image, self.label)
        return splits, known

    @cached_property
    def _labelled(self) -> tuple[dict[str, list[int]], tuple[str, ...]]:
        return hub.labels(self._found[0], self.repo, self.label, self.train)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of all classes of the set, by label."""
        return self._labelled[1]

    def sides(self, classes: Sequence[int] | None = None) -> tuple[Side, Side]:
        """(train, test), in the order of the set; of these labels alone where given, the k-th of them called k.

        Raises: DataError where the set is missing or lacks a column.
        """
        (labels, names), known = self._labelled, digest(self._found[1])[:16]
        called = {label: k for k, label in enumerate(range(len(names)) if classes is None else classes)}

        def side(split: str) -> Side:
            kept = [(i, called[label]) for i, label in enumerate(labels[split]) if label in called]
            return Side(
                tuple((split, i) for i, _ in kept),
                tuple(k for _, k in kept),
                tuple(f"{known} {split} {self.image} {i}" for i, _ in kept),
            )

        return side(self.train), side(self.test)

    def picture(self, row: tuple[str, int], size: int) -> Image:
        """The picture of (split, row), opened for `size` pixels. Raises: DataError where there is none."""
        split, i = row
        stored, where = self._coded[split][i][self.image], f"row {i} of {split}"
        if stored is None or (stored["bytes"] is None and not stored["path"]):
            raise DataError(f"{where} has no picture.")
        if stored["bytes"] is None:
            return opened(stored["path"], size)
        return opened(where, size, stored["bytes"])

    @cached_property
    def _coded(self) -> dict[str, Any]:
        import datasets

        found = {}
        for name, split in self._found[0].items():
            feature = split.features[self.image]
            if not isinstance(feature, datasets.Image):
                raise DataError(
                    f"The column {self.image!r} of {self.repo!r} holds no pictures (the feature Image) but {feature}."
                )
            found[name] = split.select_columns([self.image]).cast_column(self.image, datasets.Image(decode=False))
        return found

    def check_pictures(self) -> None:
        """Raises: DataError where the column holds something else."""
        _ = self._coded
