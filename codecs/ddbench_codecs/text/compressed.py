"""The codec of plain texts: a code is the text, compressed."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.signal import SignalSpec
from ddbench.interfaces.text import SYMBOLS, to_bytes
from ddbench.leaf import Leaf
from ddbench_codecs.items import one_signal_each, ragged
from ddbench_codecs.text.deflate import COMMON, packed, unpacked


class Text(Codec):
    """Stores a text as a raw deflate stream of its UTF-8 bytes. Exact, and without gradient.

    `x → bytes up to their end → deflate → stream → inflate → x̂`

    The dictionary that every stream begins with is a list of common English, which no dataset enters.
    """

    version = "1"
    source = "RFC 1951 (deflate), RFC 1950 (preset dictionary); ddbench's list of common English"
    symbols = True
    differentiable = False
    decoder_bytes = len(COMMON)
    decoder_training_data = "none: a list of common English, written by hand"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals that are no texts."""
        super().__init__(config, target)
        check("text", target.signal)

    def leaves(self) -> tuple[Leaf, ...]:
        return (stream_leaf(None),)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"text": Ragged.of([packed(text) for text in to_bytes(x)])}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError where a stream is damaged."""
        streams, (most,) = ragged(codes, "text"), self.target.signal.extent
        rows = [unpacked(streams.row(i), most, i) for i in range(len(streams))]
        return one_signal_each(signals(rows, most, y.device))


def stream_leaf(room: int | None) -> Leaf:
    """The leaf of streams: of varying size, or each in `room` bytes."""
    shape = None if room is None else (room,)
    return Leaf("text", "item", shape, dtype="uint8", learned=False, quantise=False)


def check(codec: str, signal: SignalSpec) -> None:
    """Raises: SpecError for signals that are no texts."""
    if signal.symbols != SYMBOLS or len(signal.shape) != 2 or signal.channels != 1:
        raise SpecError(
            f"The codec {codec!r} takes texts (bytes in a row, shape (1, t)); signals of shape {signal.shape} with "
            f"{signal.symbols or 'no'} symbols are none. Use 'identity' or another codec of numbers."
        )


def signals(rows: list[bytes], length: int, device: torch.device) -> Float[Tensor, "m 1 t"]:
    """Normalised signals of texts' bytes."""
    whole = b"".join(row.ljust(length, b"\0") for row in rows)
    raw = torch.frombuffer(bytearray(whole) or bytearray(1), dtype=torch.uint8)[: len(whole)]
    return raw.reshape(len(rows), 1, length).float().to(device)
