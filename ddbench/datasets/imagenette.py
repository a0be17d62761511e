"""Imagenette as its authors publish it: ten easy classes of ImageNet with a split of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ddbench.canonical import digest
from ddbench.datasets.downloads import fetch
from ddbench.datasets.imagenet import FAMILY, LICENCE, MEAN, SIZE, STD, cropped, subsets
from ddbench.datasets.locations import DATA_VARIABLE, DOWNLOAD_VARIABLE, allow_downloads, data_root
from ddbench.datasets.picture_folders import files_in, side
from ddbench.datasets.picture_sets import NATURAL, PictureSet
from ddbench.datasets.pictures import PROCESSING
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.signal import SignalSpec


class ImagenetteConfig(PluginConfig):
    archive: Literal["full", "320px", "160px"] = Field(
        "full",
        description="Which published archive: pictures as in ImageNet, or with a short side of 320 or 160 pixels.",
    )
    size: int = SIZE


class Imagenette(Dataset):
    """Imagenette as fast.ai publishes it (version 2): 9469 + 3925 photographs, its own split.

    Its test pictures are not the 500 of `imagenet_subset`: accuracies on the two cannot be compared.
    """

    version = "1"
    source = "J. Howard, Imagenette 2, fast.ai, 2019"
    Config = ImagenetteConfig
    config: ImagenetteConfig
    folders: ClassVar[dict[str, str]] = {
        "full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160",
    }  # fmt: skip
    published_md5: ClassVar[dict[str, str]] = {
        "full": "fe2fc210e6bb7c5664d602c3cd71e612",
        "320px": "3df6f0d01a2c9592104656642f5e78a3",
        "160px": "e793b78cc4c9e9a4ccc0c1155377a412",
    }
    train_counts: ClassVar[tuple[int, ...]] = (963, 955, 993, 858, 941, 956, 961, 931, 951, 960)
    test_counts: ClassVar[tuple[int, ...]] = (387, 395, 357, 386, 409, 394, 389, 419, 399, 390)

    @classmethod
    def fetch(cls, config: ImagenetteConfig, download: bool, tell: Callable[[float], None]) -> str:
        return cls(config).pictures(download).decode(tell)

    def pictures(self, download: bool) -> PictureSet:
        """The published files. Raises: DataError where they are missing or fewer or more than were published."""
        root = data_root() / self.folders[self.config.archive]
        if not root.is_dir() and download:
            fetch("imagenette", self._download)
        wnids = [wnid for wnid, _ in subsets()["imagenette"]]
        wrong = []
        for part, counts in (("train", self.train_counts), ("val", self.test_counts)):
            for wnid, count in zip(wnids, counts):
                folder = root / part / wnid
                found = len(files_in(folder)) if folder.is_dir() else 0
                if found != count:
                    wrong.append(f"{part}/{wnid} has {found} of {count}")
        if wrong:
            raise DataError(
                f"The dataset 'imagenette' needs the published files of {root.name}.tgz below {root}; "
                f"{', '.join(wrong)}. Unpack the archive into {root.parent} ({DATA_VARIABLE} names another data "
                f"folder), or allow the download with {DOWNLOAD_VARIABLE}=1 where the folder is not there yet."
            )
        names = tuple(name for _, name in subsets()["imagenette"])
        return cropped("imagenette", names, side(root / "train", wnids), side(root / "val", wnids), self.config.size)

    def _download(self, root: Path) -> None:
        if os.path.isdir(root / self.folders[self.config.archive]):
            return  # another process had the lock and has fetched it
        from torchvision import datasets

        datasets.Imagenette(root, size=self.config.archive, download=True)

    def card(self) -> DatasetCard:
        size = self.config.size
        return DatasetCard(
            name="imagenette",
            revision=digest([self.published_md5[self.config.archive], f"centre crop, {PROCESSING}", size])[:16],
            signal=SignalSpec((3, size, size), MEAN, STD, low=0.0, high=1.0, augmentation=NATURAL),
            class_names=tuple(name for _, name in subsets()["imagenette"]),
            train_size=sum(self.train_counts),
            test_size=sum(self.test_counts),
            licence=LICENCE,
            smallest_class=min(self.train_counts),
            signal_bytes=3 * size * size,
            family=FAMILY,
        )

    def load(self) -> tuple[Split, Split]:
        return self.pictures(allow_downloads()).load()
