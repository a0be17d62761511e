"""CIFAR-10, CIFAR-100 and SVHN as torchvision reads them: published files, verified by torchvision's MD5."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ddbench.canonical import digest
from ddbench.datasets.cifar100_classes import CIFAR100_CLASSES
from ddbench.datasets.downloads import fetch
from ddbench.datasets.locations import DATA_VARIABLE, DOWNLOAD_VARIABLE, allow_downloads, data_root
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

SHAPE = (3, 32, 32)
SIGNAL_BYTES = 3 * 32 * 32
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True)
class TorchvisionSet:
    """A dataset of torchvision's: what its files are called, and how its two splits are read."""

    name: str
    entries: tuple[str, ...]
    """Files or folders that have to lie in the data folder."""
    folder: str
    """A folder under the data root that may hold the files too."""
    published_md5: tuple[str, ...]
    """Digests of the published downloads; they make the revision."""
    read: Callable[[Path, bool], tuple[Split, Split]]
    """(root, download) → (train, test); RuntimeError where files are missing or not as published."""

    @property
    def revision(self) -> str:
        return digest(list(self.published_md5))[:16]

    def load(self, download: bool) -> tuple[Split, Split]:
        """(train, test) as uint8 `[n, 3, 32, 32]`. Raises: DataError where files are missing or not as published."""
        roots = (data_root(), data_root() / self.folder)
        for root in roots:
            if splits := self._read(root):
                return splits
        if download:
            fetch(self.name, lambda root: self.read(root, True))
            if splits := self._read(roots[0]):
                return splits
        raise DataError(
            f"The dataset {self.name!r} needs {' and '.join(self.entries)} as published. Looked in: "
            f"{'; '.join(map(self._found, roots))}. Put the published files into {roots[0]} (the variable "
            f"{DATA_VARIABLE} names another data folder), or allow the download with {DOWNLOAD_VARIABLE}=1."
        )

    def _found(self, root: Path) -> str:
        absent = [entry for entry in self.entries if not os.path.exists(root / entry)]
        what = f"lacks {', '.join(absent)}" if absent else "has them, but some file is missing or has another MD5"
        return f"{root} ({what})"

    def _read(self, root: Path) -> tuple[Split, Split] | None:
        try:
            return self.read(root, False)
        except RuntimeError:  # torchvision's one answer to files that are missing and to files that differ
            return None
        except OSError as error:
            raise DataError(f"The files of {self.name!r} in {root} cannot be read: {error}.") from error


def split_of(images: Any, labels: Any) -> Split:
    """A split from channels-first uint8 images (numpy, any memory order) and labels."""
    import numpy as np
    import torch

    return Split(
        torch.from_numpy(np.ascontiguousarray(images, dtype=np.uint8)),
        torch.from_numpy(np.asarray(labels, dtype=np.int64)),
    )


def read_cifar(kind: str) -> Callable[[Path, bool], tuple[Split, Split]]:
    """A reader of torchvision's CIFAR class of that name."""

    def read(root: Path, download: bool) -> tuple[Split, Split]:
        from torchvision import datasets

        train, test = (getattr(datasets, kind)(root, train=part, download=download) for part in (True, False))
        return tuple(split_of(s.data.transpose(0, 3, 1, 2), s.targets) for s in (train, test))  # type: ignore[return-value]

    return read


def read_svhn(root: Path, download: bool) -> tuple[Split, Split]:
    """SVHN's `train` and `test`; its `extra` pictures belong to no published protocol."""
    from torchvision import datasets

    train, test = (datasets.SVHN(root, split=part, download=download) for part in ("train", "test"))
    return split_of(train.data, train.labels), split_of(test.data, test.labels)


class Cifar10(Dataset):
    """CIFAR-10: 50000 + 10000 colour 32 × 32 pictures, 5000 + 1000 a class."""

    version = "1"
    source = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
    published: ClassVar[TorchvisionSet] = TorchvisionSet(
        name="cifar10",
        entries=("cifar-10-batches-py",),
        folder="CIFAR10",
        published_md5=("c58f30108f718f92721af3b95e74349a",),
        read=read_cifar("CIFAR10"),
    )

    def card(self) -> DatasetCard:
        return DatasetCard(
            name=self.published.name,
            revision=self.published.revision,
            signal=_images((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), "color_crop_cutout_flip_scale_rotate"),
            class_names=CIFAR10_CLASSES,
            train_size=50_000,
            test_size=10_000,
            licence="none stated by its authors, who ask for citation",
            smallest_class=5000,
            signal_bytes=SIGNAL_BYTES,
        )

    def load(self) -> tuple[Split, Split]:
        return self.published.load(allow_downloads())


class Cifar100(Dataset):
    """CIFAR-100 with its fine labels: 50000 + 10000 colour 32 × 32 pictures, 500 + 100 a class."""

    version = "1"
    source = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
    published: ClassVar[TorchvisionSet] = TorchvisionSet(
        name="cifar100",
        entries=("cifar-100-python",),
        folder="CIFAR100",
        published_md5=("eb9058c3a382ffc7106e4002c42a8d85",),
        read=read_cifar("CIFAR100"),
    )

    def card(self) -> DatasetCard:
        return DatasetCard(
            name=self.published.name,
            revision=self.published.revision,
            signal=_images((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762), "color_crop_cutout_flip_scale_rotate"),
            class_names=CIFAR100_CLASSES,
            train_size=50_000,
            test_size=10_000,
            licence="none stated by its authors, who ask for citation",
            smallest_class=500,
            signal_bytes=SIGNAL_BYTES,
        )

    def load(self) -> tuple[Split, Split]:
        return self.published.load(allow_downloads())


class Svhn(Dataset):
    """SVHN, cropped digits: 73257 + 26032 colour 32 × 32 house-number digits, without the `extra` pictures."""

    version = "1"
    source = "Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011"
    published: ClassVar[TorchvisionSet] = TorchvisionSet(
        name="svhn",
        entries=("train_32x32.mat", "test_32x32.mat"),
        folder="SVHN",
        published_md5=("e26dedcc434d2e4c54c9b2d4a06d8373", "eb5a983be6a315427106f1b164d9cef3"),
        read=read_svhn,
    )

    def card(self) -> DatasetCard:
        return DatasetCard(
            name=self.published.name,
            revision=self.published.revision,
            signal=_images((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970), "color_crop_cutout_scale_rotate"),
            class_names=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            train_size=73_257,
            test_size=26_032,
            licence="non-commercial use only",
            smallest_class=4659,
            signal_bytes=SIGNAL_BYTES,
        )

    def load(self) -> tuple[Split, Split]:
        return self.published.load(allow_downloads())


def _images(mean: tuple[float, ...], std: tuple[float, ...], augmentation: str) -> SignalSpec:
    return SignalSpec(shape=SHAPE, mean=mean, std=std, low=0.0, high=1.0, augmentation=augmentation)
