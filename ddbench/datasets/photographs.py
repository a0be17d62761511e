"""Patches of the photographs that scikit-image and scikit-learn ship: pictures to train codecs on, no benchmark."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import Field

from ddbench import rng
from ddbench.canonical import digest
from ddbench.datasets.picture_sets import NATURAL
from ddbench.datasets.pictures import PROCESSING, channels_first, opened
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.signal import SignalSpec

SKIMAGE, SKLEARN = ("skimage", "data"), ("sklearn", "datasets/images")
COLOUR = {
    "train": (
        (*SKIMAGE, "astronaut.png"), (*SKIMAGE, "chelsea.png"), (*SKIMAGE, "motorcycle_left.png"),
        (*SKIMAGE, "rocket.jpg"), (*SKIMAGE, "hubble_deep_field.jpg"), (*SKLEARN, "flower.jpg"),
    ),
    "test": ((*SKIMAGE, "coffee.png"), (*SKLEARN, "china.jpg")),
}  # fmt: skip
GREY = {
    "train": ((*SKIMAGE, "camera.png"), (*SKIMAGE, "moon.png"), (*SKIMAGE, "brick.png"), (*SKIMAGE, "grass.png"),
              (*SKIMAGE, "gravel.png")),
    "test": ((*SKIMAGE, "coins.png"),),
}  # fmt: skip
"""Taken in besides the colour ones where grey patches are asked for."""
MEAN, STD = {3: (0.381, 0.317, 0.285), 1: (0.390,)}, {3: (0.306, 0.218, 0.206), 1: (0.209,)}
"""Of the training patches of side 64."""
TEST_SHARE = 8
"""One test patch for so many training patches."""


def found(package: str, folder: str, file: str) -> Path:
    """A file that a package ships, without importing it. Raises: DataError where either is missing."""
    spec = find_spec(package)
    path = Path(spec.origin).parent / folder / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError(
            f"The dataset 'photographs' needs {folder}/{file} of the package {package}, which is not there. "
            "Install the packages that ship the photographs: pip install 'ddbench[photographs]'."
        )
    return path


class PhotographsConfig(PluginConfig):
    size: int = Field(64, ge=8, le=256, description="Side of the square patches, in pixels.")
    channels: Literal[1, 3] = Field(3, description="3 for colour; 1 for grey, with six grey photographs besides.")
    patches: int = Field(4096, ge=8, description="Training patches; there is one test patch for eight of them.")


class Photographs(Dataset):
    """Random square crops of 8 colour photographs (14 where grey), at every scale; those for test are of others."""

    version = "1"
    source = "photographs shipped by scikit-image (S. van der Walt et al., 2014) and scikit-learn; patches by ddbench"
    Config = PhotographsConfig
    config: PhotographsConfig

    def files(self, part: str) -> list[Path]:
        named = COLOUR[part] + (GREY[part] if self.config.channels == 1 else ())
        return [found(*one) for one in named]

    def card(self) -> DatasetCard:
        config = self.config
        known = [hashlib.sha256(f.read_bytes()).hexdigest() for part in ("train", "test") for f in self.files(part)]
        return DatasetCard(
            name="photographs",
            revision=digest([known, PROCESSING, config.model_dump(mode="json")])[:16],
            signal=SignalSpec(
                (config.channels, config.size, config.size), MEAN[config.channels], STD[config.channels],
                low=0.0, high=1.0, augmentation=NATURAL,
            ),
            class_names=("photograph",),
            train_size=config.patches,
            test_size=config.patches // TEST_SHARE,
            licence="as scikit-image and scikit-learn state for each: public domain or Creative Commons",
            smallest_class=config.patches,
            signal_bytes=config.channels * config.size**2,
        )  # fmt: skip

    def load(self) -> tuple[Split, Split]:
        patches = self.config.patches
        return self._split("train", patches), self._split("test", patches // TEST_SHARE)

    def _split(self, part: str, count: int) -> Split:
        import numpy as np
        import torch
        from PIL import Image

        config = self.config
        photographs = [opened(path) for path in self.files(part)]
        values = np.empty((count, config.channels, config.size, config.size), dtype=np.uint8)
        seed = rng.seed("patches", dataset="photographs", part=part, size=config.size, channels=config.channels)
        stream = Random(seed)
        for i in range(count):
            photograph = photographs[i % len(photographs)]
            box = crop(photograph.size, config.size, [stream.random() for _ in range(3)])
            patch = photograph.resize((config.size, config.size), Image.Resampling.BILINEAR, box=box)
            values[i] = channels_first(patch, config.channels)
        return Split(torch.from_numpy(values), torch.zeros(count, dtype=torch.int64))


def crop(extent: tuple[int, int], size: int, drawn: Sequence[float]) -> tuple[int, int, int, int]:
    """The square (left, top, right, bottom) for three numbers in [0, 1): its scale, and its place.

    Sides are drawn evenly on the logarithmic scale from `size` to the photograph's short side: a pyramid's levels and
    all between.
    """
    short = min(extent)
    side = round(min(size, short) * (short / min(size, short)) ** drawn[0])
    left, top = (int(u * (whole - side + 1)) for u, whole in zip(drawn[1:], extent))
    return left, top, left + side, top + side
