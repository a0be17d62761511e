"""Pictures in the format of the `datasets` library: from the Hugging Face hub, or a local copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ddbench.canonical import digest
from ddbench.datasets.image_folder import PictureConfig
from ddbench.datasets.locations import DATA_VARIABLE, DOWNLOAD_VARIABLE, allow_downloads, data_root
from ddbench.datasets.picture_sets import PictureSet, Side
from ddbench.datasets.pictures import opened
from ddbench.errors import DataError, did_you_mean
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
        local = data_root() / config.repo
        if local.is_dir():
            splits = {name: _local(local, name) for name in (config.train, config.test)}
            known = _listing(local)
        else:
            splits = {name: self._hub(name, download) for name in (config.train, config.test)}
            known = [config.repo, config.revision]
        labels, names = self._labels(splits)
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

    def _hub(self, split: str, download: bool) -> Any:
        import datasets

        config = self.config
        if not config.revision:
            raise DataError(
                f"There is no folder {data_root() / config.repo} ({DATA_VARIABLE} names another data folder), and the "
                f"hub's dataset {config.repo!r} needs the argument 'revision': a commit or tag, so that the data stay "
                "the same."
            )
        try:
            with _offline(not download):
                return datasets.load_dataset(config.repo, split=split, revision=config.revision)
        except Exception as error:
            raise DataError(
                f"The split {split!r} of the hub's dataset {config.repo!r} at revision {config.revision!r} cannot be "
                f"had: {type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}. Check the name, or put a "
                f"copy into {data_root() / config.repo} (save_to_disk or Parquet files)"
                + ("." if download else f", or allow the download with {DOWNLOAD_VARIABLE}=1 and `ddbench prepare`.")
            ) from error

    def _labels(self, splits: dict[str, Any]) -> tuple[dict[str, list[int]], tuple[str, ...]]:
        """The labels of each split as whole numbers, and the classes' names."""
        config = self.config
        for name, split in splits.items():
            for column in (config.image, config.label):
                if column not in split.column_names:
                    raise DataError(
                        f"The split {name!r} of {config.repo!r} has no column {column!r}. "
                        f"{did_you_mean(column, split.column_names)}"
                    )
        values = {name: list(split[config.label]) for name, split in splits.items()}
        names = getattr(splits[config.train].features[config.label], "names", None)
        if names is None and all(isinstance(v, str) for part in values.values() for v in part):
            names = sorted({v for part in values.values() for v in part})
            values = {name: [names.index(v) for v in part] for name, part in values.items()}
        known = [v for part in values.values() for v in part]
        if not all(isinstance(v, int) and v >= 0 for v in known):
            raise DataError(f"The column {config.label!r} of {config.repo!r} holds rows without a label.")
        if names is None:
            names = [str(k) for k in range(max(known) + 1)]
        return values, tuple(names)

    def _undecoded(self, split: Any) -> Any:
        import datasets

        feature = split.features[self.config.image]
        if not isinstance(feature, datasets.Image):
            raise DataError(
                f"The column {self.config.image!r} of {self.config.repo!r} holds no pictures (the feature Image) but "
                f"{feature}."
            )
        return split.select_columns([self.config.image]).cast_column(self.config.image, datasets.Image(decode=False))


def _local(folder: Path, split: str) -> Any:
    """One split of a local copy. Raises: DataError where it is missing or unreadable."""
    import datasets

    try:
        if (folder / "dataset_dict.json").exists() and (folder / split).is_dir():
            return datasets.load_from_disk(str(folder / split))
        below = [f for f in folder.rglob("*.parquet") if f.stem == split or f.name.startswith(f"{split}-")]
        if below:
            return datasets.load_dataset("parquet", data_files={split: sorted(map(str, below))}, split=split)
    except Exception as error:
        raise DataError(f"{folder} cannot be read: {type(error).__name__}: {' '.join(str(error).split())}.") from error
    raise DataError(
        f"{folder} has no split {split!r}: neither a folder of that name by save_to_disk, nor {split}.parquet, nor "
        f"{split}-*.parquet. Name another split with the arguments 'train' and 'test'."
    )


def _listing(folder: Path) -> list[str]:
    """The local copy's data files, by name and content: Parquet and Arrow files are few."""
    from ddbench.datasets.picture_folders import contents

    files = sorted(
        f for f in folder.rglob("*") if f.suffix in (".parquet", ".arrow") and not f.name.startswith("cache-")
    )
    return [f"{f.relative_to(folder).as_posix()} {known}" for f, known in zip(files, contents(files))]


@contextmanager
def _offline(yes: bool) -> Iterator[None]:
    """The library asks no network inside; it reads its own variables only when it is imported."""
    from datasets import config
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if yes:
        config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
