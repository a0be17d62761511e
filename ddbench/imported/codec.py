"""The codec `imported`: signals as somebody else stored them, tensors of any type or picture files."""

from __future__ import annotations

from io import BytesIO
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Generator, Tensor

from ddbench.datasets.pictures import centre_crop, channels_first, opened
from ddbench.errors import ArtifactError, DataError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench.written import ADDED

Values = Literal["dataset", "raw", "bytes", "constants"]


class ImportedConfig(PluginConfig):
    """Arguments of `imported`."""

    form: Literal["tensors", "pictures"] = Field(description="tensors: one an item; pictures: a file an item.")
    dtype: Annotated[Literal["float64", "float32", "float16", "bfloat16", "uint8"], ADDED] = Field(
        "float32", description="Type of the tensors."
    )
    shape: Annotated[tuple[int, ...] | None, ADDED] = Field(
        None, description="Shape of one tensor, channels first, where it is not the signal's: resized when read."
    )
    values: Annotated[Values, ADDED] = Field(
        "dataset",
        description="What tensors hold: signals normalised by the dataset's constants, raw ones, raw ones times 255, "
        "or signals normalised by other `constants`.",
    )
    mean: Annotated[tuple[float, ...], ADDED] = Field((), description="Of `constants`: one, or one a channel.")
    std: Annotated[tuple[float, ...], ADDED] = Field((), description="Of `constants`: one, or one a channel.")
    resize: Annotated[bool, ADDED] = Field(False, description="Whether pictures of another size are resized.")

    @model_validator(mode="after")
    def _whole(self) -> ImportedConfig:
        if (self.values == "constants") != bool(self.mean) or len(self.mean) != len(self.std):
            raise ValueError("mean and std go with values: constants, and have as many numbers as each other")
        if self.std and min(self.std) <= 0:
            raise ValueError("std should be positive")
        if self.dtype == "uint8" and self.values != "bytes":
            raise ValueError("uint8 tensors have values: bytes")
        return self


class Imported(Codec):
    """Holds what was given, unchanged, so that its bytes are those of the original; decodes it to normalised signals.

    `tensor, or picture file → raw units → resized where it has another size → (raw − mean) / std → x̂`

    Files of varying length bring an offset each, as every byte string here does.
    """

    version = "1"
    source = "ddbench: sets made elsewhere"
    Config = ImportedConfig
    config: ImportedConfig
    differentiable = False
    takes_masks = True  # what was given holds them, or is no set of masked signals

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for pictures of signals that are none, and for shapes and constants that do not fit."""
        super().__init__(config, target)
        signal, given = target.signal, self.config
        if given.form == "pictures" and not signal.fits_image_files:
            raise SpecError(f"The dataset's signals of shape {signal.shape} are no pictures. Give tensors (.npz).")
        if len(given.mean) not in (0, 1, signal.channels):
            raise SpecError(f"mean and std have {len(given.mean)} numbers; give 1 or {signal.channels}.")
        self.shape = given.shape or signal.shape
        if len(self.shape) != len(signal.shape) or self.shape[0] != signal.channels:
            raise SpecError(f"Tensors of shape {self.shape} cannot be brought to the signals' {signal.shape}.")
        if self.shape != signal.shape and len(signal.extent) != 2:
            raise SpecError(f"Only images are resized; found shape {self.shape}, the signals have {signal.shape}.")

    def leaves(self) -> tuple[Leaf, ...]:
        if self.config.form == "pictures":
            return (Leaf("file", "item", None, "uint8", learned=False),)
        return (Leaf("x", "item", self.shape, self.config.dtype, learned=False, quantise=False),)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        signal, given = self.target.signal, self.config
        if given.form == "pictures":
            return {"file": Ragged.of([png(item) for item in to_levels(signal.denormalise(x))])}
        values = resized(x, self.shape) if given.values == "dataset" else self._given(resized(x, self.shape))
        if given.dtype == "uint8":
            values = values.round().clamp(0, 255)
        return {"x": values.to(getattr(torch, given.dtype))}

    def _given(self, x: Tensor) -> Tensor:
        """Normalised signals in the units of the set."""
        raw = self.target.signal.denormalise(x)
        if self.config.values == "constants":
            return (raw - self._constant(self.config.mean, raw)) / self._constant(self.config.std, raw)
        return raw * 255 if self.config.values == "bytes" else raw

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        stored = codes["file" if self.config.form == "pictures" else "x"]
        if isinstance(stored, Ragged):
            signals = self.target.signal.normalise(self._pictures(stored))
        else:
            values = resized(stored.float(), self.target.signal.shape)
            signals = values if self.config.values == "dataset" else self.target.signal.normalise(self._raw(values))
        signals = signals.to(y.device)
        return Decoded(signals, torch.arange(len(signals), device=y.device))

    def _raw(self, values: Tensor) -> Tensor:
        if self.config.values == "constants":
            return values * self._constant(self.config.std, values) + self._constant(self.config.mean, values)
        return values / 255 if self.config.values == "bytes" else values

    def _constant(self, numbers: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(numbers, dtype=like.dtype, device=like.device).reshape(-1, *(1,) * (len(self.shape) - 1))

    def _pictures(self, files: Ragged) -> Tensor:
        """uint8 `[M, c, h, w]`. Raises: ArtifactError where a file is no picture, or has another size."""
        made = [self._picture(i, files.row(i)) for i in range(len(files))]
        return torch.stack(made) if made else torch.empty(0, *self.target.signal.shape, dtype=torch.uint8)

    def _picture(self, i: int, content: bytes) -> Tensor:
        channels, height, width = self.target.signal.shape
        try:
            picture = opened(f"the stored picture {i}", content=content)
        except DataError as error:
            raise ArtifactError(str(error)) from error
        if picture.size != (width, height):
            if not self.config.resize:
                raise ArtifactError(
                    f"The stored picture {i} is {picture.size[0]} × {picture.size[1]}, not {width} × {height}."
                )
            square = height == width
            picture = centre_crop(picture, width) if square else picture.resize((width, height), resample=2)
        return torch.from_numpy(channels_first(picture, channels).copy())


def resized(x: Float[Tensor, "m *shape"], shape: tuple[int, ...]) -> Tensor:
    """Images brought to another size (bilinear, antialiased); others are returned as they are."""
    if tuple(x.shape[1:]) == shape:
        return x
    return F.interpolate(x, shape[1:], mode="bilinear", antialias=True, align_corners=False)


def to_levels(raw: Float[Tensor, "m c h w"]) -> Tensor:
    """uint8 levels of raw values in [0, 1], rounded and clipped."""
    return (raw * 255).round().clamp(0, 255).to(torch.uint8)


def png(levels: Tensor) -> bytes:
    """A PNG file of uint8 `[c, h, w]`, 1 or 3 channels."""
    from PIL import Image

    array = levels.permute(1, 2, 0).cpu().numpy()
    content = BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(content, "PNG")
    return content.getvalue()
