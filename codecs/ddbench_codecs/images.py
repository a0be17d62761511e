"""8-bit pictures: what image files hold, made from normalised signals and back."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.signal import SignalSpec

LEVELS = 255


def check(codec: str, signal: SignalSpec, longest: int) -> None:
    """Raises: SpecError where the signals are not grey or colour pictures with bounds and sides up to `longest`."""
    said = f"The codec {codec!r} stores grey or colour pictures"
    if len(signal.shape) != 3 or signal.channels not in (1, 3):
        raise SpecError(
            f"{said}, shape (1 or 3, height, width); these signals have shape {signal.shape}. Use 'identity' or 'dct'."
        )
    if max(signal.extent) > longest:
        raise SpecError(f"{said} with sides up to {longest}; these signals have shape {signal.shape}.")
    if signal.low is None or signal.high is None or signal.low >= signal.high:
        raise SpecError(
            f"{said}, whose values have a lowest and a highest; this dataset gives low = {signal.low} and high = "
            f"{signal.high}. Set both in its SignalSpec (0 and 1 for 8-bit images)."
        )


def to_pictures(x: Tensor, signal: SignalSpec) -> list[Image.Image]:
    """Pictures of normalised signals `[m, c, h, w]`: denormalised, clipped to the raw range, rounded to 8 bits."""
    low, high = _bounds(signal)
    unit = (signal.denormalise(x.detach().double()) - low) / (high - low)
    pixels = (unit.clamp(0, 1) * LEVELS).round().to(torch.uint8).cpu().numpy()
    return [Image.fromarray(p[0] if signal.channels == 1 else p.transpose(1, 2, 0)) for p in pixels]


def to_signals(pictures: list[Image.Image], signal: SignalSpec, device: torch.device) -> Tensor:
    """Normalised float32 signals `[m, c, h, w]`. A colour picture of a grey signal gives its mean over channels."""
    if not pictures:
        return torch.zeros(0, *signal.shape, device=device)
    pixels = torch.from_numpy(np.stack([np.asarray(p) for p in pictures]))
    planes = (pixels[..., None] if pixels.dim() == 3 else pixels).movedim(-1, 1).float()
    if signal.channels == 1:
        planes = planes.mean(1, keepdim=True)
    low, high = _bounds(signal)
    return signal.normalise((low + (high - low) * planes / LEVELS).to(device))


def blank(signal: SignalSpec) -> Image.Image:
    """A black picture of the signals' size and colours."""
    height, width = signal.extent
    return Image.new("L" if signal.channels == 1 else "RGB", (width, height))


def file_of(picture: Image.Image, **options: Any) -> bytes:
    """The bytes of the picture's file; `options` are Pillow's (format, quality, …)."""
    stream = io.BytesIO()
    picture.save(stream, **options)
    return stream.getvalue()


def open_file(data: bytes, signal: SignalSpec, kind: str, item: int) -> Image.Image:
    """The picture in a file of that kind. Raises: ArtifactError where the bytes are damaged or another size."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=[kind])
            height, width = signal.extent
            if picture.size != (width, height):
                raise ArtifactError(
                    f"The {kind} of item {item} should be {width} wide and {height} high; found {picture.size}."
                )
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ArtifactError(
            f"The {kind} of item {item} ({len(data)} bytes) cannot be decoded: {error}. The set is damaged; "
            "make it anew."
        ) from error
    return picture


def _bounds(signal: SignalSpec) -> tuple[float, float]:
    assert signal.low is not None
    assert signal.high is not None
    return signal.low, signal.high
