"""A codec with a set that it encoded: what the codec contract is checked on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Generator, Tensor

from ddbench.data import NormalisedSource
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.dataset import Split

if TYPE_CHECKING:
    from ddbench.testing.codecs import CodecContract

TRAIN_PER_CLASS = 20


@dataclass(frozen=True)
class Case:
    """The codec, the signals it was given and all that it made of them. Read-only: tests share it."""

    contract: CodecContract
    codec: Codec
    x: Tensor
    labels: Tensor
    """A label for each signal of x."""
    y: Tensor
    """A label for each item."""
    fitted: Codes
    begun: Codes
    items: Codes

    @property
    def target(self) -> Target:
        return self.codec.target

    @property
    def shape(self) -> tuple[int, ...]:
        return self.target.signal.shape

    @property
    def codes(self) -> Codes:
        return self.fitted | self.begun | self.items

    def anew(self) -> Codec:
        """Another instance of the codec, which has seen nothing."""
        return self.contract.build(self.shape)

    def encode(self, signals: slice) -> Codes:
        return self.codec.encode(self.x[signals], self.labels[signals], self.fitted | self.begun)

    def part(self, rows: Tensor) -> Codes:
        """The codes with the item leaves of these rows only; class leaves stay whole."""
        taken = {n: c[rows] if isinstance(c, Tensor) else c.take(rows.tolist()) for n, c in self.items.items()}
        return self.fitted | self.begun | taken

    def decode(
        self, codes: Codes | None = None, rows: Tensor | None = None, seed: int = 0, taken: bool = False
    ) -> Decoded:
        """The decoded set, or those rows of it; `taken` says that `codes` hold these rows already."""
        y = self.y if rows is None else self.y[rows]
        if rows is not None and not taken:
            codes = self.part(rows)
        return self.codec.decode(self.codes if codes is None else codes, y, torch.Generator().manual_seed(seed))

    def learned(self) -> list[str]:
        """Names of the learned leaves. Skips the test for a codec without gradient."""
        if not self.codec.differentiable:
            pytest.skip("the codec has no gradient")
        names = [leaf.name for leaf in self.codec.leaves() if leaf.learned]
        assert names, "a differentiable codec declares at least one learned leaf"
        return names


@cache
def case_of(contract: type[CodecContract], shape: tuple[int, ...]) -> Case:
    """The case of a contract class at a shape. Raises: SpecError where the codec refuses the shape."""
    checks = contract()
    codec = checks.build(shape)
    target, s = codec.target, codec.signals_per_item
    draw = Generator().manual_seed(0)
    y = torch.arange(target.n_classes).repeat_interleave(checks.items_per_class)
    train_labels = torch.arange(target.n_classes).repeat(TRAIN_PER_CLASS)
    labels = y.repeat_interleave(s)
    train = Split(checks.signals(target, len(train_labels), draw), train_labels)
    x = target.signal.normalise(checks.signals(target, len(labels), draw))
    fitted = codec.fit(NormalisedSource(train, target.signal), draw)
    begun = codec.begin(x, labels, draw)
    return Case(checks, codec, x, labels, y, fitted, begun, codec.encode(x, labels, fitted | begun))


def with_floats(codes: Codes, dtype: torch.dtype) -> Codes:
    """The codes with every float leaf in another float type."""
    return {n: c.to(dtype) if isinstance(c, Tensor) and c.is_floating_point() else c for n, c in codes.items()}


def dense(codes: Codes, name: str) -> Tensor:
    """A leaf that must be a tensor."""
    leaf = codes[name]
    assert isinstance(leaf, Tensor), f"leaf {name!r} should be a tensor, found {type(leaf).__name__}"
    return leaf


def ragged(codes: Codes, name: str) -> Ragged:
    """A leaf that must be byte strings."""
    leaf = codes[name]
    assert isinstance(leaf, Ragged), f"leaf {name!r} should be a Ragged, found {type(leaf).__name__}"
    return leaf
