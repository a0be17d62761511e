"""Right and wrong answers as bits: one a test item, in test order, base64 in the record. torch-free."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def pack_bits(correct: Sequence[bool]) -> str:
    """Bits, most significant first, padded with zeros to whole bytes, base64."""
    digits = "".join("1" if right else "0" for right in correct)
    size = -(-len(digits) // 8)
    return base64.b64encode(int(digits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")).decode()


def unpack_bits(text: str, n: int) -> list[bool]:
    """The first n bits of `pack_bits`. Raises: ValueError where there are not as many."""
    return [digit == "1" for digit in f"{_number(text, n):0{n}b}"] if n else []


def n_right(text: str, n: int) -> int:
    """How many of the first n bits are set. Raises: ValueError where there are not n."""
    return _number(text, n).bit_count()


def bit_array(text: str, n: int) -> np.ndarray:
    """bool `[n]`: the same as `unpack_bits`, for arithmetic over many students. Raises: ValueError likewise."""
    import numpy as np

    return np.unpackbits(np.frombuffer(_bytes(text, n), np.uint8), count=n).view(bool)


def count_right(texts: Sequence[str], n: int) -> np.ndarray:
    """Whole numbers `[n]`: how many of several students get each item right. Raises: ValueError as `unpack_bits`."""
    import numpy as np

    packed = np.frombuffer(b"".join(_bytes(text, n) for text in texts), np.uint8).reshape(len(texts), -1)
    return np.unpackbits(packed, axis=1, count=n).sum(0, dtype=np.uint8 if len(texts) < 256 else np.int64)


def _number(text: str, n: int) -> int:
    """The first n bits as one number."""
    return int.from_bytes(_bytes(text, n), "big") >> (-n % 8)


def _bytes(text: str, n: int) -> bytes:
    whole = binascii.a2b_base64(text, strict_mode=True)
    if len(whole) != -(-n // 8):
        raise ValueError(f"{n} bits need {-(-n // 8)} bytes, found {len(whole)}")
    return whole
