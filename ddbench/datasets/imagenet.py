"""Ten-class subsets of ImageNet-1k, from a folder tree by WordNet id or a copy in the `datasets` library's format."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import Field, field_validator, model_validator

from ddbench.datasets import hub
from ddbench.datasets.hub_rows import opener
from ddbench.datasets.imagenet_rows import labels_of, sides
from ddbench.datasets.locations import DATA_VARIABLE, allow_downloads, below_data_root, data_root
from ddbench.datasets.picture_folders import files_in, side
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.datasets.pictures import PROCESSING, centre_crop, channels_first, opened
from ddbench.errors import DataError, did_you_mean
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.written import ADDED

if TYPE_CHECKING:
    from PIL.Image import Image

LISTS = Path(__file__).parent / "files" / "imagenet_subsets.yaml"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FOLDER = FAMILY = "imagenet"
"""Of all subsets, so that a decoder trained on ImageNet, or on another part of it, is paid for on each."""
LICENCE = "ImageNet's terms of access: non-commercial research and education"
SIZE = Field(256, ge=8, le=1024, description="Side of the square pictures: short side brought to it, middle cut out.")


@cache
def indexed() -> dict[str, tuple[tuple[int, str, str], ...]]:
    """(place among the sorted 1000 WordNet ids, WordNet id, class name) in label order, of each subset."""
    known = yaml.safe_load(LISTS.read_text(encoding="utf-8"))
    return {name: tuple((i, wnid, label) for i, wnid, label in one["classes"]) for name, one in known.items()}


@cache
def subsets() -> dict[str, tuple[tuple[str, str], ...]]:
    """(WordNet id, class name) in label order, of each subset."""
    return {name: tuple((wnid, label) for _, wnid, label in classes) for name, classes in indexed().items()}


@cache
def aliases() -> dict[str, str]:
    """Every name of a subset, and the subset's own name."""
    known = yaml.safe_load(LISTS.read_text(encoding="utf-8"))
    return {alias: name for name, one in known.items() for alias in (name, *one["aliases"])}


def cropped(
    name: str,
    class_names: tuple[str, ...],
    train: Side,
    test: Side,
    size: int,
    read: Callable[[Any, int], Image] = opened,
) -> PictureSet:
    """Two sides of photographs, each cut to its middle square; `read` opens one of a side's files."""
    return PictureSet(
        name, class_names, train, test, (3, size, size), f"centre crop, {PROCESSING}",
        lambda file: channels_first(centre_crop(read(file, size), size)),
    )  # fmt: skip


class SubsetConfig(PluginConfig):
    subset: str = Field(
        "imagenette",
        description="Which ten classes: imagenette, imagewoof, …, imagenet_a, or a short name such as nette.",
    )
    size: int = SIZE
    repo: Annotated[str, ADDED] = Field(
        "", description="ImageNet-1k in the format of the `datasets` library: a name on the hub, or a folder below the "
        "data folder. Default: the folder imagenet, a tree by WordNet id or such a copy."
    )  # fmt: skip
    revision: Annotated[str, ADDED] = Field("", description="Commit or tag of the hub's dataset; required there.")
    image: Annotated[str, ADDED] = Field("image", description="Of such a set, the column of pictures.")
    label: Annotated[str, ADDED] = Field("label", description="Of such a set, the column of labels.")
    train: Annotated[str, ADDED] = Field("train", description="Of such a set, the split to learn from.")
    validation: Annotated[str, ADDED] = Field(
        "validation", description="Of such a set, the split that students are scored on."
    )

    @field_validator("repo")
    @classmethod
    def _below_the_data_folder(cls, repo: str) -> str:
        return repo and below_data_root(repo)

    @model_validator(mode="after")
    def _two_splits(self) -> SubsetConfig:
        if self.train == self.validation:
            raise ValueError("train and validation should be two splits: students are scored on the second")
        return self

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
        return cls(config).pictures(download).decode(tell)

    def pictures(self, download: bool = False) -> PictureSet:
        """The files or rows, none of them read. Raises: DataError naming every class that is missing."""
        config, root = self.config, data_root() / FOLDER
        classes = subsets()[config.subset]
        wnids = [wnid for wnid, _ in classes]
        is_tree = any((root / "train" / wnid).is_dir() for wnid in wnids)
        if config.repo or (not is_tree and hub.is_copy(root, config.train)):
            return self._rows(config.repo or FOLDER, download)
        missing = [
            f"{part}/{wnid} ({name})"
            for part in ("train", "val")
            for wnid, name in classes
            if not (root / part / wnid).is_dir() or not files_in(root / part / wnid)
        ]
        if missing:
            lacking = ", ".join(missing) if len(missing) < 2 * len(classes) else f"all of {', '.join(wnids)}"
            raise DataError(
                f"The subset {config.subset!r} needs ImageNet-1k's pictures of its ten classes below {root}. "
                f"Missing or empty: {lacking}.",
                f"Get ILSVRC 2012 (the training and validation pictures) from "
                f"image-net.org under its terms, and put them as train/WNID/*.JPEG and val/WNID/*.JPEG: the validation "
                f"pictures too by WordNet id, not in one folder ({DATA_VARIABLE} names another data folder). Or let "
                "that folder be a copy in the format of the `datasets` library (save_to_disk or Parquet files).",
            )
        names = tuple(name for _, name in classes)
        return cropped(self._title, names, side(root / "train", wnids), side(root / "val", wnids), config.size)

    def _rows(self, repo: str, download: bool) -> PictureSet:
        config, classes = self.config, indexed()[self.config.subset]
        splits = (config.train, config.validation)
        found = hub.splits(repo, config.revision, splits, download, ("train", "validation"))
        hub.check_columns(found, repo, config.image, config.label)
        read = opener(found, repo, config.image)
        labels, names = hub.labels(found, repo, config.label, config.train)
        wanted = labels_of(classes, names, repo)
        known = partial(hub.known_by, repo, config.revision)
        (train, test), missing = sides(splits, found, config.image, labels, wanted, classes, known)
        if missing:
            lacking = ", ".join(missing)
            raise DataError(
                f"The subset {config.subset!r} needs ImageNet-1k's pictures of its ten classes in {repo!r}. Missing or "
                f"empty: {lacking}.",
                "Take a copy of all of ImageNet-1k, or name other splits with the arguments 'train' and 'validation'.",
            )
        names = tuple(name for *_, name in classes)
        return cropped(self._title, names, train, test, config.size, read)

    @property
    def _title(self) -> str:
        return f"imagenet_subset_{self.config.subset}"

    def card(self) -> DatasetCard:
        return self.pictures().card(MEAN, STD, LICENCE, family=FAMILY)

    def load(self) -> tuple[Split, Split]:
        return self.pictures(allow_downloads()).load()
