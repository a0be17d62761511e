"""Principal components of a training set that is read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ddbench.interfaces.dataset import Source

BATCH = 1024
MOST_EXACT = 4096
"""Widest signals whose covariance is held (d² float64, 128 MiB at 4096); wider ones are fitted incrementally."""


@dataclass(frozen=True)
class Mapped:
    """A source whose signals are seen through a map."""

    source: Source
    seen: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in self.source.batches(size):
            yield self.seen(x), y


def rows(train: Source, at_least: int) -> Iterator[np.ndarray]:
    """The training signals, flattened, float64, in batches of `at_least` or more where there are that many."""
    held: np.ndarray | None = None
    for x, _ in train.batches(max(BATCH, at_least)):
        batch = x.flatten(1).double().cpu().numpy()
        if held is not None and len(batch) < at_least:
            held = np.concatenate([held, batch])
            continue
        if held is not None:
            yield held
        held = batch
    if held is not None:
        yield held


def principal_components(train: Source, d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean [d], orthonormal basis [k, d]) of the training set, by falling variance, signs fixed.

    A component's largest entry by magnitude is positive, so that equal data give equal codes on every machine.
    """
    mean, basis = _exact(train, d, k) if d <= MOST_EXACT else _incremental(train, k)
    largest = np.abs(basis).argmax(1)
    return mean, basis * np.where(basis[np.arange(k), largest] < 0, -1.0, 1.0)[:, None]


def _exact(train: Source, d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By the eigenvectors of the covariance."""
    from scipy.linalg import eigh

    mean, covariance = moments(train, d)
    _, vectors = eigh(covariance, subset_by_index=[d - k, d - 1])
    return mean, vectors[:, ::-1].T


def moments(train: Source, d: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean [d], covariance [d, d], divided by n) of the flattened training signals, float64."""
    total, products, origin = np.zeros(d), np.zeros((d, d)), None
    for batch in rows(train, 1):
        # Sums are taken about a point inside the data, so that a large mean does not eat the digits of the variance.
        origin = batch.mean(0) if origin is None else origin
        total += (batch - origin).sum(0)
        products += (batch - origin).T @ (batch - origin)
    shift = total / len(train)
    covariance = products / len(train) - np.outer(shift, shift)
    assert origin is not None
    return origin + shift, covariance


def _incremental(train: Source, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By scikit-learn's incremental SVD, which keeps k directions between batches: close, not exact."""
    from sklearn.decomposition import IncrementalPCA

    fitted = IncrementalPCA(n_components=k)
    for batch in rows(train, k):
        fitted.partial_fit(batch)
    return np.asarray(fitted.mean_), np.asarray(fitted.components_)
