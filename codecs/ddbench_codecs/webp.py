"""The WebP codec: a code is a picture's whole WebP file."""

from __future__ import annotations

from jaxtyping import Float, Int
from PIL import features
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs import images
from ddbench_codecs.items import one_signal_each, ragged

LONGEST_SIDE = 16383


class WebpConfig(PluginConfig):
    """Arguments of `webp`."""

    quality: int = Field(50, ge=0, le=100, description="Quality of lossy files; the effort spent on lossless ones.")
    lossless: bool = Field(False, description="Whether pixels come back exactly (up to 8-bit rounding).")


class Webp(Codec):
    """Stores pictures as WebP. No gradient. Grey is stored as colour and decoded to the mean of the three channels."""

    version = "1"
    source = "RFC 9649 (WebP), as Pillow and libwebp write it at method 4"
    Config = WebpConfig
    differentiable = False

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals that are not pictures, or where this Pillow cannot write WebP."""
        super().__init__(config, target)
        images.check("webp", target.signal, LONGEST_SIDE)
        if not features.check("webp"):
            raise SpecError("The codec 'webp' needs a Pillow with WebP; this one has none. Install Pillow's own wheel.")

    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf("stream", "item", None, dtype="uint8", learned=False, quantise=False),)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        quality, lossless = self.config.quality, self.config.lossless
        files = [
            images.file_of(p.convert("RGB"), format="WEBP", quality=quality, lossless=lossless, method=4)
            for p in images.to_pictures(x, self.target.signal)
        ]
        return {"stream": Ragged.of(files)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError where an item's bytes are damaged."""
        files, signal = ragged(codes, "stream"), self.target.signal
        pictures = [images.open_file(files.row(i), signal, "WEBP", i).convert("RGB") for i in range(len(files))]
        return one_signal_each(images.to_signals(pictures, signal, y.device))
