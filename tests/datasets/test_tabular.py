"""The sets that scikit-learn ships: their constants, splits and normalisation against a slow computation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import datasets

from ddbench.data import load
from ddbench.datasets import tabular
from ddbench.datasets.tabular import BreastCancer, Digits, Iris, Wine
from ddbench.errors import DataError

FIRST_TEST_ROWS = [2, 4, 8, 11, 14]
SETS = pytest.mark.parametrize(
    ("dataset", "loader", "scale"),
    [
        (BreastCancer, datasets.load_breast_cancer, 1.0),
        (Digits, datasets.load_digits, 16.0),
        (Iris, datasets.load_iris, 1.0),
        (Wine, datasets.load_wine, 1.0),
    ],
)


@SETS
def test_splits_are_a_stratified_partition(dataset, loader, scale):
    values, labels = loader(return_X_y=True)
    data = load(dataset())
    for k in range(data.card.n_classes):
        n, n_test = int((labels == k).sum()), int((data.held_out.labels == k).sum())
        assert abs(n_test - 0.2 * n) <= 0.5
        assert len(data.members[k]) == n - n_test
    assert min(map(len, data.members)) == data.card.smallest_class
    parts = [np.column_stack([s.signals.flatten(1).numpy(), s.labels.numpy()]) for s in (data.train, data.held_out)]
    whole = np.column_stack([(values / scale).astype(np.float32), labels])
    assert np.array_equal(_sorted_rows(np.concatenate(parts)), _sorted_rows(whole))


def _sorted_rows(table: np.ndarray) -> np.ndarray:
    return table[np.lexsort(table.T)]


@SETS
def test_constants_are_those_of_the_training_split(dataset, loader, scale):
    data = load(dataset())
    raw = data.train.signals.double().numpy()
    columns = raw.reshape(len(raw), data.card.signal.channels, -1)
    for c in range(data.card.signal.channels):
        assert data.card.signal.mean[c] == pytest.approx(columns[:, c].mean(), rel=1e-6)
        assert data.card.signal.std[c] == pytest.approx(columns[:, c].std(), rel=1e-6)
    x = data.signals(torch.arange(len(data.train))).double().reshape(len(raw), data.card.signal.channels, -1)
    assert torch.allclose(x.mean((0, 2)), torch.zeros(x.shape[1], dtype=x.dtype), atol=1e-4)
    assert torch.allclose(x.std((0, 2), correction=0), torch.ones(x.shape[1], dtype=x.dtype), atol=1e-4)


def test_shapes_and_names_say_what_the_data_are():
    cancer, digits = load(BreastCancer()), load(Digits())
    # scikit-learn: 0 is malignant (212 rows), 1 is benign (357 rows).
    assert [len(m) for m in cancer.members] == [212 - 42, 357 - 71]
    assert cancer.card.class_names == ("malignant", "benign")
    assert (cancer.card.signal.extent, cancer.card.signal_bytes) == ((), 120)
    assert cancer.card.signal.augmentation == ""
    assert digits.card.signal.shape == (1, 8, 8)
    assert (float(digits.train.signals.min()), float(digits.train.signals.max())) == (0.0, 1.0)
    assert cancer.train.signals.dtype == digits.train.signals.dtype == torch.float32


def test_rows_are_told_by_the_names_of_their_columns():
    iris = load(Iris())
    told = Iris().display()(iris.card.signal, iris.train.signals).words(iris.train.signals[0])
    assert told == "sepal length (cm) 5.1, sepal width (cm) 3.5, petal length (cm) 1.4, petal width (cm) 0.2"
    assert iris.card.class_names == tuple(datasets.load_iris().target_names)


def test_the_split_does_not_move():
    # Literals: published results depend on these rows.
    labels = tabular.read("breast_cancer").labels.tolist()
    assert tabular.split_rows("breast_cancer", labels)[1][:5] == FIRST_TEST_ROWS


def test_data_of_another_scikit_learn_are_refused(monkeypatch):
    def altered(return_X_y: bool) -> tuple[Any, Any]:
        values, labels = real(return_X_y=return_X_y)
        values[3, 4] += 1e-3
        return values, labels

    real = datasets.load_breast_cancer
    monkeypatch.setattr(datasets, "load_breast_cancer", altered)
    with pytest.raises(DataError, match=r"ships other data as load_breast_cancer .* should be \w{64}; found \w{64}"):
        BreastCancer().load()


def test_the_revision_follows_the_data(monkeypatch, tmp_path):
    before = BreastCancer().card().revision
    known = json.loads(tabular.CONSTANTS.read_text())
    known["breast_cancer"]["sha256"] = "0" * 64
    (tmp_path / "tabular.json").write_text(json.dumps(known))
    monkeypatch.setattr(tabular, "CONSTANTS", tmp_path / "tabular.json")
    tabular.constants.cache_clear()
    try:
        assert BreastCancer().card().revision != before
    finally:
        tabular.constants.cache_clear()
