"""Bit masks against NumPy's packbits."""

from __future__ import annotations

import numpy as np
import torch
from ddbench_codecs import bits
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 4), st.integers(1, 40), st.integers(0, 999))
def test_packing_is_numpys_and_comes_back(k: int, positions: int, seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 2, (k, positions)).astype(bool)
    packed = bits.pack(torch.from_numpy(mask))
    np.testing.assert_array_equal(packed, np.packbits(mask, axis=1))
    np.testing.assert_array_equal(bits.unpack(packed, positions), mask)
