"""The JPEG codec: a code is the entropy-coded scan of a picture; all pictures share one header."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from PIL import Image
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import ArtifactError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs import images
from ddbench_codecs.items import dense, one_signal_each, ragged

START_OF_SCAN = 0xDA
END_OF_IMAGE = b"\xff\xd9"
LONGEST_SIDE = 65535


class JpegConfig(PluginConfig):
    """Arguments of `jpeg`."""

    quality: int = Field(50, ge=1, le=95, description="Quality on libjpeg's scale, 1 (smallest) to 95.")


class Jpeg(Codec):
    """Stores pictures as baseline JPEG, colour with chroma at half the resolution (4:2:0). No gradient.

    `x → 8 bits → JPEG = header ‖ scan ‖ end marker → decode → x̂`

    With the standard tables every picture of one size and quality begins with the same bytes, up to the start of its
    scan. They are stored, and charged, once a set; the end marker is constant and not stored.
    """

    version = "1"
    source = "ITU-T T.81 (baseline, standard Huffman tables), as Pillow and libjpeg write it"
    Config = JpegConfig
    differentiable = False

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals that are not grey or colour pictures."""
        super().__init__(config, target)
        images.check("jpeg", target.signal, LONGEST_SIDE)

    def leaves(self) -> tuple[Leaf, ...]:
        def fixed(name: str, scope, shape: tuple[int, ...] | None, side: bool) -> Leaf:
            return Leaf(name, scope, shape, dtype="uint8", learned=False, side=side, quantise=False)

        return fixed("stream", "item", None, False), fixed("header", "set", (len(self._header()),), True)

    def begin(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], generator: Generator) -> Codes:
        """The common header, which no data enter."""
        return {"header": torch.tensor(list(self._header()), dtype=torch.uint8, device=x.device)}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        """Raises: ArtifactError where a picture's header is not the common one."""
        header = _bytes(dense(shared, "header"))
        scans = []
        for picture in images.to_pictures(x, self.target.signal):
            own, scan = self._split(picture)
            if own != header:
                raise ArtifactError(
                    f"The set's JPEG header ({len(header)} bytes) is not what this Pillow writes ({len(own)} bytes) at "
                    f"quality {self.config.quality}. Encode with the release that began the set, or begin a new one."
                )
            scans.append(scan)
        return {"stream": Ragged.of(scans)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError where an item's bytes are damaged."""
        header, scans, signal = _bytes(dense(codes, "header")), ragged(codes, "stream"), self.target.signal
        files = [header + scans.row(i) + END_OF_IMAGE for i in range(len(scans))]
        pictures = [images.open_file(file, signal, "JPEG", i) for i, file in enumerate(files)]
        return one_signal_each(images.to_signals(pictures, signal, y.device))

    def _header(self) -> bytes:
        return self._split(images.blank(self.target.signal))[0]

    def _split(self, picture: Image.Image) -> tuple[bytes, bytes]:
        """(header up to and with the start of scan, scan without the end marker) of a picture's JPEG."""
        colour = {"subsampling": "4:2:0"} if picture.mode == "RGB" else {}
        quality = self.config.quality
        file = images.file_of(picture, format="JPEG", quality=quality, optimize=False, progressive=False, **colour)
        at = 2
        while True:
            marker = file[at + 1]
            at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
            if marker == START_OF_SCAN:
                return file[:at], file[at:].removesuffix(END_OF_IMAGE)


def _bytes(values: Tensor) -> bytes:
    return values.cpu().numpy().tobytes()
