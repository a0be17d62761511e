"""ImageNet's subsets from copies in the format of the `datasets` library: the same data as the folder tree's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from picture_trees import imagenet_tree

from ddbench.cli.main import execute
from ddbench.data import load
from ddbench.datasets.imagenet import ImagenetSubset, SubsetConfig, indexed
from ddbench.errors import DataError
from ddbench.interfaces.dataset import DatasetCard

datasets = pytest.importorskip("datasets")

NETTE = indexed()["imagenette"]
WNIDS = [wnid for _, wnid, _ in NETTE]
WORDS = [f"nothing {i}" for i in range(1000)]
for i, _, name in NETTE:
    WORDS[i] = f"{name.lower()}, other words"
IDS = [f"n{i:08d}" for i in range(990)] + WNIDS


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache" / "hf"))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    return tmp_path


def split(tree: Path, part: str, names: list[str] | None, leave_out: str = "", file=lambda name, wnid: name):
    """The tree's pictures as rows with others between them; labels as `names` has them, or places."""
    rows = []
    for i, wnid, _ in NETTE:
        label = IDS.index(wnid) if names is IDS else i
        for path in sorted((tree / part / wnid).iterdir()):
            if wnid != leave_out:
                rows.append(({"bytes": path.read_bytes(), "path": file(path.name, wnid)}, label))
    rows = rows[::2] + rows[1::2]
    rows.insert(3, ({"bytes": b"no picture", "path": "n99999999_1.JPEG"}, 5))
    rows.append(({"bytes": b"no picture", "path": "n99999999_2.JPEG"}, 999 if names is not IDS else 6))
    label = datasets.Value("int64") if names is None else datasets.ClassLabel(names=names)
    features = datasets.Features({"image": datasets.Image(), "label": label})
    return datasets.Dataset.from_dict({"image": [r[0] for r in rows], "label": [r[1] for r in rows]}, features=features)


def copy(folder: Path, tree: Path, names: list[str] | None = WORDS, kind: str = "saved", **args) -> None:
    splits = {name: split(tree, part, names, **args) for name, part in (("train", "train"), ("validation", "val"))}
    if kind == "saved":
        datasets.DatasetDict(splits).save_to_disk(str(folder))
        return
    (folder / "data").mkdir(parents=True)
    for name, one in splits.items():
        one.to_parquet(str(folder / "data" / f"{name}-00000-of-00001.parquet"))


def with_wnid(name: str, wnid: str) -> str:
    return f"{name.removesuffix('.JPEG')}_{wnid}.JPEG"


def subset(**args) -> ImagenetSubset:
    return ImagenetSubset(SubsetConfig.model_validate({"subset": "nette", "size": 32} | args))


@pytest.mark.parametrize(("names", "kind"), [(WORDS, "parquet"), (IDS, "saved"), (None, "saved")])
def test_the_same_pictures_are_the_same_data_wherever_they_lie(data, monkeypatch, names, kind):
    imagenet_tree(data / "imagenet", WNIDS, 3, 2)
    from_tree = load(subset())
    copy(
        data / "other" / "imagenet", data / "imagenet", names, kind, file=lambda name, wnid: f"{name[:-5]}_{wnid}.JPEG"
    )
    monkeypatch.setenv("DDBENCH_DATA", str(data / "other"))
    monkeypatch.setenv("DDBENCH_CACHE", str(data / "other" / "cache"))
    found = load(subset())
    assert found.card == from_tree.card
    for part in ("train", "held_out"):
        torch.testing.assert_close(getattr(found, part).signals, getattr(from_tree, part).signals, rtol=0, atol=0)
        assert getattr(found, part).labels.tolist() == getattr(from_tree, part).labels.tolist()


def test_pictures_without_imagenets_names_are_known_by_their_copy(data):
    imagenet_tree(data / "tree", WNIDS, 2, 1)
    copy(data / "copy", data / "tree", file=lambda *_: None)
    copy(data / "named", data / "tree")
    loaded, named = load(subset(repo="copy")), load(subset(repo="named"))
    assert loaded.card.revision != named.card.revision
    assert (loaded.card.train_size, loaded.card.test_size) == (20, 10)
    for k in range(10):
        both = [{s.numpy().tobytes() for s in d.train.signals[d.train.labels == k]} for d in (loaded, named)]
        assert both[0] == both[1]
    assert loaded.card.name == named.card.name == "imagenet_subset_imagenette"


def test_arguments_for_copies_leave_keys_as_they_were():
    assert SubsetConfig.model_validate({}).model_dump() == {"subset": "imagenette", "size": 256}


def test_missing_classes_are_named(data):
    imagenet_tree(data / "tree", WNIDS, 2, 1)
    copy(data / "copy", data / "tree", leave_out=WNIDS[8])
    with pytest.raises(DataError) as caught:
        subset(repo="copy").card()
    for word in (f"train/{WNIDS[8]} (golf ball), validation/{WNIDS[8]} (golf ball)", "'copy'", "all of ImageNet-1k"):
        assert word in str(caught.value)
    assert WNIDS[7] not in str(caught.value)
    with pytest.raises(DataError, match=r"no split 'val'.*arguments 'train' and 'validation'"):
        subset(repo="copy", validation="val").card()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([*WORDS, "one more"], r"'copy' has 1001 classes, 'tench, other words', .* `hub_images`"),
        (WORDS[::-1], r"not in the order of their WordNet ids: label 0 is 'nothing 999', not 'tench'"),
        ([f"n{i:08d}" for i in range(1000)], r"1000 WordNet ids; n01440764 \(tench\), n02102040"),
    ],
)
def test_other_classes_are_told(data, names, said):
    imagenet_tree(data / "tree", WNIDS, 1, 1)
    copy(data / "copy", data / "tree", names)
    with pytest.raises(DataError, match=said):
        subset(repo="copy").card()


