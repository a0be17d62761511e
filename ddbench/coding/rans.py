"""Entropy coding by range asymmetric numeral systems: symbols as bytes, given how likely each was.

Source: Duda, "Asymmetric numeral systems" (arXiv 1311.2540), the range variant with 16-bit renormalisation.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

PRECISION = 16
TOTAL = 1 << PRECISION
"""What the frequencies of one symbol's distribution add up to."""
LOW = 1 << 32
"""The state stays in [LOW, LOW·2¹⁶): so far above TOTAL that rounding it costs nothing to speak of."""


def frequencies(p: Float[np.ndarray, "n s"]) -> Int[np.ndarray, "n s"]:
    """Whole numbers from 1 that add up to TOTAL in every row, nearly proportional to p.

    Each step is exact or rounded by IEEE 754, so that every machine gets the same numbers from the same p.
    """
    whole = np.floor(p * (TOTAL - p.shape[1])).astype(np.int64) + 1
    whole[np.arange(len(p)), p.argmax(1)] += TOTAL - whole.sum(1)
    return whole


def encode(start: Int[np.ndarray, " n"], frequency: Int[np.ndarray, " n"]) -> bytes:
    """The bytes of n symbols, each given by where its interval of [0, TOTAL) starts and how long it is."""
    state, words = LOW, []
    for c, f in zip(start[::-1].tolist(), frequency[::-1].tolist()):
        if state >= f << 32:
            words.append(state & 0xFFFF)
            state >>= 16
        state = (state // f << PRECISION) + state % f + c
    words += [state & 0xFFFF, state >> 16 & 0xFFFF, state >> 32]
    return np.asarray(words[::-1], dtype="<u2").tobytes()


class Reader:
    """Symbols from the bytes of `encode`, in the order in which they were given."""

    def __init__(self, data: bytes) -> None:
        """Raises: ValueError for bytes that cannot be those of `encode`."""
        if len(data) < 6 or len(data) % 2:
            raise ValueError("a stream has an even number of bytes, at least six")
        self._words = np.frombuffer(data, dtype="<u2").tolist()
        self._state = self._words[0] << 32 | self._words[1] << 16 | self._words[2]
        self._at = 3
        if self._state < LOW:
            raise ValueError("the stream begins with a state that no encoder leaves")

    def read(self, ends: Int[np.ndarray, "n s"]) -> Int[np.ndarray, " n"]:
        """The next n symbols; row i holds where its intervals end. Raises: ValueError where bytes lack."""
        found = np.empty(len(ends), dtype=np.int64)
        state, at, words = self._state, self._at, self._words
        for i, row in enumerate(ends):
            slot = state & (TOTAL - 1)
            s = int(row.searchsorted(slot, side="right"))
            start = int(row[s - 1]) if s else 0
            state = (int(row[s]) - start) * (state >> PRECISION) + slot - start
            if state < LOW:
                if at == len(words):
                    raise ValueError("the stream ends before its last symbol")
                state = state << 16 | words[at]
                at += 1
            found[i] = s
        self._state, self._at = state, at
        return found

    def close(self) -> None:
        """Raises: ValueError where something is left that `encode` would not have written."""
        if self._at != len(self._words) or self._state != LOW:
            raise ValueError("the stream goes on behind its last symbol, or was changed")
