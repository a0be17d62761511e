"""Ten-class subsets of ImageNet-1k, from a folder tree by WordNet id or from a copy of the `datasets` library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from ddbench.datasets.hub_rows import HubRows
from ddbench.datasets.imagenet_copy import is_copy, of_copy
from ddbench.datasets.imagenet_lists import aliases, subsets
from ddbench.datasets.locations import DATA_VARIABLE, allow_downloads, data_root
from ddbench.datasets.picture_folders import files_in, side
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.datasets.pictures import PROCESSING, centre_crop, channels_first, opened
from ddbench.errors import DataError, did_you_mean
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.written import ADDED

if TYPE_CHECKING:
    from PIL.Image import Image

TREE = "imagenet"
"""The folder below the data folder."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FAMILY = "imagenet"
"""Of all subsets, so that a decoder trained on ImageNet, or on another part of it, is paid for on each."""
LICENCE = "ImageNet's terms of access: non-commercial research and education"
SIZE = Field(256, ge=8, le=1024, description="Side of the square pictures: short side brought to it, middle cut out.")


def cropped(
    name: str, class_names: tuple[str, ...], train: Side, test: Side, size: int,
    picture: Callable[[Any], Image] | None = None,
) -> PictureSet:  # fmt: skip
    """Two sides of photographs, each cut to its middle square; `picture` opens what the sides hold, else paths."""
    return PictureSet(
        name, class_names, train, test, (3, size, size), f"centre crop, {PROCESSING}",
        lambda file: channels_first(centre_crop(picture(file) if picture else opened(file, size), size)),
    )  # fmt: skip


class SubsetConfig(PluginConfig):
    subset: str = Field(
        "imagenette",
        description="Which ten classes: imagenette, imagewoof, …, imagenet_a, or a short name such as nette.",
    )
    size: int = SIZE
    repo: Annotated[str, ADDED] = Field(
        "",
        description="ImageNet-1k in the format of the `datasets` library, as `hub_images` takes it: a name on the hub "
        "or a folder below the data folder. Without it the folder imagenet is read, a tree or such a copy.",
    )
    revision: Annotated[str, ADDED] = Field("", description="Commit or tag of the hub's dataset.")
    image: Annotated[str, ADDED] = Field("image", description="With such a copy: the column of pictures.")
    label: Annotated[str, ADDED] = Field("label", description="The column of labels.")
    train: Annotated[str, ADDED] = Field("train", description="The split to learn from.")
    test: Annotated[str, ADDED] = Field("validation", description="The split that students are scored on.")

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

    def pictures(self, download: bool) -> PictureSet:
        """The files by a scan of the tree, or rows of a copy. Raises: DataError naming every class that is missing."""
        config = self.config
        name, names = f"imagenet_subset_{config.subset}", tuple(name for _, name in subsets()[config.subset])
        if not (repo := config.repo or (TREE if is_copy(data_root() / TREE) else "")):
            return cropped(name, names, *self._tree(), config.size)
        rows = HubRows(repo, config.revision, config.train, config.test, config.image, config.label, download)
        train, test = of_copy(rows, config.subset)
        rows.check_pictures()
        return cropped(name, names, train, test, config.size, lambda row: rows.picture(row, config.size))

    def _tree(self) -> tuple[Side, Side]:
        classes = subsets()[self.config.subset]
        wnids = [wnid for wnid, _ in classes]
        root = data_root() / TREE
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
                f"pictures too by WordNet id, not in one folder ({DATA_VARIABLE} names another data folder). Or put a "
                f"copy in the format of the `datasets` library there, or name one with the argument 'repo'.",
            )
        return side(root / "train", wnids), side(root / "val", wnids)

    def card(self) -> DatasetCard:
        return self.pictures(download=False).card(MEAN, STD, LICENCE, family=FAMILY)

    def load(self) -> tuple[Split, Split]:
        return self.pictures(allow_downloads()).load()
