"""Loading checks a dataset against its card; the validation split is a stratified tenth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.data import Data, load, validation_split
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec


def card_of(sizes: list[int], test_size: int = 4, **changes) -> DatasetCard:
    signal = SignalSpec((2, 3), (0.5, 0.25), (0.5, 0.2))
    names = tuple(f"class {k}" for k in range(len(sizes)))
    return replace(
        DatasetCard("made_up", "rev-1", signal, names, sum(sizes), test_size, "none", min(sizes), 6), **changes
    )


def labels_of(sizes: list[int], seed: int = 0) -> torch.Tensor:
    y = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))]


class MadeUp(Dataset):
    version, source = "1", "made up"

    def __init__(self, card: DatasetCard, train: Split, test: Split) -> None:
        super().__init__(None)
        self._card, self._splits = card, (train, test)

    def card(self) -> DatasetCard:
        return self._card

    def load(self) -> tuple[Split, Split]:
        return self._splits


def split_of(labels: torch.Tensor) -> Split:
    return Split((torch.arange(len(labels) * 6) % 256).to(torch.uint8).reshape(-1, 2, 3), labels)


SIZES = [25, 11, 40]
TRAIN, TEST = split_of(labels_of(SIZES)), split_of(torch.tensor([0, 1, 2, 0]))


def test_the_splits_are_what_the_dataset_gives():
    data = load(MadeUp(card_of(SIZES), TRAIN, TEST))
    assert data.train is TRAIN
    assert data.held_out is TEST
    for k, members in enumerate(data.members):
        assert members.tolist() == [i for i, y in enumerate(TRAIN.labels.tolist()) if y == k]


@settings(deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=5), st.integers(0, 5))
def test_validation_is_a_disjoint_tenth_of_each_class(sizes, seed):
    labels = labels_of(sizes, seed)
    kept, held = validation_split(labels, card_of(sizes))
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    assert kept.tolist() == sorted(kept.tolist())
    for k, size in enumerate(sizes):
        found = int((labels[held] == k).sum())
        assert found >= 1
        assert found == 1 or abs(found - size / 10) <= 0.5
        assert int((labels[kept] == k).sum()) == size - found


def test_validation_depends_on_the_revision_and_on_nothing_else():
    card, labels = card_of(SIZES), labels_of(SIZES)
    held = validation_split(labels, card)[1].tolist()
    torch.manual_seed(123)
    assert validation_split(labels, card)[1].tolist() == held
    assert validation_split(labels, replace(card, licence="other", test_size=9))[1].tolist() == held
    assert validation_split(labels, replace(card, revision="rev-2"))[1].tolist() != held
    assert held != sorted(
        torch.cat([(labels == k).nonzero().flatten()[: s // 10] for k, s in enumerate(SIZES)]).tolist()
    )


def test_for_validation_the_test_split_is_dropped():
    data = load(MadeUp(card_of(SIZES), TRAIN, TEST), "validation")
    kept, held = validation_split(TRAIN.labels, data.card)
    assert torch.equal(data.train.signals, TRAIN.signals[kept])
    assert torch.equal(data.held_out.signals, TRAIN.signals[held])
    assert torch.equal(data.held_out.labels, TRAIN.labels[held])


def test_signals_are_normalised_by_channel_in_batches():
    data = Data(card_of(SIZES), TRAIN, TEST)
    raw = TRAIN.signals.double().numpy() / 255
    wanted = (raw - np.array([[0.5], [0.25]])) / np.array([[0.5], [0.2]])
    index = torch.tensor([3, 0, 3])
    np.testing.assert_allclose(data.signals(index).numpy(), wanted[[3, 0, 3]], rtol=1e-5, atol=1e-6)
    batches = list(data.source.batches(32))
    assert [len(y) for _, y in batches] == [32, 32, 12]
    np.testing.assert_allclose(torch.cat([x for x, _ in batches]).numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert torch.cat([y for _, y in batches]).tolist() == TRAIN.labels.tolist()
    assert len(data.source) == 76


@pytest.mark.parametrize(
    ("card", "train", "test", "what"),
    [
        ({"train_size": 75}, TRAIN, TEST, "training split of 'made_up' should have 75"),
        ({"test_size": 5}, TRAIN, TEST, "test split of 'made_up' should have 5"),
        (
            {"signal": SignalSpec((3, 2), (0,) * 3, (1,) * 3)},
            TRAIN,
            TEST,
            r"shape \(3, 2\); found 76 of shape \(2, 3\)",
        ),
        ({"class_names": ("a", "b")}, TRAIN, TEST, "labels outside 0…1"),
        ({"class_names": ("a", "b", "c", "d")}, TRAIN, TEST, "rarest class"),
        ({"smallest_class": 12}, TRAIN, TEST, "should have 12 training signals; it has 11"),
        ({}, Split(TRAIN.signals, TRAIN.labels[:-1]), TEST, "76 signals but 75 labels"),
        ({}, Split(TRAIN.signals[:-1], TRAIN.labels), TEST, "should have 76 signals.*found 75"),
        ({}, Split(TRAIN.signals, TRAIN.labels - 1), TEST, "labels outside"),
        ({}, TRAIN, Split(TEST.signals, TEST.labels + 3), "test split of 'made_up' has labels outside"),
    ],
)
def test_data_that_are_not_what_the_card_says(card, train, test, what):
    with pytest.raises(DataError, match=what):
        load(MadeUp(card_of(SIZES, **card), train, test))


def test_a_class_of_one_signal_cannot_be_split():
    with pytest.raises(DataError, match=r"The class 'class 1' .* has 1 training"):
        validation_split(labels_of([5, 1, 5]), card_of([5, 1, 5]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", ["training", "test"])
def test_numbers_that_are_none_are_refused_with_their_place(part, value):
    splits = {"training": TRAIN, "test": TEST}
    spoilt = splits[part].signals.float()
    spoilt[[2, 3], 1, 0] = value
    splits[part] = Split(spoilt, splits[part].labels)
    said = (
        rf"The {part} split of 'made_up' holds values that are not finite in 2 of its \d+ signals, the first at index 2"
    )
    with pytest.raises(DataError, match=said):
        load(MadeUp(card_of(SIZES), splits["training"], splits["test"]))
    spoilt[[2, 3], 1, 0] = 1e30
    load(MadeUp(card_of(SIZES), splits["training"], splits["test"]))
