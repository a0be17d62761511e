"""Full MNIST and Fashion-MNIST, read from the published IDX files and verified by content.

Files are looked for under the data folder, then where Debian's package puts them, then, if allowed, downloaded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ddbench.canonical import digest
from ddbench.datasets.downloads import fetch
from ddbench.datasets.idx_files import IdxFile
from ddbench.datasets.locations import DATA_VARIABLE, DOWNLOAD_VARIABLE, allow_downloads, data_root
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

SIDE = 28
TRAIN_SIZE = 60_000
TEST_SIZE = 10_000

FASHION_CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
FASHION_SIGNAL = SignalSpec(
    shape=(1, SIDE, SIDE),
    mean=(0.2861,),
    std=(0.3530,),
    low=0.0,
    high=1.0,
    augmentation="color_crop_cutout_flip_scale_rotate",
)


@dataclass(frozen=True)
class IdxSet:
    """Four IDX files that make a dataset, and where they are looked for."""

    name: str
    folder: str
    """Name of the folder under the data root, and of torchvision's class."""
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    """Training images and labels, test images and labels."""
    system_folders: tuple[Path, ...] = ()
    system_package: str = ""

    @property
    def revision(self) -> str:
        return digest([f.sha256 for f in self.files])[:16]

    def folders(self) -> tuple[Path, ...]:
        """Folders that may hold the files, in the order in which they are looked at."""
        own = data_root() / self.folder
        return own / "raw", own, *self.system_folders

    def find(self) -> tuple[Path, ...] | None:
        """The four files, all from the first folder that has all of them; None where no folder has."""
        for folder in self.folders():
            paths = [p for f in self.files if (p := f.find(folder))]
            if len(paths) == len(self.files):
                return tuple(paths)
        return None

    def load(self, download: bool) -> tuple[Split, Split]:
        """(train, test) as uint8 `[n, 1, h, w]`. Raises: DataError where files are missing or not as published."""
        import torch

        paths = self.find()
        if paths is None and download:
            fetch(self.name, self._download)
            paths = self.find()
        if paths is None:
            raise DataError(self.missing())
        images, labels, test_images, test_labels = (
            torch.frombuffer(f.read(p), dtype=torch.uint8).reshape(f.shape) for f, p in zip(self.files, paths)
        )
        return Split(images[:, None], labels.long()), Split(test_images[:, None], test_labels.long())

    def missing(self) -> str:
        """What was looked for, what was found, and the ways to get it."""
        seen = []
        for folder in self.folders():
            absent = [f.name for f in self.files if not f.find(folder)]
            what = "no such folder" if not os.path.isdir(folder) else "lacks " + ", ".join(absent)
            seen.append(f"{folder} ({what})")
        names = ", ".join(f.name for f in self.files)
        package = f" or install the Debian package {self.system_package}," if self.system_package else ""
        return (
            f"The dataset {self.name!r} needs the files {names}, each gzipped (.gz) or not. Looked in: "
            f"{'; '.join(seen)}. Put the published files into {self.folders()[0]} (the variable {DATA_VARIABLE} names "
            f"another data folder),{package} or allow the download with {DOWNLOAD_VARIABLE}=1."
        )

    def _download(self, root: Path) -> None:
        from torchvision import datasets

        getattr(datasets, self.folder)(root, train=True, download=True)


def _files(*sha256: str) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    images, labels, test_images, test_labels = sha256
    return (
        IdxFile("train-images-idx3-ubyte", (TRAIN_SIZE, SIDE, SIDE), images),
        IdxFile("train-labels-idx1-ubyte", (TRAIN_SIZE,), labels),
        IdxFile("t10k-images-idx3-ubyte", (TEST_SIZE, SIDE, SIDE), test_images),
        IdxFile("t10k-labels-idx1-ubyte", (TEST_SIZE,), test_labels),
    )


class FashionMnist(Dataset):
    """Fashion-MNIST in full: 60000 + 10000 grey 28 × 28 pictures of clothes, 6000 + 1000 a class."""

    version = "1"
    source = "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747"
    published: ClassVar[IdxSet] = IdxSet(
        name="fashion_mnist",
        folder="FashionMNIST",
        files=_files(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        system_folders=(Path("/usr/share/datasets/fashion-mnist"),),
        system_package="dataset-fashion-mnist",
    )

    def card(self) -> DatasetCard:
        return DatasetCard(
            name=self.published.name,
            revision=self.published.revision,
            signal=FASHION_SIGNAL,
            class_names=FASHION_CLASSES,
            train_size=TRAIN_SIZE,
            test_size=TEST_SIZE,
            licence="MIT",
            smallest_class=6000,
            signal_bytes=SIDE * SIDE,
        )

    def load(self) -> tuple[Split, Split]:
        return self.published.load(allow_downloads())


class Mnist(Dataset):
    """MNIST in full: 60000 + 10000 grey 28 × 28 handwritten digits."""

    version = "1"
    source = "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998"
    published: ClassVar[IdxSet] = IdxSet(
        name="mnist",
        folder="MNIST",
        files=_files(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    )

    def card(self) -> DatasetCard:
        return DatasetCard(
            name=self.published.name,
            revision=self.published.revision,
            signal=SignalSpec(
                shape=(1, SIDE, SIDE),
                mean=(0.1307,),
                std=(0.3081,),
                low=0.0,
                high=1.0,
                augmentation="color_crop_cutout_scale_rotate",
            ),
            class_names=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            train_size=TRAIN_SIZE,
            test_size=TEST_SIZE,
            licence="CC-BY-SA-3.0",
            smallest_class=5421,
            signal_bytes=SIDE * SIDE,
        )

    def load(self) -> tuple[Split, Split]:
        return self.published.load(allow_downloads())
