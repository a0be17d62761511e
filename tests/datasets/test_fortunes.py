"""The fortunes of a made-up package, and the real ones where they are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from text_files import fortunes_tree

from ddbench.data import load
from ddbench.datasets import fortunes
from ddbench.datasets.fortunes import CATEGORIES, Fortunes, FortunesConfig
from ddbench.errors import DataError
from ddbench.interfaces.text import to_texts
from ddbench.registry import contract_faults


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    fortunes.texts.cache_clear()
    return fortunes_tree(tmp_path / "fortunes")


def test_the_card_agrees_with_what_is_loaded(folder):
    assert contract_faults("dataset", Fortunes) == []
    data = load(Fortunes())
    assert data.card.class_names == CATEGORIES
    assert (data.card.train_size, data.card.test_size, data.card.smallest_class) == (160, 40, 16)
    for text, label in zip(to_texts(data.signals(data.members[3])), ["people"] * 16):
        assert text.startswith(f"{label} ")
        assert f" -- {label} " in text


def test_long_texts_and_those_of_two_categories_are_left_out(folder):
    before = Fortunes().card()
    for name, text in (("art", "b" * 300), ("art", "one saying"), ("work", "One  saying!"), ("art", ""), ("art", "  ")):
        with open(folder / name, "a", encoding="utf-8") as file:
            file.write(f"{text}\n%\n")
    fortunes.texts.cache_clear()
    assert Fortunes().card() == before
    fortunes.texts.cache_clear()
    longer = Fortunes(FortunesConfig(length=320)).card()
    assert longer.train_size + longer.test_size == 201


def test_a_changed_text_changes_the_revision(folder):
    before = Fortunes().card().revision
    file = folder / "zippy"
    file.write_text(file.read_text().replace("zippy", "Zippo", 1))
    fortunes.texts.cache_clear()
    assert Fortunes().card().revision != before


def test_what_is_missing_or_damaged_is_said(folder, monkeypatch):
    (folder / "work").write_bytes("fine\n%\nna\xefve\n%\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"work should be UTF-8; its line 3 is not"):
        Fortunes().card()
    (folder / "work").write_text("only one\n%\n")
    with pytest.raises(DataError, match="fewer than two texts of up to 256 bytes in work"):
        Fortunes().card()
    (folder / "work").unlink()
    monkeypatch.setattr(fortunes, "SYSTEM_FOLDER", folder / "none")
    with pytest.raises(DataError, match="apt install fortunes"):
        Fortunes().card()


def test_a_card_imports_no_torch(folder):
    program = (
        "import sys; from ddbench.datasets.fortunes import Fortunes; Fortunes().card(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_real_package():
    try:
        card = Fortunes().card()
    except DataError:
        pytest.skip("Debian's package fortunes is not here")
    if card.revision != "347bea2e0cc6e0f2":
        pytest.skip(f"another release of the package: revision {card.revision}")
    assert (card.train_size, card.test_size, card.smallest_class) == (5213, 1303, 306)
