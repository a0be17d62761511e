"""Normalisation of raw signals, and byte strings with offsets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddbench.interfaces.codec import Ragged
from ddbench.interfaces.signal import SignalSpec

SPECS = [
    SignalSpec((3, 4, 5), (0.1, 0.5, 0.9), (0.2, 0.3, 1.5)),
    SignalSpec((2, 7), (0.0, -1.0), (1.0, 0.01)),
    SignalSpec((3,), (5.0, 0.0, -2.0), (0.5, 1.0, 30.0)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: str(s.shape))
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.int64])
def test_normalised_is_raw_minus_mean_over_std_by_channel(spec, dtype):
    raw = (torch.rand(6, *spec.shape, generator=torch.Generator().manual_seed(0)) * 255).to(dtype)
    values = raw.double().numpy() / (255.0 if dtype == torch.uint8 else 1.0)
    wanted = np.empty_like(values)
    for c in range(spec.shape[0]):
        wanted[:, c] = (values[:, c] - spec.mean[c]) / spec.std[c]
    x = spec.normalise(raw)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x.numpy(), wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(spec.denormalise(x).numpy(), values, rtol=1e-4, atol=1e-4)


def test_normalisation_takes_any_leading_axes():
    spec = SPECS[0]
    raw = torch.rand(2, 3, *spec.shape)
    assert torch.equal(spec.normalise(raw)[1, 2], spec.normalise(raw[1, 2]))


@given(st.lists(st.binary(max_size=9), max_size=8), st.data())
def test_byte_strings_come_back(rows, data):
    ragged = Ragged.of(rows)
    assert ragged.values.dtype == torch.uint8
    assert ragged.offsets.dtype == torch.int32
    assert [ragged.row(i) for i in range(len(ragged))] == rows
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if rows else []
    taken = ragged.take(index)
    assert [taken.row(i) for i in range(len(taken))] == [rows[i] for i in index]
    assert len(taken.values) == sum(len(rows[i]) for i in index)
