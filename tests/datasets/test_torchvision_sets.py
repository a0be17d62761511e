"""CIFAR and SVHN through torchvision, on tiny files in the published formats."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision import datasets

from ddbench.datasets.torchvision_sets import Cifar10, Cifar100, Svhn
from ddbench.errors import DataError

N = 4


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    return tmp_path


def write_cifar(monkeypatch, root: Path, kind: str) -> dict[str, tuple[np.ndarray, list[int]]]:
    """Batches of N pictures `[N, 3072]` in the published layout, known to torchvision by their MD5."""
    plugin = getattr(datasets, kind)
    draw = np.random.default_rng(1)
    folder = root / plugin.base_folder
    folder.mkdir(parents=True)
    written = {}
    lists = {}
    for part in ("train_list", "test_list"):
        lists[part] = []
        for name, _ in getattr(plugin, part):
            pixels = draw.integers(0, 256, (N, 3072), dtype=np.uint8)
            labels = draw.integers(0, 10, N).tolist()
            key = "labels" if kind == "CIFAR10" else "fine_labels"
            (folder / name).write_bytes(pickle.dumps({"data": pixels, key: labels}))
            lists[part].append([name, md5(folder / name)])
            written[name] = (pixels, labels)
    meta = folder / plugin.meta["filename"]
    meta.write_bytes(pickle.dumps({plugin.meta["key"]: ["a", "b"]}))
    monkeypatch.setattr(plugin, "meta", plugin.meta | {"md5": md5(meta)})
    for part, files in lists.items():
        monkeypatch.setattr(plugin, part, files)
    return written


@pytest.mark.parametrize(("dataset", "kind"), [(Cifar10, "CIFAR10"), (Cifar100, "CIFAR100")])
@pytest.mark.parametrize("below", ["", "own"])
def test_cifar_pictures_and_labels_are_those_of_the_files(monkeypatch, data, dataset, kind, below):
    written = write_cifar(monkeypatch, data / kind if below else data, kind)
    train, test = dataset().load()
    for split, part in ((train, "train_list"), (test, "test_list")):
        files = [written[name] for name, _ in getattr(getattr(datasets, kind), part)]
        assert split.signals.dtype == torch.uint8
        assert split.labels.tolist() == [label for _, labels in files for label in labels]
        pixels = np.concatenate([p for p, _ in files])
        for i in range(len(split)):
            for c in range(3):
                assert split.signals[i, c].flatten().tolist() == pixels[i, 1024 * c : 1024 * (c + 1)].tolist()


def write_svhn(monkeypatch, root: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    draw = np.random.default_rng(2)
    known = dict(datasets.SVHN.split_list)
    written = {}
    for split in ("train", "test"):
        x = draw.integers(0, 256, (32, 32, 3, N), dtype=np.uint8)
        y = np.array([[1], [10], [5], [9]], dtype=np.uint8)
        path = root / f"{split}_32x32.mat"
        savemat(path, {"X": x, "y": y})
        known[split] = [known[split][0], path.name, md5(path)]
        written[split] = (x, y)
    monkeypatch.setattr(datasets.SVHN, "split_list", known)
    return written


def test_svhn_pictures_are_channels_first_and_ten_means_zero(monkeypatch, data):
    written = write_svhn(monkeypatch, data)
    for split, name in zip(Svhn().load(), ("train", "test")):
        assert split.labels.tolist() == [1, 0, 5, 9]
        assert split.signals.shape == (N, 3, 32, 32)
        assert split.signals.is_contiguous()
        for i, c, h, w in ((0, 0, 0, 0), (3, 2, 31, 5), (1, 1, 7, 30)):
            assert int(split.signals[i, c, h, w]) == int(written[name][0][h, w, c, i])


@pytest.mark.parametrize(
    ("dataset", "file"),
    [(Cifar10, "cifar-10-batches-py"), (Cifar100, "cifar-100-python"), (Svhn, "test_32x32.mat")],
)
def test_missing_files_are_an_error_that_names_them_and_the_ways(data, dataset, file):
    with pytest.raises(DataError, match=f"lacks .*{file}") as caught:
        dataset().load()
    for word in (str(data), "DDBENCH_DATA", "DDBENCH_DOWNLOAD=1"):
        assert word in str(caught.value)


def test_a_file_with_another_md5_is_not_taken_nor_unpickled(monkeypatch, data):
    write_cifar(monkeypatch, data, "CIFAR10")
    (data / "cifar-10-batches-py" / "test_batch").write_bytes(b"not a pickle")
    with pytest.raises(DataError, match="has them, but some file is missing or has another MD5"):
        Cifar10().load()


def test_download_happens_only_where_allowed(monkeypatch, data):
    calls = []

    def download(self: datasets.SVHN) -> None:
        if not calls:
            write_svhn(monkeypatch, data)
            self.file_md5 = datasets.SVHN.split_list[self.split][2]
        calls.append(self.split)

    monkeypatch.setattr(datasets.SVHN, "download", download)
    with pytest.raises(DataError):
        Svhn().load()
    assert not calls
    monkeypatch.setenv("DDBENCH_DOWNLOAD", "1")
    assert len(Svhn().load()[0]) == N
    assert calls == ["train", "test"]


def test_a_failed_download_says_why(monkeypatch):
    def refuse(self: datasets.CIFAR10) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(datasets.CIFAR10, "download", refuse)
    monkeypatch.setenv("DDBENCH_DOWNLOAD", "1")
    with pytest.raises(DataError, match=r"'cifar10' could not be downloaded into .*no route to host"):
        Cifar10().load()


@pytest.mark.large
@pytest.mark.parametrize("dataset", [Cifar10, Cifar100, Svhn])
def test_the_published_files_agree_with_the_card(dataset, monkeypatch):
    from ddbench.data import load

    monkeypatch.undo()
    try:
        data = load(dataset())
    except DataError as error:
        pytest.skip(f"no files: {error}")
    assert int(data.train.labels.bincount().min()) == data.card.smallest_class
