"""A loaded dataset, split by what may be learned from and what students are scored on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench import rng
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class NormalisedSource:
    """A split read as normalised float32 batches (`ddbench.interfaces.dataset.Source`)."""

    split: Split
    signal: SignalSpec

    def __len__(self) -> int:
        return len(self.split)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield self.signal.normalise(self.split.signals[part]), self.split.labels[part]


@dataclass(frozen=True)
class Data:
    """What may be learned from (`train`) and what students are scored on once, at the end (`held_out`)."""

    card: DatasetCard
    train: Split
    held_out: Split
    evaluate_on: Literal["test", "validation"] = "test"

    @cached_property
    def members(self) -> tuple[Int[Tensor, " n_k"], ...]:
        """Training indices of each class, ascending."""
        return tuple((self.train.labels == k).nonzero().flatten() for k in range(self.card.n_classes))

    @property
    def source(self) -> NormalisedSource:
        return NormalisedSource(self.train, self.card.signal)

    def signals(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b *shape"]:
        """Normalised training signals."""
        return self.card.signal.normalise(self.train.signals[index])


def load(dataset: Dataset, evaluate_on: Literal["test", "validation"] = "test") -> Data:
    """The dataset, checked against its card; for `validation` a tenth of training is held out and test dropped.

    Raises: DataError where the data are missing or not what the card says.
    """
    card = dataset.card()
    train, test = dataset.load()
    for name, split, size in (("training", train, card.train_size), ("test", test, card.test_size)):
        found = (len(split.signals), tuple(split.signals.shape[1:]))
        if found != (size, card.signal.shape):
            raise DataError(
                f"The {name} split of {card.name!r} should have {size} signals of shape {card.signal.shape}; "
                f"found {found[0]} of shape {found[1]}."
            )
        if len(split) != size:
            raise DataError(f"The {name} split of {card.name!r} has {size} signals but {len(split)} labels.")
        if split.signals.is_floating_point():
            _check_finite(name, card.name, split)
        if len(split) and not 0 <= int(split.labels.min()) <= int(split.labels.max()) < card.n_classes:
            raise DataError(f"The {name} split of {card.name!r} has labels outside 0…{card.n_classes - 1}.")
    rarest = int(torch.bincount(train.labels, minlength=card.n_classes).min())
    if rarest != card.smallest_class or rarest < 1:
        raise DataError(
            f"The rarest class of {card.name!r} should have {card.smallest_class} training signals; it has {rarest}."
        )
    if evaluate_on == "test":
        return Data(card, train, test)
    kept, held_out = validation_split(train.labels, card)
    return Data(card, train.take(kept), train.take(held_out), evaluate_on)


def _check_finite(name: str, dataset: str, split: Split) -> None:
    spoilt = (~split.signals.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
    if spoilt:
        raise DataError(
            f"The {name} split of {dataset!r} holds values that are not finite in {len(spoilt)} of its {len(split)} "
            f"signals, the first at index {spoilt[0]}. Replace the files by sound ones, or leave those signals out."
        )


def held_out_size(items: int) -> int:
    """How many of a class's training items a validation split holds out."""
    return max(1, round(items * VALIDATION_SHARE))


def validation_split(labels: Int[Tensor, " n"], card: DatasetCard) -> tuple[Tensor, Tensor]:
    """(kept, held out) training indices: a tenth of each class, the same for every cell of a dataset revision.

    Raises: DataError where a class has too few signals to keep one and hold one out.
    """
    draw = rng.generator("validation", dataset=card.name, revision=card.revision)
    held = []
    for k in range(card.n_classes):
        members = (labels == k).nonzero().flatten()
        if len(members) < 2:
            raise DataError(
                f"The class {card.class_names[k]!r} of {card.name!r} has {len(members)} training signals; a validation "
                "split needs two or more."
            )
        held.append(members[torch.randperm(len(members), generator=draw)[: held_out_size(len(members))]])
    held_out = torch.cat(held).sort().values
    mask = torch.ones(len(labels), dtype=torch.bool)
    mask[held_out] = False
    return mask.nonzero().flatten(), held_out
