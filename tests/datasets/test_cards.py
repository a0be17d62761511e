"""What every built-in dataset says of itself: complete, quick, without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ddbench.datasets.embedded import FashionMnistSmall
from ddbench.datasets.idx import FashionMnist, Mnist
from ddbench.datasets.tabular import BreastCancer, Digits, Iris, Wine
from ddbench.datasets.torchvision_sets import Cifar10, Cifar100, Svhn
from ddbench.registry import contract_faults

ALL = [FashionMnistSmall, FashionMnist, Mnist, Cifar10, Cifar100, Svhn, BreastCancer, Digits, Iris, Wine]


@pytest.mark.parametrize("dataset", ALL)
def test_the_contract_is_kept_and_the_card_is_consistent(dataset):
    assert contract_faults("dataset", dataset) == []
    card = dataset().card()
    assert card == dataset().card()
    assert len(card.signal.mean) == len(card.signal.std) == card.signal.channels
    assert min(card.signal.std) > 0
    assert len(set(card.class_names)) == card.n_classes
    assert card.n_classes * card.smallest_class <= card.train_size
    assert card.licence
    assert card.signal_bytes > 0


def test_names_and_revisions_are_distinct():
    cards = [d().card() for d in ALL]
    assert len({c.name for c in cards}) == len({c.revision for c in cards}) == len(ALL)


def test_cards_import_neither_torch_nor_scikit_learn_and_read_no_files():
    program = "import sys\n" + "\n".join(f"from {d.__module__} import {d.__name__}; {d.__name__}().card()" for d in ALL)
    program += "\nprint([m for m in ('torch', 'torchvision', 'sklearn', 'PIL', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_set_takes_an_argument_that_would_change_a_cells_key_without_changing_its_outcome():
    for dataset in ALL:
        assert not dataset.Config.model_fields, "where the data lie is not the cell's business"


def test_one_hundred_fine_classes_in_label_order():
    names = Cifar100().card().class_names
    assert len(names) == 100
    assert list(names) == sorted(names)
