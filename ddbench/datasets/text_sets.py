"""A dataset of texts in two sides: how it is loaded, described and shown, wherever its texts come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from ddbench.canonical import digest
from ddbench.datasets.held_out import side_by_content
from ddbench.datasets.near_texts import groups
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.text import text_signal, to_raw

PROCESSING = "NFC, white space as single spaces, cut to length"
DROPPING = "worddrop"
"""Augmentation of texts: some of the words left out."""


class TextConfig(PluginConfig):
    """The arguments that sets of one's own texts have in common."""

    length: int = Field(256, ge=8, le=2**16, description="Bytes of a text (UTF-8); longer ones are cut.")
    augmentation: str = Field(DROPPING, description="Operations of the augmentation, joined by _; '' for none.")
    family: str = Field(
        "", description="Dataset of which these texts are a copy or a part: decoders trained on it are paid for."
    )


@dataclass(frozen=True)
class TextSide:
    """The texts of one split in order, and their labels."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]

    @property
    def listing(self) -> str:
        return digest([list(self.texts), list(self.labels)])

    def take(self, index: Iterable[int]) -> TextSide:
        index = list(index)
        return TextSide(tuple(self.texts[i] for i in index), tuple(self.labels[i] for i in index))


def halves(whole: TextSide) -> tuple[TextSide, TextSide]:
    """(train, test) of texts that come as one piece, by their content: near-duplicates stay together.

    Both are in the order of their texts' digests, so that no reader meets sorted labels.
    """
    known = [hashlib.sha256(text.encode("utf-8")).hexdigest() for text in whole.texts]
    test = side_by_content(whole.labels, known, groups(whole.texts))
    order = sorted(range(len(known)), key=known.__getitem__)
    return whole.take(i for i in order if not test[i]), whole.take(i for i in order if test[i])


@dataclass(frozen=True)
class TextSet:
    """Two sides of texts that are tidy and not empty."""

    name: str
    class_names: tuple[str, ...]
    train: TextSide
    test: TextSide
    length: int

    def load(self) -> tuple[Split, Split]:
        """(train, test), uint8 `[n, 1, length]`."""
        import torch

        train, test = (
            Split(to_raw(side.texts, self.length), torch.tensor(side.labels, dtype=torch.int64))
            for side in (self.train, self.test)
        )
        return train, test

    def card(self, licence: str, augmentation: str, family: str = "") -> DatasetCard:
        lengths = [min(len(text.encode("utf-8")), self.length) for text in self.train.texts]
        return DatasetCard(
            name=self.name,
            revision=digest([self.train.listing, self.test.listing, PROCESSING, self.length])[:16],
            signal=text_signal(self.length, augmentation),
            class_names=self.class_names,
            train_size=len(self.train.texts),
            test_size=len(self.test.texts),
            licence=licence,
            smallest_class=min(self.train.labels.count(k) for k in range(len(self.class_names))),
            signal_bytes=max(1, round(sum(lengths) / len(lengths))),
            family=family,
        )


def some(found: Sequence[Any]) -> str:
    """The first of many, for a message."""
    return ", ".join(map(str, found[:5])) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