SUITE = """
ddbench: 1
name: small_copy
version: 1
description: Random selection on a small copy of ImageNet in the format of the datasets library.
protocol: {name: small, students: 1, networks: {auto: {width: 4}}, epochs: 2, columns: equal_epochs, augment: none}
grid:
  - datasets: {imagenet_subset: {subset: nette, size: 32%s}}
    codecs: identity
    methods: random
    budgets: {ipc: 1}
    network: {auto: {width: 4}}
"""
RUN = ["run", "suite.yaml", "--engine", "inline", "--device", "cpu", "--no-report", "--out"]


def test_a_cell_runs_from_a_copy_in_the_data_folder_and_is_the_trees(data, monkeypatch, capsys):
    imagenet_tree(data / "tree", WNIDS, 3, 2)
    copy(data / "imagenet", data / "tree", kind="parquet")
    monkeypatch.chdir(data)
    Path("suite.yaml").write_text(SUITE % "")
    assert execute([*RUN, "copied"]) == 0, capsys.readouterr()
    shutil.rmtree(data / "imagenet")
    shutil.move(data / "tree", data / "imagenet")
    from ddbench.planning.facts import _card

    _card.cache_clear()
    assert execute([*RUN, "files"]) == 0, capsys.readouterr()
    (copied,), (files,) = (list(Path(out).rglob("result*.json")) for out in ("copied", "files"))
    one, two = (json.loads(path.read_text()) for path in (copied, files))
    assert one["status"] == two["status"] == "ok"
    assert copied.parent.name == files.parent.name
    assert one["key"] == two["key"]
    assert [run["correct"] for run in one["runs"]] == [run["correct"] for run in two["runs"]]


def test_a_hub_dataset_that_is_not_here_ends_as_missing_data(data, monkeypatch, capsys):
    monkeypatch.chdir(data)
    Path("suite.yaml").write_text(SUITE % ", repo: some/imagenet, revision: v1")
    assert execute([*RUN, "out"]) == 3
    said = capsys.readouterr()
    assert "'some/imagenet' at revision 'v1' cannot be had" in said.err + said.out
    assert "DDBENCH_DOWNLOAD=1" in said.err + said.out


def test_the_card_says_what_the_trees_says(data):
    imagenet_tree(data / "tree", WNIDS, 1, 1)
    copy(data / "copy", data / "tree")
    card: DatasetCard = subset(repo="copy").card()
    assert card.class_names == tuple(name for *_, name in NETTE)
    assert card.family == "imagenet"


def test_a_tree_stays_a_tree_beside_parquet_files_and_half_a_copy_is_none(data):
    imagenet_tree(data / "imagenet", WNIDS, 2, 1)
    copy(data / "other", data / "imagenet", kind="parquet")
    card = subset().card()
    (data / "imagenet" / "data").mkdir()
    (part,) = (data / "other" / "data").glob("train-*")
    shutil.copy(part, data / "imagenet" / "data" / "train-00000-of-00003.parquet")
    assert subset().card() == card
    shutil.copy(part, data / "other" / "data" / "train-00001-of-00003.parquet")
    part.unlink()
    with pytest.raises(DataError, match=r"'train' of .* lacks 2 of its 3 Parquet files, first number 0\."):
        subset(repo="other").card()


def test_a_files_own_name_tells_that_labels_are_in_another_order(data):
    imagenet_tree(data / "tree", WNIDS, 2, 1)
    turned = dict(zip(WNIDS, [*WNIDS[1:], WNIDS[0]]))
    copy(data / "turned", data / "tree", None, file=lambda name, wnid: f"{turned[wnid]}_{name[-6:]}")
    with pytest.raises(DataError, match=rf"A picture of train .* which is {WNIDS[0]} .* is called {WNIDS[1]}_"):
        subset(repo="turned").card()


def test_splits_are_two_and_have_rows(data):
    with pytest.raises(ValueError, match="train and validation should be two splits"):
        subset(validation="train")
    with pytest.raises(ValueError, match="data folder"):
        subset(repo="../elsewhere")
    imagenet_tree(data / "tree", WNIDS, 2, 1)
    whole = split(data / "tree", "train", WORDS)
    datasets.DatasetDict({"train": whole, "validation": whole.select([])}).save_to_disk(str(data / "empty"))
    with pytest.raises(DataError, match="empty"):
        subset(repo="empty").card()


def test_a_parquet_copy_asks_no_network(data, monkeypatch):
    import socket

    def refused(*args, **kwargs):
        raise AssertionError(f"the network was asked: {args}")

    imagenet_tree(data / "tree", WNIDS, 2, 1)
    copy(data / "other", data / "tree", kind="parquet")
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert subset(repo="other").card().train_size == 20
