"""Any folder of pictures with one folder a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ddbench.datasets.held_out import side_by_content
from ddbench.datasets.locations import DATA_VARIABLE, below_data_root, data_root
from ddbench.datasets.picture_folders import class_folders, contents, files_in, side
from ddbench.datasets.picture_sets import NATURAL, PictureSet, Side
from ddbench.datasets.pictures import PROCESSING, centre_crop, channels_first, letterboxed, opened
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.written import ADDED

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8
    from PIL.Image import Image

TEST_FOLDERS = ("test", "val")


class PictureConfig(PluginConfig):
    """The arguments that sets of one's own pictures have in common."""

    size: int = Field(64, ge=8, le=1024, description="Side of the square pictures, in pixels.")
    channels: Literal[1, 3] = Field(3, description="3 for colour, 1 for grey.")
    fit: Literal["crop", "letterbox"] = Field(
        "crop", description="crop: short side brought to size, middle cut out; letterbox: the whole picture on white."
    )
    mean: tuple[float, ...] = Field((0.5,), description="Mean of the values in [0, 1], one or one a channel.")
    std: tuple[float, ...] = Field((0.25,), description="Their standard deviation, one or one a channel.")
    augmentation: str = Field(NATURAL, description="Operations of the augmentation, joined by _; '' for none.")
    family: Annotated[str, ADDED] = Field(
        "", description="Dataset of which these pictures are a copy or a part: decoders trained on it are paid for."
    )

    @model_validator(mode="after")
    def _constants(self) -> PictureConfig:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(f"{name} should have one value or {self.channels}, got {len(values)}")
        if min(self.std) <= 0:
            raise ValueError("std should be positive")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size, self.size

    @property
    def processing(self) -> str:
        return f"{self.fit}, {PROCESSING}"

    def per_channel(self, values: tuple[float, ...]) -> tuple[float, ...]:
        return values if len(values) == self.channels else values * self.channels

    def brought_to_size(self, picture: Image) -> UInt8[np.ndarray, "c h w"]:
        """`[c, h, w]` uint8 of an RGB picture."""
        square = (centre_crop if self.fit == "crop" else letterboxed)(picture, self.size)
        return channels_first(square, self.channels)


class ImageFolderConfig(PictureConfig):
    name: str = Field("pictures", description="The folder below the data folder; it names the dataset.")

    @field_validator("name")
    @classmethod
    def _below_the_data_folder(cls, name: str) -> str:
        return below_data_root(name)


class ImageFolder(Dataset):
    """A folder of pictures by class: NAME/train/CLASS/* and NAME/test/CLASS/* (or val), or NAME/CLASS/*.

    A single tree is split by the files' content: a fifth of each class for test, equal files on one side.
    """

    version = "1"
    source = "the user's own pictures"
    Config = ImageFolderConfig
    config: ImageFolderConfig

    @classmethod
    def fetch(cls, config: ImageFolderConfig, download: bool, tell: Callable[[float], None]) -> str:
        return cls(config).pictures().decode(tell)

    def pictures(self) -> PictureSet:
        """The files by a scan. Raises: DataError naming what the layout lacks."""
        config = self.config
        root = data_root() / config.name
        if not root.is_dir():
            raise DataError(
                f"There is no folder {root}. Put the pictures there as train/CLASS/* and test/CLASS/*, or as CLASS/* "
                f"({DATA_VARIABLE} names another data folder)."
            )
        folders = class_folders(root)
        held = [name for name in TEST_FOLDERS if name in folders]
        if "train" in folders and held:
            train, test = root / "train", root / held[0]
            classes = class_folders(train)
            if stray := sorted(set(classes) ^ set(class_folders(test))):
                raise DataError(f"The classes {', '.join(stray)} are not in both of {train} and {test}.")
            _check(train, classes)
            sides = side(train, classes), side(test, classes)
        else:
            classes = folders
            _check(root, classes)
            sides = halves(side(root, classes))
        return PictureSet(
            config.name.replace("/", "_"), tuple(classes), *sides, config.shape, config.processing,
            lambda path: config.brought_to_size(opened(path, config.size)),
        )  # fmt: skip

    def card(self) -> DatasetCard:
        config = self.config
        mean, std = config.per_channel(config.mean), config.per_channel(config.std)
        return self.pictures().card(mean, std, "the user's to say", config.augmentation, family=config.family)

    def load(self) -> tuple[Split, Split]:
        return self.pictures().load()


def halves(whole: Side) -> tuple[Side, Side]:
    """(train, test) of a single tree, by the files' content; equal files stay together."""
    known = contents(whole.files)
    first: dict[str, int] = {}
    test = side_by_content(whole.labels, known, [first.setdefault(d, i) for i, d in enumerate(known)])
    whole = replace(whole, known_by=tuple(known))
    train, held = (whole.take(i for i, held in enumerate(test) if held == part) for part in (False, True))
    return train.sorted(), held.sorted()


def _check(root: Path, classes: list[str]) -> None:
    empty = [name for name in classes if len(files_in(root / name)) < 2]
    if len(classes) < 2 or empty:
        what = f"{', '.join(empty)} have fewer than two pictures" if empty else f"it has {len(classes)} class folders"
        raise DataError(f"{root} should have two class folders or more, each with two pictures or more; {what}.")
