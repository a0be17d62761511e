"""Ten-class subsets of ImageNet-1k, from a folder tree by WordNet id."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml
from pydantic import Field, field_validator

from ddbench.datasets.locations import DATA_VARIABLE, data_root
from ddbench.datasets.picture_folders import files_in, side
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.datasets.pictures import PROCESSING, centre_crop, channels_first, opened
from ddbench.errors import DataError, did_you_mean
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig

LISTS = Path(__file__).parent / "files" / "imagenet_subsets.yaml"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FAMILY = "imagenet"
"""Of all subsets, so that a decoder trained on ImageNet, or on another part of it, is paid for on each."""
LICENCE = "ImageNet's terms of access: non-commercial research and education"
SIZE = Field(256, ge=8, le=1024, description="Side of the square pictures: short side brought to it, middle cut out.")


@cache
def subsets() -> dict[str, tuple[tuple[str, str], ...]]:
    """(WordNet id, class name) in label order, of each subset."""
    known = yaml.safe_load(LISTS.read_text(encoding="utf-8"))
    return {name: tuple((wnid, label) for _, wnid, label in one["classes"]) for name, one in known.items()}


@cache
def aliases() -> dict[str, str]:
    """Every name of a subset, and the subset's own name."""
    known = yaml.safe_load(LISTS.read_text(encoding="utf-8"))
    return {alias: name for name, one in known.items() for alias in (name, *one["aliases"])}


def cropped(name: str, class_names: tuple[str, ...], train: Side, test: Side, size: int) -> PictureSet:
    """Two sides of photographs, each cut to its middle square."""
    return PictureSet(
        name, class_names, train, test, (3, size, size), f"centre crop, {PROCESSING}",
        lambda path: channels_first(centre_crop(opened(path, size), size)),
    )  # fmt: skip


class SubsetConfig(PluginConfig):
    subset: str = Field(
        "imagenette",
        description="Which ten classes: imagenette, imagewoof, …, imagenet_a, or a short name such as nette.",
    )
    size: int = SIZE

    @field_validator("subset")
    @classmethod
    def _one_name(cls, subset: str) -> str:
        """The subset's own name, so that a short name gives the same cell."""
        own = aliases().get(subset.lower())
        if own is None:
            raise ValueError(f"there is no such subset. {did_you_mean(subset.lower(), aliases())}".rstrip("."))
        return own


class ImagenetSubset(Dataset):
    """Ten classes of ImageNet-1k: all their training pictures, and their 50 validation pictures each for test."""

    version = "1"
    source = (
        "O. Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015; class lists of G. Cazenavette "
        "et al., arXiv:2203.11932 and arXiv:2305.01649"
    )
    Config = SubsetConfig
    config: SubsetConfig

    @classmethod
    def fetch(cls, config: SubsetConfig, download: bool, tell: Callable[[float], None]) -> str:
        return cls(config).pictures().decode(tell)

    def pictures(self) -> PictureSet:
        """The files by a scan of the tree. Raises: DataError naming every class that is missing."""
        classes = subsets()[self.config.subset]
        wnids = [wnid for wnid, _ in classes]
        root = data_root() / "imagenet"
        missing = [
            f"{part}/{wnid} ({name})"
            for part in ("train", "val")
            for wnid, name in classes
            if not (root / part / wnid).is_dir() or not files_in(root / part / wnid)
        ]
        if missing:
            lacking = ", ".join(missing) if len(missing) < 2 * len(classes) else f"all of {', '.join(wnids)}"
            raise DataError(
                f"The subset {self.config.subset!r} needs ImageNet-1k's pictures of its ten classes below {root}. "
                f"Missing or empty: {lacking}.",
                f"Get ILSVRC 2012 (the training and validation pictures) from "
                f"image-net.org under its terms, and put them as train/WNID/*.JPEG and val/WNID/*.JPEG: the validation "
                f"pictures too by WordNet id, not in one folder ({DATA_VARIABLE} names another data folder).",
            )
        name = f"imagenet_subset_{self.config.subset}"
        names = tuple(name for _, name in classes)
        return cropped(name, names, side(root / "train", wnids), side(root / "val", wnids), self.config.size)

    def card(self) -> DatasetCard:
        return self.pictures().card(MEAN, STD, LICENCE, family=FAMILY)

    def load(self) -> tuple[Split, Split]:
        return self.pictures().load()
