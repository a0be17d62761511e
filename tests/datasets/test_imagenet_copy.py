"""ImageNet's subsets from small local copies of the `datasets` library's format; nothing asks the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from picture_trees import imagenet_tree

from ddbench.cli.main import execute
from ddbench.data import load
from ddbench.datasets.imagenet import ImagenetSubset, SubsetConfig
from ddbench.datasets.imagenet_lists import places, subsets
from ddbench.errors import DataError

datasets = pytest.importorskip("datasets")
NETTE = subsets()["imagenette"]
WNIDS = [wnid for wnid, _ in NETTE]


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    return tmp_path


def thousand(named: str) -> list[str]:
    """Names of ImageNet-1k's classes: numbers, or words as its publisher has them."""
    names = [str(i) for i in range(1000)]
    if named == "words":
        names = [f"something {i}" for i in range(1000)]
        for wnid, name in NETTE:
            names[places()[wnid]] = f"{name}, Species {name}"
    return names


def copy_of(tree: Path, names: list[str], label: dict[str, int], without: tuple[str, str] = ("", "")):
    """The tree's pictures as they are stored, in one set, with another class in between that no subset has."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    splits = {}
    for split, folder in (("train", "train"), ("validation", "val")):
        files = sorted(f for f in (tree / folder).rglob("*.JPEG") if (split, f.parent.name) != without)
        rows = [{"image": {"path": f.name, "bytes": f.read_bytes()}, "label": label[f.parent.name]} for f in files]
        other = next(i for i in range(len(names)) if i not in label.values())
        rows.insert(1, {**rows[0], "label": other})
        splits[split] = datasets.Dataset.from_list(rows, features=features)
    return datasets.DatasetDict(splits)


def by_class(split) -> list[list[bytes]]:
    """The pictures of each class, whatever their order."""
    return [sorted(x.numpy().tobytes() for x in split.signals[split.labels == k]) for k in range(10)]


@pytest.mark.parametrize("named", ["words", "numbers", "wnids"])
@pytest.mark.parametrize("form", ["saved", "parquet"])
def test_a_copy_gives_the_pictures_of_the_tree(data, named, form):
    imagenet_tree(data / "tree" / "imagenet", WNIDS, 3, 2)
    names = [*reversed(WNIDS), "n99999999"] if named == "wnids" else thousand(named)
    label = {w: names.index(w) if named == "wnids" else places()[w] for w in WNIDS}
    found = copy_of(data / "tree" / "imagenet", names, label)
    if form == "saved":
        found.save_to_disk(str(data / "imagenet"))
    else:
        (data / "imagenet" / "data").mkdir(parents=True)
        for split, rows in found.items():
            rows.to_parquet(str(data / "imagenet" / "data" / f"{split}-00000-of-00001.parquet"))
    own = ImagenetSubset(SubsetConfig(subset="nette", size=24))  # found where a tree would be
    told = ImagenetSubset(SubsetConfig(subset="nette", size=24, repo="imagenet"))
    copies = load(own), load(told)
    (data / "imagenet").rename(data / "elsewhere")
    (data / "tree" / "imagenet").rename(data / "imagenet")
    tree = load(ImagenetSubset(SubsetConfig(subset="nette", size=24)))
    for copy in copies:
        assert copy.card.class_names == tree.card.class_names
        assert (copy.card.train_size, copy.card.test_size, copy.card.family) == (30, 20, "imagenet")
        assert by_class(copy.train) == by_class(tree.train)
        assert by_class(copy.held_out) == by_class(tree.held_out)


def test_cells_from_before_keep_their_keys():
    assert SubsetConfig(subset="nette", size=24).model_dump() == {"subset": "imagenette", "size": 24}


def test_missing_classes_and_other_sets_are_told(data):
    imagenet_tree(data / "tree", WNIDS, 1, 1)
    label = {w: places()[w] for w in WNIDS}
    copy_of(data / "tree", thousand("numbers"), label, ("validation", WNIDS[3])).save_to_disk(str(data / "imagenet"))
    with pytest.raises(DataError, match=rf"no picture of these classes.*: validation: {WNIDS[3]} \(chain saw\)\.$"):
        ImagenetSubset().card()
    assert ImagenetSubset(SubsetConfig(subset="imagenette", test="train")).card().test_size == 10

    few = copy_of(data / "tree", [str(i) for i in range(11)], {w: i for i, w in enumerate(WNIDS)})
    few.save_to_disk(str(data / "few"))
    with pytest.raises(DataError, match=r"it has 11 classes, such as 0, 1, 2, where a thousand"):
        ImagenetSubset(SubsetConfig(repo="few")).card()

    some = copy_of(data / "tree", [*WNIDS[:9], "other", "more"], {w: min(i, 8) for i, w in enumerate(WNIDS)})
    some.save_to_disk(str(data / "some"))
    with pytest.raises(DataError, match=rf"'some' has no classes {WNIDS[9]} \(parachute\)"):
        ImagenetSubset(SubsetConfig(repo="some")).card()

    turned = copy_of(data / "tree", thousand("words")[::-1], label)
    turned.save_to_disk(str(data / "turned"))
    with pytest.raises(DataError, match=r"another order .*they have 'something \d+' for 'tench'"):
        ImagenetSubset(SubsetConfig(repo="turned")).card()
    with pytest.raises(DataError, match="has no column 'picture'"):
        ImagenetSubset(SubsetConfig(repo="few", image="picture")).card()
    with pytest.raises(DataError, match="needs the argument 'revision'"):
        ImagenetSubset(SubsetConfig(repo="owner/imagenet-1k")).card()


def test_a_cell_runs_on_a_copy(data, monkeypatch, capsys):
    imagenet_tree(data / "tree", WNIDS, 2, 1)
    found = copy_of(data / "tree", thousand("words"), {w: places()[w] for w in WNIDS})
    found.save_to_disk(str(data / "thousand"))
    monkeypatch.chdir(data)
    (data / "copy.yaml").write_text("""
ddbench: 1
name: copy
version: 1
protocol: {name: small, students: 1, networks: {auto: {width: 4}}, epochs: 2, columns: equal_epochs, augment: none}
grid:
  - datasets: {imagenet_subset: {subset: nette, size: 32, repo: thousand}}
    codecs: downsample
    methods: {dm: {iterations: 1, real_batch: 2}}
    budgets: {ipc: 1}
    network: {auto: {width: 4}}
""")
    run = ["run", "copy.yaml", "--out", "out", "--engine", "inline", "--device", "cpu", "--no-report"]
    assert execute(run) == 0, capsys.readouterr()
    (result,) = [json.loads(path.read_text()) for path in (data / "out").rglob("result*.json")]
    assert result["status"] == "ok"
    assert result["cell"]["dataset"]["args"]["repo"] == "thousand"
