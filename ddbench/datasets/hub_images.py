"""Pictures in the format of the `datasets` library: from the Hugging Face hub, or a local copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ddbench.canonical import digest
from ddbench.datasets import hub
from ddbench.datasets.image_folder import PictureConfig
from ddbench.datasets.locations import allow_downloads
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.datasets.pictures import opened
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8


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
        splits, known = hub.splits(config.repo, config.revision, (config.train, config.test), download)
        hub.check_columns(splits, config.repo, config.image, config.label)
        labels, names = hub.labels(splits, config.repo, config.label, config.train)
        train, test = (
            Side(
                tuple((name, i) for i in range(len(labels[name]))),
                tuple(labels[name]),
                tuple(f"{digest(known)[:16]} {name} {config.image} {i}" for i in range(len(labels[name]))),
            )
            for name in (config.train, config.test)
        )
        coded = {name: self._undecoded(split) for name, split in splits.items()}

        def read(row: tuple[str, int]) -> UInt8[np.ndarray, "c h w"]:
            name, i = row
            stored, where = coded[name][i][config.image], f"row {i} of {name}"
            if stored is None or (stored["bytes"] is None and not stored["path"]):
                raise DataError(f"{where} has no picture.")
            if stored["bytes"] is None:
                return config.brought_to_size(opened(stored["path"], config.size))
            return config.brought_to_size(opened(where, config.size, stored["bytes"]))

        title = config.repo.replace("/", "_")
        return PictureSet(title, names, train, test, config.shape, config.processing, read)

    def card(self) -> DatasetCard:
        config = self.config
        mean, std = config.per_channel(config.mean), config.per_channel(config.std)
        pictures = self.pictures(download=False)
        return pictures.card(mean, std, "as its publisher states", config.augmentation, family=config.family)

    def load(self) -> tuple[Split, Split]:
        return self.pictures(allow_downloads()).load()

    def _undecoded(self, split: Any) -> Any:
        import datasets

        feature = split.features[self.config.image]
        if not isinstance(feature, datasets.Image):
            raise DataError(
                f"The column {self.config.image!r} of {self.config.repo!r} holds no pictures (the feature Image) but "
                f"{feature}."
            )
        return split.select_columns([self.config.image]).cast_column(self.config.image, datasets.Image(decode=False))
