"""Pictures in the format of the `datasets` library, from small local copies; nothing asks the network."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddbench.data import load
from ddbench.datasets.hub_images import HubImages, HubImagesConfig
from ddbench.errors import DataError
from ddbench.registry import contract_faults

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    return tmp_path


def rows(per_class: int, label="class", labels=("ant", "bee", "cow"), **columns):
    features = {"img": datasets.Image(), label: columns.get("of", datasets.ClassLabel(names=list(labels)))}
    values = [k for _ in range(per_class) for k in range(len(labels))]
    pictures = [Image.new("RGB", (12, 10), (60 * k, 10, 200)) for k in values]
    named = columns.get("named", values)
    return datasets.Dataset.from_dict({"img": pictures, label: named}, features=datasets.Features(features))


def config(**args) -> HubImagesConfig:
    return HubImagesConfig(**{"repo": "insects", "image": "img", "label": "class", "size": 8} | args)


@pytest.mark.parametrize("kind", ["saved", "parquet"])
def test_a_local_copy_is_read_in_its_order(data, kind):
    splits = {"train": rows(3), "test": rows(1)}
    if kind == "saved":
        datasets.DatasetDict(splits).save_to_disk(str(data / "insects"))
    else:
        (data / "insects" / "data").mkdir(parents=True)
        for name, split in splits.items():
            split.to_parquet(str(data / "insects" / "data" / f"{name}-00000-of-00001.parquet"))
    assert contract_faults("dataset", HubImages) == []
    loaded = load(HubImages(config()))
    assert loaded.card.class_names == ("ant", "bee", "cow")
    assert (loaded.card.train_size, loaded.card.test_size, loaded.card.smallest_class) == (9, 3, 3)
    assert loaded.train.labels.tolist() == [0, 1, 2] * 3
    expected = np.broadcast_to(np.array([[60 * k, 10, 200] for k in [0, 1, 2] * 3])[:, :, None, None], (9, 3, 8, 8))
    np.testing.assert_array_equal(loaded.train.signals.numpy(), expected)


def test_the_revision_follows_the_files(data):
    datasets.DatasetDict({"train": rows(3), "test": rows(1)}).save_to_disk(str(data / "insects"))
    datasets.DatasetDict({"train": rows(3), "test": rows(1)}).save_to_disk(str(data / "again"))
    datasets.DatasetDict({"train": rows(4), "test": rows(1)}).save_to_disk(str(data / "more"))
    revisions = [HubImages(config(repo=repo)).card().revision for repo in ("insects", "again", "more")]
    assert revisions[0] == revisions[1] != revisions[2]


def test_strings_are_labels_too(data):
    named = ["wasp", "fly", "gnat", "fly", "gnat", "wasp"]
    split = rows(2, of=datasets.Value("string"), named=named)
    datasets.DatasetDict({"train": split, "validation": split}).save_to_disk(str(data / "insects"))
    loaded = load(HubImages(config(test="validation")))
    assert [loaded.card.class_names[k] for k in loaded.train.labels] == named


def test_what_is_missing_is_named(data):
    split = rows(2)
    datasets.DatasetDict({"train": split}).save_to_disk(str(data / "insects"))
    with pytest.raises(DataError, match=r"has no split 'test'.*arguments 'train' and 'test'"):
        HubImages(config()).card()
    with pytest.raises(DataError, match=r"no column 'label'"):
        HubImages(config(test="train", label="label")).card()
    with pytest.raises(DataError, match=r"holds no pictures .* but"):
        HubImages(config(test="train", image="class")).card()
    empty = split.map(lambda row, i: row if i else {"img": None}, with_indices=True, features=split.features)
    datasets.DatasetDict({"train": empty}).save_to_disk(str(data / "holes"))
    with pytest.raises(DataError, match=r"row 0 of train has no picture"):
        HubImages(config(repo="holes", test="train")).load()


def test_the_hub_is_asked_only_where_downloads_are_allowed(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(DataError, match=r"'revision': a commit or tag"):
        HubImages(config(repo="some/insects")).card()
    with pytest.raises(DataError, match=r"'some/insects' at revision 'v1' cannot be had.*DDBENCH_DOWNLOAD=1") as caught:
        HubImages(config(repo="some/insects", revision="v1")).card()
    assert "the network was asked" not in str(caught.value)


def test_some_classes_are_kept_in_the_order_that_is_asked(data):
    splits = {name: rows(n, labels=("ant", "bee", "cow", "dog")) for name, n in (("train", 3), ("test", 1))}
    datasets.DatasetDict(splits).save_to_disk(str(data / "insects"))
    loaded = load(HubImages(config(classes=["cow", 0])))
    assert loaded.card.class_names == ("cow", "ant")
    assert loaded.train.labels.tolist() == [1, 0] * 3
    assert loaded.train.signals[:, 0, 0, 0].tolist() == [0, 120] * 3
    assert loaded.card.revision != HubImages(config()).card().revision


def test_pictures_of_other_classes_are_never_read(data):
    pictures = [None if k == 1 else Image.new("RGB", (12, 10), (60 * k, 10, 200)) for k in (0, 1, 2)]
    features = datasets.Features({"img": datasets.Image(), "class": datasets.Value("int64")})
    split = datasets.Dataset.from_dict({"img": pictures, "class": [0, 1, 2]}, features=features)
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(str(data / "insects"))
    assert load(HubImages(config(classes=[2, "0"]))).card.class_names == ("2", "0")


def test_classes_that_are_not_there_are_named(data):
    test = rows(2).filter(lambda row: row["class"] != 1)
    datasets.DatasetDict({"train": rows(2), "test": test}).save_to_disk(str(data / "insects"))
    with pytest.raises(DataError) as caught:
        HubImages(config(classes=["cou", "ant", 0, 7])).card()
    for words in ("no class 'cou' (Did you mean 'cow'?)", "0 is given twice (it is label 0, 'ant')", "from 0 to 2"):
        assert words in str(caught.value)
    with pytest.raises(DataError, match=r"The split 'test' of 'insects' has no rows of 'bee'\. Leave"):
        HubImages(config(classes=["ant", "bee"])).card()


def test_without_classes_cells_keep_their_keys(data):
    assert "classes" not in config().model_dump()
    datasets.DatasetDict({"train": rows(3), "test": rows(1)}).save_to_disk(str(data / "insects"))
    sides = HubImages(config()).pictures(False)
    assert sides.train.known_by[4].endswith(" train img 4")


def test_labels_beyond_the_names_are_told(data):
    wrong = rows(1).cast_column("class", datasets.Value("int64")).map(lambda row: {"class": row["class"] + 3})
    datasets.DatasetDict({"train": rows(2), "test": wrong}).save_to_disk(str(data / "insects"))
    with pytest.raises(DataError, match="holds the label 5, and names 3 classes"):
        HubImages(config()).card()
