"""Picture files to 8-bit arrays: opened with their faults named, brought to one size. torch-free; Pillow when called.

Sizes change by Pillow's antialiased bilinear filter throughout: it makes no ringing at the edges of drawings, and it is
what the field's ImageNet transforms use.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8
    from PIL.Image import Image

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
THIN = 20
"""Long side over short side from which only a picture's middle is resized."""
PROCESSING = "bilinear 1"
"""Changes whenever this module would make other pixels of the same file."""


def opened(path: Path | str, wanted: int = 0, content: bytes | None = None) -> Image:
    """The picture in a file as RGB, transparent parts on white; of a JPEG, no more pixels than `wanted` a side needs.

    `content`: the file's bytes where they lie elsewhere; `path` then only names them.

    Raises: DataError where it is no picture, is cut short, or has more than 8 bits a channel.
    """
    from PIL import Image

    try:
        with Image.open(path if content is None else BytesIO(content)) as picture:
            if wanted:
                picture.draft(None, (2 * wanted, 2 * wanted))  # libjpeg's scaled decoding, never below this
            picture.load()
            return on_white(picture)
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} has too many pixels: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise for broken files
        cause = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise DataError(f"{path} cannot be read: {cause}.") from error


def on_white(picture: Image) -> Image:
    """RGB, transparent parts white. Raises: ValueError for 16-bit and floating-point pictures."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"mode {picture.mode}, more than 8 bits a channel; save it with 8")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture.convert("RGBA"))
        picture = paper
    return picture.convert("RGB")


def letterboxed(picture: Image, size: int) -> Image:
    """The whole picture, aspect kept, in the middle of a white square."""
    from PIL import Image

    scale = size / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    paper = Image.new(picture.mode, (size, size), "white")
    inner = picture.resize((width, height), Image.Resampling.BILINEAR)
    paper.paste(inner, ((size - width) // 2, (size - height) // 2))
    return paper


def centre_crop(picture: Image, size: int) -> Image:
    """The short side brought to `size`, then the middle square."""
    from PIL import Image

    short = min(picture.size)
    if max(picture.size) > THIN * short:  # the whole of it, enlarged, may not fit in memory
        left, top = ((side - short) // 2 for side in picture.size)
        box = (left, top, left + short, top + short)
        return picture.crop(box).resize((size, size), Image.Resampling.BILINEAR)
    scale = size / short
    width, height = (max(size, round(side * scale)) for side in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    return picture.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))


def channels_first(picture: Image, channels: int = 3) -> UInt8[np.ndarray, "c h w"]:
    """`[3, h, w]` of an RGB picture, or `[1, h, w]`, its grey values."""
    import numpy as np

    if channels == 1:
        return np.asarray(picture.convert("L"))[None]
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
