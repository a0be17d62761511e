"""Texts of one's own: tables, folders and the `datasets` library's format, sound and not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pydantic import ValidationError
from text_files import SUBJECTS, rows

from ddbench.data import load
from ddbench.datasets.hub_text import HubText, HubTextConfig
from ddbench.datasets.text_file import TextFile, TextFileConfig
from ddbench.datasets.text_folder import TextFolder, TextFolderConfig
from ddbench.errors import DataError
from ddbench.interfaces.text import to_texts
from ddbench.registry import contract_faults

CLASSES = tuple(SUBJECTS)


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    return tmp_path


def write(file: Path, table, encoding: str = "utf-8", header=("text", "label")) -> Path:
    with open(file, "w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter="\t" if file.suffix == ".tsv" else ",").writerows([header, *table])
    return file


def known(dataset) -> set[tuple[str, str]]:
    """Every (text, label) of both splits."""
    found = load(dataset)
    return {
        (text, found.card.class_names[k])
        for split in (found.train, found.held_out)
        for text, k in zip(to_texts(found.card.signal.normalise(split.signals)), split.labels.tolist())
    }


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_table_is_read_and_divided_by_its_content(data, suffix):
    table, file = rows(20), data / f"mine{suffix}"
    if suffix == ".parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"text": [t for t, _ in table], "label": [k for _, k in table]}), file)
    else:
        write(file, table)
    assert contract_faults("dataset", TextFile) == []
    dataset = TextFile(TextFileConfig(file=file.name))
    card = dataset.card()
    assert (card.name, card.class_names) == ("mine", CLASSES)
    assert (card.train_size, card.test_size, card.smallest_class) == (48, 12, 16)
    assert known(dataset) == set(table)


def test_a_test_file_is_the_test_set_and_numbers_are_labels_too(data):
    write(data / "a.csv", [(t, CLASSES.index(k)) for t, k in rows(4)])
    write(data / "b.csv", [(t, CLASSES.index(k)) for t, k in rows(2, seed=1)])
    found = load(TextFile(TextFileConfig(file="a.csv", test_file="b.csv")))
    assert found.card.class_names == ("0", "1", "2")
    assert found.train.labels.tolist() == [0, 1, 2] * 4
    assert to_texts(found.card.signal.normalise(found.held_out.signals)) == [t for t, _ in rows(2, seed=1)]


def test_every_mistake_of_the_rows_is_said_at_once(data):
    write(data / "a.csv", [*rows(3), ("  \x07 ", "sea"), ("a text", ""), ("", "sky")])
    write(data / "b.csv", [*rows(2, seed=1), ("alone", "fire")])
    with pytest.raises(DataError) as raised:
        TextFile(TextFileConfig(file="a.csv", test_file="b.csv")).card()
    said = str(raised.value)
    assert "2 texts are without a text: a.csv line 11, a.csv line 13" in said
    assert "1 text is without a label: a.csv line 12" in said
    assert "1 text is for test of a class that no training text has: b.csv line 8 ('fire')" in said


def test_a_class_of_one_text_cannot_be_divided(data):
    write(data / "a.csv", [*rows(3), ("alone", "fire")])
    with pytest.raises(DataError, match=r"the only one of its class.*a\.csv line 11 \('fire'\)"):
        TextFile(TextFileConfig(file="a.csv")).card()
    write(data / "a.csv", [(t, "sea") for t, _ in rows(3)])
    with pytest.raises(DataError, match="1 class where two are needed"):
        TextFile(TextFileConfig(file="a.csv")).card()


def test_an_encoding_is_asked_for_by_file_and_line(data):
    write(data / "a.csv", [*rows(3), ("na\u00efve", "sea")], encoding="latin-1")
    with pytest.raises(DataError, match=r"a\.csv is not utf-8: its line 11 holds the byte 0xef"):
        TextFile(TextFileConfig(file="a.csv")).card()
    assert ("na\u00efve", "sea") in known(TextFile(TextFileConfig(file="a.csv", encoding="latin-1")))
    with pytest.raises(ValidationError, match="no encoding of texts that Python knows"):
        TextFileConfig(file="a.csv", encoding="latin-77")
    with pytest.raises(ValidationError, match="no encoding of texts"):
        TextFileConfig(file="a.csv", encoding="rot13")
    (data / "a.csv").write_bytes(b"text,label  " * 500)
    with pytest.raises(DataError, match=r"a\.csv") as raised:
        TextFile(TextFileConfig(file="a.csv", encoding="utf-16-le")).card()
    assert len(str(raised.value)) < 500, "what was taken for a header is not quoted whole"


def test_what_is_no_table_is_said(data):
    for content, said in (
        (b"words,label\nx,y\n", "has no column 'text'"),
        (b'text,label\n"open,sea\n', "is no table"),
        (b"", "is empty"),
        (b"text,label\n", "no rows below its header"),
        (b"text,label\nsome words, and a comma,sea\nothers,sky\n", "line 2 has 3 fields, the header 2"),
        (b"label,text\nsea\nsky,words\n", "line 2 has 1 fields, the header 2"),
        (b"text,label,text\na,b,c\n", "names twice text"),
        (b"\xff" + b"x," * 5000 + b"\n", "is not utf-8"),
    ):
        (data / "a.csv").write_bytes(content)
        with pytest.raises(DataError, match=said):
            TextFile(TextFileConfig(file="a.csv")).card()
    (data / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet"):
        TextFile(TextFileConfig(file="a.parquet")).card()
    with pytest.raises(DataError, match="There is no file"):
        TextFile(TextFileConfig(file="b.csv")).card()
    (data / "a.doc").write_bytes(b"")
    with pytest.raises(DataError, match=r"should be a \.csv"):
        TextFile(TextFileConfig(file="a.doc")).card()
    for outside in ("/etc/passwd", "../a.csv", ""):
        with pytest.raises(ValidationError, match="below the data folder"):
            TextFileConfig(file=outside)


def tree(folder: Path, table) -> None:
    for i, (text, label) in enumerate(table):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{i:03}.txt").write_text(text, "utf-8")


def test_a_folder_of_files_by_class(data):
    table = rows(10)
    tree(data / "one", table)
    dataset = TextFolder(TextFolderConfig(name="one"))
    assert contract_faults("dataset", TextFolder) == []
    assert (dataset.card().train_size, dataset.card().test_size) == (24, 6)
    assert known(dataset) == set(table)
    (data / "one" / "sea" / "link.txt").symlink_to(data / "one" / "sky" / "001.txt")
    assert known(dataset) == set(table)
    tree(data / "two" / "train", table)
    tree(data / "two" / "val", rows(2, seed=1))
    card = TextFolder(TextFolderConfig(name="two")).card()
    assert (card.train_size, card.test_size) == (30, 6)


def test_files_that_cannot_be_used_are_named(data):
    tree(data / "one", rows(3))
    (data / "one" / "sky" / "bad.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"one/sky/bad\.txt is not utf-8: byte 3"):
        TextFolder(TextFolderConfig(name="one")).card()
    (data / "one" / "sky" / "bad.txt").write_bytes(b"\n\n")
    with pytest.raises(DataError, match=r"without a text: sky/bad\.txt"):
        TextFolder(TextFolderConfig(name="one")).card()
    with pytest.raises(DataError, match="There is no folder"):
        TextFolder(TextFolderConfig(name="none")).card()
    (data / "empty").mkdir()
    with pytest.raises(DataError, match="0 class where two are needed"):
        TextFolder(TextFolderConfig(name="empty")).card()


def hub(data: Path, train, test) -> HubText:
    datasets = pytest.importorskip("datasets")
    splits = {"train": train, "test": test}
    tables = {
        n: datasets.Dataset.from_dict({"text": [t for t, _ in r], "label": [k for _, k in r]})
        for n, r in splits.items()
    }
    datasets.DatasetDict(tables).save_to_disk(str(data / "hub"))
    return HubText(HubTextConfig(repo="hub"))


def test_a_local_copy_of_a_hub_dataset(data):
    dataset = hub(data, rows(5), rows(2, seed=1))
    assert contract_faults("dataset", HubText) == []
    card = dataset.card()
    assert (card.name, card.class_names, card.train_size, card.test_size) == ("hub", CLASSES, 15, 6)
    assert known(dataset) == {*rows(5), *rows(2, seed=1)}


def test_rows_of_a_hub_dataset_that_cannot_be_used_are_named(data):
    dataset = hub(data, [*rows(3), (None, "sea")], [*rows(1, seed=1), ("x", "fire")])
    with pytest.raises(DataError, match=r"without a text: train row 9.*no training text has: test row 3 \('fire'\)"):
        dataset.card()
    with pytest.raises(DataError, match="needs the argument 'revision'"):
        HubText(HubTextConfig(repo="nobody/nothing")).card()
