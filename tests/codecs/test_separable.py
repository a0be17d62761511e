"""Axis-wise maps against SciPy's DCT, PyTorch's resize and a resize written out sample by sample."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import torch
from ddbench_codecs.separable import along_extent, dct_matrix, resize_matrix
from hypothesis import given
from hypothesis import strategies as st

sizes = st.integers(1, 17)


def slow_linear(row: list[float], n_out: int) -> list[float]:
    """Upsampling as its definition has it: half-pixel centres, clamped to the border."""
    out = []
    for i in range(n_out):
        at = min(max((i + 0.5) * len(row) / n_out - 0.5, 0.0), len(row) - 1.0)
        left = math.floor(at)
        right = min(left + 1, len(row) - 1)
        out.append(row[left] * (1 - (at - left)) + row[right] * (at - left))
    return out


@given(st.lists(sizes, min_size=1, max_size=3), st.integers(0, 99))
def test_dct_is_scipys(extent: list[int], seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(2, 3, *extent))
    expected = scipy.fft.dctn(x, axes=range(2, x.ndim), norm="ortho")
    np.testing.assert_allclose(along_extent(torch.tensor(x), [dct_matrix(n) for n in extent]), expected, atol=1e-12)


@given(sizes)
def test_dct_is_orthonormal(n: int) -> None:
    np.testing.assert_allclose(dct_matrix(n) @ dct_matrix(n).T, np.eye(n), atol=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9), st.integers(0, 20))
def test_going_up_interpolates_between_the_two_nearest(row: list[float], more: int) -> None:
    n_out = len(row) + more
    np.testing.assert_allclose(resize_matrix(len(row), n_out) @ row, slow_linear(row, n_out), atol=1e-12)


# PyTorch resizes (2, 1) to (3, 1) wrongly (it repeats the first sample), so sides start at 2.
sides = st.integers(2, 17)


@given(sides, sides, sides, sides, st.integers(0, 99))
def test_images_resize_as_pytorch_does_with_antialiasing(h: int, w: int, p: int, q: int, seed: int) -> None:
    x = torch.randn(2, 3, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    expected = torch.nn.functional.interpolate(x, (p, q), mode="bilinear", align_corners=False, antialias=True)
    found = along_extent(x, [resize_matrix(h, p), resize_matrix(w, q)])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_types_follow_the_input() -> None:
    for dtype in (torch.float32, torch.float64):
        assert along_extent(torch.ones(1, 1, 4, dtype=dtype), [resize_matrix(4, 2)]).dtype == dtype
