"""Targets and sources that the codecs' tests build on."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ddbench.data import NormalisedSource
from ddbench.interfaces.codec import Codec, Codes, Target
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Storage


def target(
    *shape: int, n_classes: int = 2, cap_bytes: int = 2**24, storage: Storage = "float32", bounded: bool = True
) -> Target:
    c = shape[0]
    bounds = (0.0, 1.0) if bounded else (None, None)
    signal = SignalSpec(shape, tuple(0.3 + 0.1 * i for i in range(c)), tuple(0.2 + 0.05 * i for i in range(c)), *bounds)
    return Target(signal, n_classes, cap_bytes, storage)


def raw(n: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.rand(n, *shape, generator=Generator().manual_seed(seed))


def decode(codec: Codec, codes: Codes, y: Tensor) -> Tensor:
    return codec.decode(codes, y, Generator().manual_seed(0)).signals


def source(codec: Codec, signals: Tensor) -> NormalisedSource:
    return NormalisedSource(Split(signals, torch.zeros(len(signals), dtype=torch.int64)), codec.target.signal)
