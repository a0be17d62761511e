"""Full MNIST and Fashion-MNIST: where files are found, what is refused, what the published files hold."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ddbench.data import load
from ddbench.datasets.idx import FashionMnist, Mnist
from ddbench.datasets.idx_files import IdxFile
from ddbench.errors import DataError

NAMES = [f.name for f in FashionMnist.published.files]
SIZES = {"train": 12, "t10k": 5}


def encode(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(3)
    return {
        name: draw.integers(0, 256, (SIZES[name.split("-")[0]], 28, 28), dtype=np.uint8)
        if "images" in name
        else draw.integers(0, 10, SIZES[name.split("-")[0]], dtype=np.uint8)
        for name in NAMES
    }


@pytest.fixture
def put(arrays, monkeypatch, tmp_path) -> Callable[..., Path]:
    """Makes tiny files the published ones, DDBENCH_DATA a temporary folder, and gives a function that writes them."""
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    files = tuple(IdxFile(n, arrays[n].shape, hashlib.sha256(encode(arrays[n])).hexdigest()) for n in NAMES)
    small = replace(FashionMnist.published, files=files, system_folders=(tmp_path / "system",))
    monkeypatch.setattr(FashionMnist, "published", small)

    def write(folder: str, gzipped: bool = True) -> Path:
        place = tmp_path / folder
        place.mkdir(parents=True)
        for name, array in arrays.items():
            if gzipped:
                (place / f"{name}.gz").write_bytes(gzip.compress(encode(array)))
            else:
                (place / name).write_bytes(encode(array))
        return place

    return write


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("folder", ["data/FashionMNIST/raw", "data/FashionMNIST", "system"])
def test_files_are_found_and_read_exactly(put, arrays, folder, gzipped):
    put(folder, gzipped)
    splits = FashionMnist().load()
    for split, part in zip(splits, SIZES):
        assert split.signals.dtype == torch.uint8
        assert split.labels.dtype == torch.int64
        assert np.array_equal(split.signals.numpy(), arrays[f"{part}-images-idx3-ubyte"][:, None])
        assert split.labels.tolist() == arrays[f"{part}-labels-idx1-ubyte"].tolist()


def test_the_data_folder_comes_before_the_systems_and_must_be_whole(put):
    own, system = put("data/FashionMNIST/raw"), put("system")
    found = FashionMnist.published.find()
    assert found is not None
    assert {p.parent for p in found} == {own}
    (own / f"{NAMES[3]}.gz").unlink()
    found = FashionMnist.published.find()
    assert found is not None
    assert {p.parent for p in found} == {system}


def test_missing_files_are_named_with_the_ways_to_get_them(put, tmp_path):
    (put("data/FashionMNIST/raw") / f"{NAMES[2]}.gz").unlink()
    with pytest.raises(DataError) as caught:
        FashionMnist().load()
    text = str(caught.value)
    assert f"{tmp_path}/data/FashionMNIST/raw (lacks {NAMES[2]})" in text
    assert f"{tmp_path}/system (no such folder)" in text
    for way in (*NAMES, "DDBENCH_DATA", "dataset-fashion-mnist", "DDBENCH_DOWNLOAD=1"):
        assert way in text


def test_mnist_offers_no_package_and_ignores_files_of_the_other_set(put):
    put("data/FashionMNIST/raw")
    with pytest.raises(DataError, match=r"'mnist' needs .*data/MNIST/raw \(no such folder\)") as caught:
        Mnist().load()
    assert "Debian" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_truncated_gzip_file_is_named(put, kept):
    path = put("data/FashionMNIST/raw") / f"{NAMES[0]}.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=rf"{NAMES[0]}\.gz should be .*; found .*"):
        FashionMnist().load()


def test_a_gzip_name_on_other_bytes_is_named(put):
    path = put("data/FashionMNIST/raw") / f"{NAMES[0]}.gz"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="should be a whole gzip file; found 22 bytes"):
        FashionMnist().load()


def spoil(content: bytes, how: str) -> bytes:
    return {
        "empty": b"",
        "magic": b"\x89PNG" + content[4:],
        "type": b"\0\0\x0d\x03" + content[4:],
        "header": content[:9],
        "dimensions": content[:4] + struct.pack(">I", 11) + content[8:],
        "short": content[:-1],
        "long": content + b"\0",
        "content": content[:-1] + bytes([content[-1] ^ 1]),
    }[how]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("empty", "found an empty file"),
        ("magic", r"\(first bytes 00000803\); found 89504e47"),
        ("type", "found 00000d03"),
        ("header", "should begin with 16 bytes of header; found 9"),
        ("dimensions", r"of shape \(12, 28, 28\); its header says \(11, 28, 28\)"),
        ("short", "should have 9424 uncompressed bytes; found 9423. It was cut short"),
        ("long", "should have 9424 uncompressed bytes; found 9425. It was added to"),
        ("content", r"is not the published file: its uncompressed SHA-256 should be \w{64}; found \w{64}"),
    ],
)
@pytest.mark.parametrize("gzipped", [True, False])
def test_a_wrong_file_is_named_with_expected_and_found(put, arrays, how, said, gzipped):
    path = put("data/FashionMNIST/raw", gzipped) / f"{NAMES[0]}{'.gz' if gzipped else ''}"
    wrong = spoil(encode(arrays[NAMES[0]]), how)
    path.write_bytes(gzip.compress(wrong) if gzipped else wrong)
    with pytest.raises(DataError, match=said) as caught:
        FashionMnist().load()
    assert str(path) in str(caught.value)


def test_download_only_where_allowed_and_only_where_files_are_missing(put, monkeypatch, tmp_path):
    from torchvision import datasets

    calls = []

    def fake(root: Path, train: bool, download: bool) -> None:
        assert train
        assert download
        assert root == tmp_path / "data"
        calls.append(root)
        put("data/FashionMNIST/raw")

    monkeypatch.setattr(datasets, "FashionMNIST", fake)
    with pytest.raises(DataError):
        FashionMnist().load()
    assert not calls
    monkeypatch.setenv("DDBENCH_DOWNLOAD", "1")
    assert len(FashionMnist().load()[0]) == 12
    FashionMnist().load()
    assert len(calls) == 1


@pytest.mark.large
@pytest.mark.parametrize("dataset", [FashionMnist, Mnist])
def test_the_published_files(dataset):
    if dataset.published.find() is None:
        pytest.skip(f"the files of {dataset.published.name} are not in DDBENCH_DATA")
    data = load(dataset())
    card = data.card
    assert int(data.train.labels.bincount().min()) == card.smallest_class
    pixels = data.train.signals.numpy().astype(np.float64) / 255
    assert pixels.mean() == pytest.approx(card.signal.mean[0], abs=2e-3)
    assert pixels.std() == pytest.approx(card.signal.std[0], abs=2e-3)
