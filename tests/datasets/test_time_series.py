"""Series as a dataset: padding behind a mask, constants of what has values, and the problems that aeon ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_cells import choice, small_cell

from ddbench import data, registry
from ddbench.errors import DataError, SpecError
from ddbench.planning.pairs import pair_faults

HEAD = "@problemName Made\n@timeStamps false\n@classLabel true a b\n@data\n"
TRAIN = "1,2,3:0,0,0:a\n5:1:b\n2,2:4,5:a\n0,1:2,2:b\n"
TEST = "1,1,1,1:2,2,2,2:b\n3:3:a\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    return tmp_path


def write(root: Path, train: str = TRAIN, test: str = TEST, head: str = HEAD) -> Path:
    folder = root / "own" / "Made"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Made_TRAIN.ts").write_text(head + train)
    (folder / "Made_TEST.ts").write_text(head + test)
    return folder


def made(**args):
    return registry.build("dataset", "ts_file", {"name": "own/Made", **args})


def test_padding_is_the_mean_and_the_mask_says_where_values_are(root):
    write(root)
    card, (train, test) = made().card(), made().load()
    spec = card.signal
    values = [torch.tensor([1.0, 2, 3, 5, 2, 2, 0, 1]), torch.tensor([0.0, 0, 0, 1, 4, 5, 2, 2])]
    assert (spec.shape, spec.mask, spec.bare.shape) == ((3, 4), True, (2, 4))
    assert spec.mean == pytest.approx([*(float(v.mean()) for v in values), 0.0])
    assert spec.std == pytest.approx([*(float(v.std(correction=0)) for v in values), 1.0])
    assert train.signals[:, -1].sum(1).tolist() == [3, 1, 2, 2]
    assert test.signals[0, :2].tolist() == [[1] * 4, [2] * 4]
    x = spec.normalise(train.signals)
    assert bool((x[:, :2] == 0)[(train.signals[:, 2:] == 0).expand(-1, 2, -1)].all())
    assert torch.equal(spec.denormalise(x)[1, :2, :1], torch.tensor([[5.0], [1.0]]))
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1, 0, 1], [1, 0])
    assert (card.smallest_class, card.train_size, card.signal_bytes) == (2, 4, 4 * 8 * 2 // 4)
    data.load(made())


def test_series_of_one_length_have_no_mask(root):
    write(root, "1,2:a\n3,4:b\n", "5,6:a\n")
    spec = made().card().signal
    assert (spec.shape, spec.mask) == ((1, 2), False)


def test_a_constant_channel_keeps_its_scale(root):
    write(root, "7,7:1,2:a\n7,7:3,4:b\n", "7,7:1,1:a\n")
    assert made().card().signal.std[0] == 1.0


def test_the_revision_follows_the_files_and_their_treatment(root):
    write(root)
    first = made().card().revision
    assert made(gaps="interpolate").card().revision != first
    assert made(augmentation="").card().revision == first
    write(root, TRAIN.replace("1,2,3", "1,2,4"))
    assert made().card().revision != first


def test_classes_are_known_from_training(root):
    folder = write(root, "1,2:a\n3,4:a\n", "1,2:b\n")
    with pytest.raises(DataError, match=r"Made_TEST\.ts, line 5, is of the class 'b', of which 'Made' has no training"):
        made().card()
    write(root, "1,2:a\n3,4:a\n", "1,2:a\n")
    with pytest.raises(DataError, match="no training series of the class 'b', which its header names"):
        made().card()
    write(root, "1,2:a\n3,4:b\n", "1,2:3,4:a\n")
    with pytest.raises(DataError, match=r"line 5, has 2 channels; the first training series has 1"):
        made().card()
    write(root, "1,2:a\n3,4:b\n", "1,2:a\n")
    with pytest.raises(DataError, match=r"The class '[ab]' of 'Made' .* a validation split needs two or more"):
        data.load(made(), "validation")
    (folder / "Made_TEST.ts").unlink()
    with pytest.raises(DataError, match=r"Made_TEST\.ts is not there"):
        made().card()
    with pytest.raises(DataError, match="no folder"):
        registry.build("dataset", "ts_file", {"name": "else"}).card()
    with pytest.raises(SpecError, match="below the data folder"):
        registry.build("dataset", "ts_file", {"name": "../else"})


def test_japanese_vowels():
    loaded = data.load(registry.build("dataset", "aeon_series"))
    card = loaded.card
    assert (card.name, card.signal.shape, card.n_classes) == ("JapaneseVowels", (13, 29), 9)
    assert torch.bincount(loaded.train.labels).tolist() == [30] * 9
    assert torch.bincount(loaded.held_out.labels).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]  # as published
    lengths = loaded.train.signals[:, -1].sum(1)
    assert (int(lengths.min()), int(lengths.max())) == (7, 26)


def test_an_augmentation_that_does_not_fit_is_an_error_of_the_plan():
    cell = small_cell(method="random", dataset="aeon_series")

    def faults(augmentation):
        dataset = choice("dataset", "aeon_series", augmentation=augmentation)
        return pair_faults(cell.model_copy(update={"dataset": dataset}))

    assert faults("jitter_timemask") == []
    assert any("asks for crop, which has no meaning on masked signals" in fault for fault in faults("crop_jitter"))
    assert any("unknown operation 'jiter'" in fault for fault in faults("jiter"))


def test_cards_import_neither_torch_nor_aeon():
    program = (
        "import sys\nfrom ddbench import registry\n"
        "for p in ('JapaneseVowels', 'UnitTest'): registry.build('dataset', 'aeon_series', {'problem': p}).card()\n"
        "print([m for m in ('torch', 'aeon', 'numba', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_aeon_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("ddbench.datasets.time_series.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'ddbench\[series\]'"):
        registry.build("dataset", "aeon_series").card()
