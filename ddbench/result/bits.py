"""Right and wrong answers as bits: one a test item, in test order, base64 in the record. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pybase64

if TYPE_CHECKING:
    import numpy as np


def pack_bits(correct: Sequence[bool]) -> str:
    """Bits, most significant first, padded with zeros to whole bytes, base64."""
    digits = "".join("1" if right else "0" for right in correct)
    size = -(-len(digits) // 8)
    return pybase64.b64encode(int(digits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")).decode()


def unpack_bits(text: str, n: int) -> list[bool]:
    """The first n bits of `pack_bits`. Raises: ValueError where there are not as many."""
    return [digit == "1" for digit in f"{right_answers(text, n):0{n}b}"] if n else []


def n_right(text: str, n: int) -> int:
    """How many of the first n bits are set. Raises: ValueError where there are not n."""
    return right_answers(text, n).bit_count()


def right_answers(text: str, n: int) -> int:
    """The first n bits as one number, the first item's the most significant. Raises: ValueError likewise."""
    return int.from_bytes(_bytes(text, n), "big") >> (-n % 8)


def bit_array(text: str, n: int) -> np.ndarray:
    """bool `[n]`: the same as `unpack_bits`, for arithmetic over many students. Raises: ValueError likewise."""
    import numpy as np

    return np.unpackbits(np.frombuffer(_bytes(text, n), np.uint8), count=n).view(bool)


def _bytes(text: str, n: int) -> bytes:
    try:
        whole = pybase64.b64decode(text, validate=True)  # the standard library's takes six times as long
    except ValueError as error:
        raise ValueError("no base64, or padded wrongly") from error
    if len(whole) != -(-n // 8):
        raise ValueError(f"{n} bits need {-(-n // 8)} bytes, found {len(whole)}")
    return whole
