"""Text as signals: UTF-8 bytes in a row `[1, t]`, the rest of it 0. torch-free at import.

A text holds no character 0, so that its end is known and nothing else has to be stored. Normalised values are the byte
values themselves (mean 0, std 1/255), which students look up.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from torch import Tensor

SYMBOLS = 256


def text_signal(length: int, augmentation: str = "") -> SignalSpec:
    """The signal of texts of up to `length` bytes."""
    return SignalSpec(
        (1, length), (0.0,), (1 / 255,), low=0.0, high=1.0, augmentation=augmentation, symbols=SYMBOLS
    )  # fmt: skip


def tidy(text: str) -> str:
    """The text as it is kept: composed characters (NFC), other controls left out, white space as single spaces."""
    kept = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cs")).split())


def cut(text: str, length: int) -> str:
    """The longest beginning of the text that takes up to `length` bytes, without half a character at its end."""
    return text.encode("utf-8")[:length].decode("utf-8", "ignore").rstrip()


def to_raw(texts: Sequence[str], length: int) -> UInt8[Tensor, "n 1 length"]:
    """Raw signals of tidy texts, those longer than `length` bytes cut."""
    import torch

    rows = b"".join(cut(text, length).encode("utf-8").ljust(length, b"\0") for text in texts)
    return torch.frombuffer(bytearray(rows), dtype=torch.uint8).reshape(len(texts), 1, length)


def to_bytes(x: Tensor) -> list[bytes]:
    """The bytes of each normalised signal `[n, 1, t]`, up to its end; values between bytes go to the nearest."""
    import torch

    rows = x.detach().round().clamp(0, SYMBOLS - 1).to(torch.uint8).flatten(1).cpu().numpy()
    return [row.tobytes().partition(b"\0")[0] for row in rows]


def to_texts(x: Tensor) -> list[str]:
    """The text of each normalised signal `[n, 1, t]`; bytes that are no UTF-8 become �."""
    return [row.decode("utf-8", "replace") for row in to_bytes(x)]
