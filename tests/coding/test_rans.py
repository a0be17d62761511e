"""Entropy coding against the information that symbols carry, and against whole-number arithmetic without a limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.coding import rans


def drawn(n: int, symbols: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(a distribution a row, a symbol of each)."""
    draw = np.random.default_rng(seed)
    p = draw.dirichlet(np.full(symbols, 0.3), n)
    return p, np.array([draw.choice(symbols, p=row) for row in p], dtype=np.int64).reshape(n)


def intervals(p: np.ndarray, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frequency = rans.frequencies(p)
    ends, at = frequency.cumsum(1), np.arange(len(p))
    return ends[at, symbols] - frequency[at, symbols], frequency[at, symbols], ends


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_symbols_come_back(n: int, symbols: int, seed: int) -> None:
    p, s = drawn(n, symbols, seed)
    start, frequency, ends = intervals(p, s)
    reader = rans.Reader(rans.encode(start, frequency))
    half = n // 2
    found = [*reader.read(ends[:half]), *reader.read(ends[half:])]
    reader.close()
    assert found == s.tolist()


def test_frequencies_are_whole_positive_and_complete() -> None:
    p = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5 - 1e-12, 1e-12]])
    found = rans.frequencies(p)
    assert (found >= 1).all()
    assert (found.sum(1) == rans.TOTAL).all()
    assert np.abs(found / rans.TOTAL - p).max() < 2 * p.shape[1] / rans.TOTAL


def test_bytes_are_the_information_of_the_symbols() -> None:
    p, s = drawn(4000, 30, 0)
    start, frequency, _ = intervals(p, s)
    bits = -np.log2(frequency / rans.TOTAL).sum()
    assert bits <= 8 * len(rans.encode(start, frequency)) <= 1.0001 * bits + 48


def test_the_state_is_that_of_the_definition() -> None:
    """Without renormalisation the state is one whole number: x ← ⌊x/f⌋·2¹⁶ + x mod f + c, from the last symbol on."""
    p, s = drawn(3, 6, 1)
    start, frequency, _ = intervals(p, s)
    x = rans.LOW
    for c, f in reversed(list(zip(start.tolist(), frequency.tolist()))):
        x = x // f * rans.TOTAL + x % f + c
    information = 8 * len(rans.encode(start, frequency))
    assert x.bit_length() - 1 <= information <= x.bit_length() + 16


@pytest.mark.parametrize("data", [b"", b"abcdefg", b"\0\0\0\0\0\0", b"\1\0"])
def test_bytes_of_no_encoder_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="stream"):
        rans.Reader(data)


def test_a_stream_that_is_too_short_or_too_long_is_refused() -> None:
    p, s = drawn(100, 20, 2)
    start, frequency, ends = intervals(p, s)
    data = rans.encode(start, frequency)
    with pytest.raises(ValueError, match="before its last symbol"):
        rans.Reader(data[:20]).read(ends)
    longer = rans.Reader(data + b"\0\0")
    longer.read(ends)
    with pytest.raises(ValueError, match="behind its last symbol"):
        longer.close()
