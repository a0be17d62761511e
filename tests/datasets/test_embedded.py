"""The embedded subset: counts, integrity, speed, licence, and the very pictures of the full files."""

from __future__ import annotations

import importlib.util
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddbench.data import load
from ddbench.datasets.embedded import COLUMNS, FILES, FashionMnistSmall, in_turn
from ddbench.datasets.idx import FashionMnist
from ddbench.errors import DataError

TOOL = Path(__file__).parents[2] / "tools" / "make_fashion_mnist_small.py"


def test_every_class_has_600_and_100_pictures():
    card = FashionMnistSmall().card()
    data = load(FashionMnistSmall())
    assert (card.train_size, card.test_size, card.smallest_class) == (6000, 1000, 600)
    for split, n in ((data.train, 600), (data.held_out, 100)):
        assert split.signals.dtype == torch.uint8
        assert split.labels.dtype == torch.int64
        assert split.labels.bincount().tolist() == [n] * 10


def test_labels_come_in_turn_and_belong_to_their_rows_of_the_sheet():
    sheet = np.asarray(Image.open(FILES / FashionMnistSmall.test.file))
    split = FashionMnistSmall().load()[1]
    for item in (0, 1, 9, 10, 523, 999):
        k, i = item % 10, item // 10
        assert int(split.labels[item]) == k
        place = k * 100 + i
        top, left = place // COLUMNS * 28, place % COLUMNS * 28
        assert np.array_equal(split.signals[item, 0].numpy(), sheet[top : top + 28, left : left + 28])


def test_in_turn_against_a_loop():
    n_classes, per_class = 3, COLUMNS
    grid = np.random.default_rng(0).integers(0, 256, (28 * n_classes, 28 * COLUMNS), dtype=np.uint8)
    slow = [grid[28 * k : 28 * k + 28, 28 * i : 28 * i + 28] for i in range(per_class) for k in range(n_classes)]
    assert np.array_equal(in_turn(grid, n_classes), np.stack(slow))


def test_pictures_look_like_their_class():
    # A bag and a trouser differ far more than two draws of one class: labels that were shuffled would not show this.
    train, test = FashionMnistSmall().load()
    means = torch.stack([train.signals[train.labels == k].double().mean(0).flatten() for k in range(10)])
    nearest = torch.cdist(test.signals.double().flatten(1), means).argmin(1)
    assert (nearest == test.labels).double().mean() > 0.6


def test_normalised_values_are_about_standard():
    data = load(FashionMnistSmall())
    x = data.signals(torch.arange(6000)).double()
    assert abs(x.mean()) < 0.03
    assert abs(x.std() - 1) < 0.03


def test_it_is_small_and_quick_and_licensed():
    files = [*FILES.glob("fashion_mnist_small*")]
    assert sum(f.stat().st_size for f in files) <= 4_000_000
    assert "Zalando" in (FILES / "fashion_mnist_small.LICENSE.txt").read_text()
    assert FashionMnistSmall().card().licence == "MIT"
    fastest = min(_load_time_s() for _ in range(3))
    assert fastest < 1


def _load_time_s() -> float:
    start = time.perf_counter()
    FashionMnistSmall().load()
    return time.perf_counter() - start


def test_a_damaged_or_missing_file_is_a_data_error(tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMnistSmall, "folder", tmp_path)
    with pytest.raises(DataError, match=r"fashion_mnist_small_train\.png cannot be read: No such file"):
        FashionMnistSmall().load()
    for sheet in (FashionMnistSmall.train, FashionMnistSmall.test):
        shutil.copy(FILES / sheet.file, tmp_path)
    FashionMnistSmall().load()
    content = bytearray((tmp_path / FashionMnistSmall.test.file).read_bytes())
    content[1000] ^= 1
    (tmp_path / FashionMnistSmall.test.file).write_bytes(content)
    with pytest.raises(DataError, match=r"test\.png should have SHA-256 \w{64}; found \w{64}.*install ddbench again"):
        FashionMnistSmall().load()


@pytest.mark.large
@pytest.mark.skipif(
    FashionMnist.published.find() is None, reason="the full Fashion-MNIST files are not in DDBENCH_DATA"
)
def test_it_holds_the_very_rows_of_the_full_files_that_the_tool_draws():
    spec = importlib.util.spec_from_file_location("make_fashion_mnist_small", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    sheets = (FashionMnistSmall.train, FashionMnistSmall.test)
    for full, small, sheet in zip(FashionMnist().load(), FashionMnistSmall().load(), sheets):
        rows = tool.rows(full, sheet)
        assert [len(r) for r in rows] == [sheet.per_class] * 10
        in_turn_rows = [rows[k][i] for i in range(sheet.per_class) for k in range(10)]
        assert torch.equal(full.signals[in_turn_rows], small.signals)
        assert torch.equal(full.labels[in_turn_rows], small.labels)
