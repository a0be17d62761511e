"""ImageNet's subsets, Imagenette and one's own folders, on small trees in their layouts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from picture_trees import imagenet_tree, picture
from pydantic import ValidationError

from ddbench.data import load
from ddbench.datasets.image_folder import ImageFolder, ImageFolderConfig
from ddbench.datasets.imagenet import LISTS, ImagenetSubset, SubsetConfig, aliases, subsets
from ddbench.datasets.imagenette import Imagenette, ImagenetteConfig
from ddbench.datasets.picture_folders import contents
from ddbench.errors import DataError
from ddbench.registry import contract_faults

NETTE = [wnid for wnid, _ in subsets()["imagenette"]]


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    return tmp_path


def mean_levels(split, k: int) -> float:
    return float(split.signals[split.labels == k].float().mean())


def test_the_lists_are_of_ten_classes_in_the_sorted_order_of_wordnet_ids():
    known = yaml.safe_load(LISTS.read_text())
    by_index = sorted({(i, wnid) for one in known.values() for i, wnid, _ in one["classes"]})
    assert [wnid for _, wnid in by_index] == sorted(wnid for _, wnid in by_index)
    assert len({i for i, _ in by_index}) == len(by_index)
    assert all(len(set(classes)) == 10 for classes in subsets().values())
    assert subsets()["imagemeow"][9] == ("n02127052", "lynx")
    assert aliases()["a"] == "imagenet_a"


def test_a_short_name_is_the_same_cell():
    assert SubsetConfig(subset="Woof") == SubsetConfig(subset="imagewoof")
    with pytest.raises(ValidationError, match="Did you mean 'imagewoof'"):
        SubsetConfig(subset="imagewof")


def test_a_subset_is_read_by_wordnet_id_in_label_order(data):
    imagenet_tree(data / "imagenet", NETTE)
    picture(data / "imagenet" / "train" / "n99999999" / "other.JPEG", 3)
    (data / "imagenet" / "train" / NETTE[0] / ".hidden.JPEG").write_text("passed over")
    dataset = ImagenetSubset(SubsetConfig(subset="nette", size=32))
    assert contract_faults("dataset", ImagenetSubset) == []
    loaded = load(dataset)
    assert loaded.card.class_names[1] == "English springer"
    assert (loaded.card.train_size, loaded.card.test_size, loaded.card.smallest_class) == (40, 20, 4)
    assert loaded.card.signal.shape == (3, 32, 32)
    for split in (loaded.train, loaded.held_out):
        assert [round((mean_levels(split, k) - 40) / 18) for k in range(10)] == list(range(10))
    told = []
    assert ImagenetSubset.fetch(dataset.config, False, told.append) == "40 + 20 pictures at 3 x 32 x 32"
    assert told == []


def test_whatever_is_a_part_of_imagenet_is_of_its_family(data):
    imagenet_tree(data / "imagenet", NETTE, 2, 1)
    assert ImagenetSubset(SubsetConfig(subset="nette", size=16)).card().family == "imagenet"
    assert Imagenette(ImagenetteConfig(size=16)).card().family == "imagenet"
    shutil.copytree(data / "imagenet", data / "mine")
    own, told = (
        ImageFolder(ImageFolderConfig.model_validate({"name": "mine", "size": 16, **family})).card()
        for family in ({}, {"family": "imagenet"})
    )
    assert (own.family, told.family) == ("mine", "imagenet")
    assert own.revision == told.revision
    assert "family" not in ImageFolderConfig(name="mine").model_dump(), "cells from before keep their keys"


def test_fetch_tells_how_far_it_is(data):
    imagenet_tree(data / "imagenet", NETTE, 1, 1)
    told = []
    ImagenetSubset.fetch(SubsetConfig(size=16), False, told.append)
    assert told == [0.5, 1.0]


def test_the_revision_follows_files_and_size(data, monkeypatch):
    imagenet_tree(data / "imagenet", NETTE, 1, 1)
    card = ImagenetSubset(SubsetConfig(size=16)).card()
    assert ImagenetSubset(SubsetConfig(size=24)).card().revision != card.revision
    shutil.copytree(data / "imagenet", data / "moved" / "imagenet")
    monkeypatch.setenv("DDBENCH_DATA", str(data / "moved"))
    assert ImagenetSubset(SubsetConfig(size=16)).card() == card
    picture(data / "second" / "imagenet" / "train" / NETTE[0] / "more.JPEG", 1)
    shutil.copytree(data / "imagenet", data / "second" / "imagenet", dirs_exist_ok=True)
    monkeypatch.setenv("DDBENCH_DATA", str(data / "second"))
    assert ImagenetSubset(SubsetConfig(size=16)).card().revision != card.revision


def test_all_missing_classes_are_named_at_once(data):
    imagenet_tree(data / "imagenet", NETTE[:8], 1, 1)
    with pytest.raises(DataError) as caught:
        ImagenetSubset().card()
    for word in (f"train/{NETTE[8]} (golf ball)", f"val/{NETTE[9]} (parachute)", "ILSVRC", "by WordNet id"):
        assert word in str(caught.value)
    assert NETTE[7] not in str(caught.value)


def test_broken_pictures_are_named(data):
    imagenet_tree(data / "imagenet", NETTE, 2, 1)
    for wnid in NETTE[:6]:
        path = data / "imagenet" / "train" / wnid / f"{wnid}_0.JPEG"
        path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=rf"6 of the 20 files .*{NETTE[0][:3]}\d+_0\.JPEG cannot be read.*and 1 more"):
        ImagenetSubset(SubsetConfig(size=16)).load()


def test_imagenette_is_its_own_split_and_checked_by_its_counts(data, monkeypatch):
    assert sum(Imagenette.train_counts) == 9469
    assert sum(Imagenette.test_counts) == 3925
    imagenet_tree(data / "imagenette2-160", NETTE, 2, 1)
    config = ImagenetteConfig(archive="160px", size=16)
    with pytest.raises(DataError, match=rf"train/{NETTE[0]} has 2 of 963.*DDBENCH_DOWNLOAD=1"):
        Imagenette(config).load()
    monkeypatch.setattr(Imagenette, "train_counts", (2,) * 10)
    monkeypatch.setattr(Imagenette, "test_counts", (1,) * 10)
    loaded = load(Imagenette(config))
    assert [round((mean_levels(loaded.train, k) - 40) / 18) for k in range(10)] == list(range(10))


def test_imagenette_is_downloaded_only_where_allowed(data, monkeypatch):
    from torchvision import datasets

    asked = []

    def download(root: Path, size: str, download: bool) -> None:
        asked.append(size)
        imagenet_tree(root / "imagenette2-320", NETTE, 2, 1)

    monkeypatch.setattr(datasets, "Imagenette", download)
    monkeypatch.setattr(Imagenette, "train_counts", (2,) * 10)
    monkeypatch.setattr(Imagenette, "test_counts", (1,) * 10)
    config = ImagenetteConfig(archive="320px", size=16)
    with pytest.raises(DataError):
        Imagenette(config).load()
    assert asked == []
    assert Imagenette.fetch(config, True, lambda _: None) == "20 + 10 pictures at 3 x 16 x 16"
    assert asked == ["320px"]


def test_a_folder_with_two_sides(data):
    for k, name in enumerate(("cat", "dog", "eel")):
        for part, n in (("train", 3 + k), ("val", 2)):
            for i in range(n):
                picture(data / "pets" / part / name / f"{i}.png", k, seed=i + 50 * (part == "val"))
    dataset = ImageFolder(ImageFolderConfig(name="pets", size=16, channels=1, mean=(0.4,)))
    loaded = load(dataset)
    assert loaded.card.name == "pets"
    assert loaded.card.class_names == ("cat", "dog", "eel")
    assert (loaded.card.train_size, loaded.card.test_size, loaded.card.smallest_class) == (12, 6, 3)
    assert loaded.card.signal.shape == (1, 16, 16)
    assert mean_levels(loaded.train, 0) < mean_levels(loaded.train, 1) < mean_levels(loaded.train, 2)
    shutil.rmtree(data / "pets" / "val" / "eel")
    picture(data / "pets2" / "train" / "a" / "1.png", 0)
    picture(data / "pets2" / "test" / "b" / "1.png", 0)
    with pytest.raises(DataError, match="classes a, b are not in both"):
        ImageFolder(ImageFolderConfig(name="pets2")).card()


def test_a_single_tree_is_split_by_content_with_equal_files_on_one_side(data):
    for k, name in enumerate(("cat", "dog")):
        for i in range(20):
            path = picture(data / "pets" / name / f"{i}.png", k, seed=i)
            shutil.copy(path, path.with_name(f"copy_{i}.png"))
    dataset = ImageFolder(ImageFolderConfig(name="pets", size=16, fit="letterbox"))
    loaded = load(dataset)
    assert (loaded.card.train_size, loaded.card.test_size) == (64, 16)
    sides = dataset.pictures()
    assert not set(contents(sides.train.files)) & set(contents(sides.test.files))
    shutil.move(data / "pets", data / "moved")
    again = ImageFolder(ImageFolderConfig(name="moved", size=16, fit="letterbox")).card()
    assert again.revision == loaded.card.revision


def test_where_the_data_folder_lies_is_not_in_the_key(data):
    assert ImageFolderConfig(name=str(data / "pets" / "inner")).name == "pets/inner"
    for name in ("/somewhere/else", "..", "a/../../b", "."):
        with pytest.raises(ValidationError, match="data folder"):
            ImageFolderConfig(name=name)
    with pytest.raises(DataError, match=r"no folder .*absent.*train/CLASS"):
        ImageFolder(ImageFolderConfig(name="absent")).card()
    picture(data / "one" / "cat" / "1.png", 0)
    with pytest.raises(DataError, match="cat have fewer than two"):
        ImageFolder(ImageFolderConfig(name="one")).card()
    with pytest.raises(ValidationError, match="std should have one value or 3"):
        ImageFolderConfig(std=(0.1, 0.2))
