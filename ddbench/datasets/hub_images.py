"""Pictures in the format of the `datasets` library: from the Hugging Face hub, or a local copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field, field_validator

from ddbench.datasets.hub_rows import HubRows
from ddbench.datasets.image_folder import PictureConfig
from ddbench.datasets.locations import allow_downloads
from ddbench.datasets.picture_sets import PictureSet
from ddbench.errors import DataError, did_you_mean
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.written import ADDED


class HubImagesConfig(PictureConfig):
    repo: str = Field(
        "pictures", description="A dataset's name on the hub, or a folder below the data folder: saved by "
        "save_to_disk, or Parquet files called SPLIT.parquet or SPLIT-*.parquet."
    )  # fmt: skip
    revision: str = Field(
        "", description="Commit or tag of the hub's dataset; required there, so that data stay the same."
    )
    image: str = Field("image", description="The column of pictures.")
    label: str = Field("label", description="The column of labels: a ClassLabel, whole numbers from 0, or strings.")
    train: str = Field("train", description="The split to learn from.")
    test: str = Field("test", description="The split that students are scored on.")
    classes: Annotated[tuple[str, ...], ADDED] = Field(
        (), description="Only these classes, in this order, by the names that the set gives them; none: all of them."
    )

    @field_validator("classes")
    @classmethod
    def _several(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in classes if classes.count(name) > 1})
        if twice or len(classes) == 1:
            raise ValueError(f"{', '.join(twice)} twice" if twice else "one class alone; give two or more, or none")
        return classes


class HubImages(Dataset):
    """A labelled set of pictures that the `datasets` library reads. Nothing is downloaded unless that is allowed."""

    version = "1"
    source = "Q. Lhoest et al., Datasets: A Community Library for Natural Language Processing, arXiv:2109.02846"
    Config = HubImagesConfig
    config: HubImagesConfig

    @classmethod
    def fetch(cls, config: HubImagesConfig, download: bool, tell: Callable[[float], None]) -> str:
        return cls(config).pictures(download).decode(tell)

    def pictures(self, download: bool) -> PictureSet:
        """The rows of the two splits; reads labels, decodes nothing. Raises: DataError where something is missing."""
        config = self.config
        rows = HubRows(config.repo, config.revision, config.train, config.test, config.image, config.label, download)
        names, kept = rows.class_names, None
        if config.classes:
            kept = chosen(config.classes, names, config.repo)
            names = config.classes
        train, test = rows.sides(kept)
        rows.check_pictures()
        return PictureSet(
            config.repo.replace("/", "_"), names, train, test, config.shape, config.processing,
            lambda row: config.brought_to_size(rows.picture(row, config.size)),
        )  # fmt: skip

    def card(self) -> DatasetCard:
        config = self.config
        mean, std = config.per_channel(config.mean), config.per_channel(config.std)
        pictures = self.pictures(download=False)
        return pictures.card(mean, std, "as its publisher states", config.augmentation, family=config.family)

    def load(self) -> tuple[Split, Split]:
        return self.pictures(allow_downloads()).load()


def chosen(classes: Sequence[str], names: Sequence[str], repo: str) -> list[int]:
    """The labels of the chosen classes. Raises: DataError naming those that the set does not have."""
    if unknown := [name for name in classes if name not in names]:
        near = " ".join(f"{name!r}: {did_you_mean(name, names)}" for name in unknown)
        raise DataError(f"{repo!r} has no such classes. {near}")
    return [names.index(name) for name in classes]
