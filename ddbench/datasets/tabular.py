"""Small sets that scikit-learn ships: tables of numbers, and 8 × 8 digits. Nothing is downloaded.

Both come as one piece; the split into training and test is ours: stratified, seeded, a fifth for test. Their constants
(digest, mean, std, all by tools/make_tabular_constants.py) stand in a JSON file, so that a card imports nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ddbench import rng
from ddbench.canonical import digest
from ddbench.datasets.stratify import stratified
from ddbench.datasets.table_columns import Numbers
from ddbench.datasets.table_sets import named_rows
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float64, Int64

    from ddbench.interfaces.display import DisplayOf

CONSTANTS = Path(__file__).parent / "files" / "tabular.json"
TEST_SHARE = 0.2
DIGITS_SCALE = 16.0
"""Digits' pixels are counts 0 … 16."""


class Whole(NamedTuple):
    """A set in one piece, as scikit-learn ships it."""

    values: Float64[np.ndarray, "n d"]
    labels: Int64[np.ndarray, " n"]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.values.astype("<f8").tobytes() + self.labels.astype("<i8").tobytes()).hexdigest()


@cache
def constants(name: str) -> dict[str, Any]:
    """What is known of a set without reading it: `sha256`, `per_class`, `columns`, `mean`, `std`."""
    return json.loads(CONSTANTS.read_text(encoding="utf-8"))[name]


def held_out_counts(per_class: list[int]) -> list[int]:
    """Test items of each class: a fifth, rounded."""
    return [round(n * TEST_SHARE) for n in per_class]


def revision(name: str) -> str:
    return digest([constants(name)["sha256"], "split 1"])[:16]


def split_rows(name: str, labels: list[int]) -> tuple[list[int], list[int]]:
    """(train, test) rows of the set, each ascending, stratified."""
    counts = [labels.count(k) for k in range(max(labels) + 1)]
    held_out = stratified(labels, held_out_counts(counts), rng.seed("split", dataset=name))
    test = sorted(i for rows in held_out for i in rows)
    return sorted(set(range(len(labels))) - set(test)), test


def read(name: str) -> Whole:
    """The set as scikit-learn ships it. Raises: DataError where that is not the one that the constants are of."""
    import sklearn
    from sklearn import datasets

    values, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    whole = Whole(values.astype("float64"), labels.astype("int64"))
    expected = constants(name)["sha256"]
    if whole.sha256 != expected:
        raise DataError(
            f"scikit-learn {sklearn.__version__} ships other data as load_{name} than ddbench knows: the digest should "
            f"be {expected}; found {whole.sha256}. Install another version of scikit-learn (1.4 to 1.9 have the data)."
        )
    return whole


def load(name: str, shape: tuple[int, ...], scale: float = 1.0) -> tuple[Split, Split]:
    """(train, test), float32 `[n, *shape]` divided by `scale`. Raises: DataError as `read`."""
    import torch

    whole = read(name)
    signals = torch.from_numpy(whole.values / scale).float().reshape(-1, *shape)
    labels = torch.from_numpy(whole.labels)
    train, test = (torch.tensor(rows) for rows in split_rows(name, whole.labels.tolist()))
    return Split(signals[train], labels[train]), Split(signals[test], labels[test])


def card(name: str, signal: SignalSpec, class_names: tuple[str, ...], signal_bytes: int) -> DatasetCard:
    per_class = constants(name)["per_class"]
    test = held_out_counts(per_class)
    return DatasetCard(
        name=name,
        revision=revision(name),
        signal=signal,
        class_names=class_names,
        train_size=sum(per_class) - sum(test),
        test_size=sum(test),
        licence="CC-BY-4.0",
        smallest_class=min(n - t for n, t in zip(per_class, test)),
        signal_bytes=signal_bytes,
    )


def shown(name: str) -> DisplayOf:
    """Rows in words, by the names of the columns."""
    return named_rows([Numbers(column) for column in constants(name)["columns"]])


class BreastCancer(Dataset):
    """Breast cancer Wisconsin (diagnostic): 569 rows of 30 measurements of cell nuclei, two classes."""

    version = "1"
    source = "W. Wolberg, O. Mangasarian, N. Street, W. Street, Breast Cancer Wisconsin (Diagnostic), UCI, 1993"

    def card(self) -> DatasetCard:
        known = constants("breast_cancer")
        signal = SignalSpec(shape=(30,), mean=tuple(known["mean"]), std=tuple(known["std"]))
        return card("breast_cancer", signal, ("malignant", "benign"), signal_bytes=4 * 30)

    def load(self) -> tuple[Split, Split]:
        return load("breast_cancer", (30,))

    def display(self) -> DisplayOf:
        return shown("breast_cancer")


class Wine(Dataset):
    """Wine recognition: 178 wines of three growers, 13 chemical measurements."""

    version = "1"
    source = "S. Aeberhard, M. Forina, Wine, UCI, 1992"

    def card(self) -> DatasetCard:
        known = constants("wine")
        signal = SignalSpec((13,), tuple(known["mean"]), tuple(known["std"]), augmentation="jitter")
        return card("wine", signal, ("first", "second", "third"), signal_bytes=4 * 13)

    def load(self) -> tuple[Split, Split]:
        return load("wine", (13,))

    def display(self) -> DisplayOf:
        return shown("wine")


class Iris(Dataset):
    """Iris: 150 flowers of three species, four lengths."""

    version = "1"
    source = "R. Fisher, Annals of Eugenics 7, 1936"

    def card(self) -> DatasetCard:
        known = constants("iris")
        signal = SignalSpec((4,), tuple(known["mean"]), tuple(known["std"]), augmentation="jitter")
        return card("iris", signal, ("setosa", "versicolor", "virginica"), signal_bytes=4 * 4)

    def load(self) -> tuple[Split, Split]:
        return load("iris", (4,))

    def display(self) -> DisplayOf:
        return shown("iris")


class Digits(Dataset):
    """Optical recognition of handwritten digits: 1797 grey 8 × 8 pictures, values 0 … 16 scaled to [0, 1]."""

    version = "1"
    source = "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (its test part)"

    def card(self) -> DatasetCard:
        known = constants("digits")
        signal = SignalSpec(
            shape=(1, 8, 8),
            mean=tuple(known["mean"]),
            std=tuple(known["std"]),
            low=0.0,
            high=1.0,
            augmentation="crop_cutout_scale_rotate",
        )
        names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
        return card("digits", signal, names, signal_bytes=64)

    def load(self) -> tuple[Split, Split]:
        return load("digits", (1, 8, 8), DIGITS_SCALE)
