"""Pictures in the format of the `datasets` library: from the Hugging Face hub, or a local copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from ddbench.canonical import digest
from ddbench.datasets import hub
from ddbench.datasets.hub_rows import chosen, kept, opener
from ddbench.datasets.image_folder import PictureConfig
from ddbench.datasets.locations import allow_downloads
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.errors import DataError
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
    classes: Annotated[tuple[str | int, ...], ADDED] = Field(
        (), description="Keep these alone, by name or label; they are renumbered in this order. Empty: all."
    )


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
        splits = hub.splits(config.repo, config.revision, (config.train, config.test), download)
        hub.check_columns(splits, config.repo, config.image, config.label)
        labels, names = hub.labels(splits, config.repo, config.label, config.train)
        wanted = chosen(names, config.classes, config.repo) if config.classes else range(len(names))
        known = digest(hub.known_by(config.repo, config.revision))[:16]

        def side(name: str) -> Side:
            rows, renumbered = kept(labels[name], wanted)
            self._check_rows(name, [names[k] for k in wanted], renumbered)
            known_by = tuple(f"{known} {name} {config.image} {i}" for i in rows)
            return Side(tuple((name, i) for i in rows), tuple(renumbered), known_by)

        read = opener(splits, config.repo, config.image)
        title, class_names = config.repo.replace("/", "_"), tuple(names[k] for k in wanted)
        return PictureSet(
            title, class_names, side(config.train), side(config.test), config.shape, config.processing,
            lambda row: config.brought_to_size(read(row, config.size)),
        )  # fmt: skip

    def _check_rows(self, split: str, names: list[str], labels: list[int]) -> None:
        """Raises: DataError naming each of the chosen classes that has no row in the split."""
        present = set(labels)
        lacking = [name for k, name in enumerate(names) if k not in present]
        if self.config.classes and lacking:
            raise DataError(
                f"The split {split!r} of {self.config.repo!r} has no rows of {', '.join(map(repr, lacking))}. Leave "
                "them out of the argument 'classes', or name another split."
            )

    def card(self) -> DatasetCard:
        config = self.config
        mean, std = config.per_channel(config.mean), config.per_channel(config.std)
        pictures = self.pictures(download=False)
        return pictures.card(mean, std, "as its publisher states", config.augmentation, family=config.family)

    def load(self) -> tuple[Split, Split]:
        return self.pictures(allow_downloads()).load()
