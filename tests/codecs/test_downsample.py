"""The down-sampling codec: tile sizes, the length of a step on the signal, what it refuses."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.downsample import Downsample, DownsampleConfig
from pydantic import ValidationError

from ddbench.budget import slots
from ddbench.cost import cost_of
from ddbench.errors import SpecError

LABELS = torch.zeros(1, dtype=torch.int64)


def codec(factor: int, *shape: int) -> Downsample:
    return Downsample(DownsampleConfig(factor=factor), target(*shape, n_classes=10, cap_bytes=40 * prod(shape)))


@pytest.mark.parametrize(
    ("factor", "shape", "tile", "items"),
    [
        (2, (1, 28, 28), (1, 14, 14), 4),
        (3, (1, 28, 28), (1, 10, 10), 7),
        (2, (3, 32, 32), (3, 16, 16), 4),
        (2, (2, 31), (2, 16), 1),
        (3, (1, 5, 7), (1, 2, 3), 5),
    ],
)
def test_items_in_the_bytes_of_one_signal(
    factor: int, shape: tuple[int, ...], tile: tuple[int, ...], items: int
) -> None:
    built = codec(factor, *shape)
    assert built.leaves()[0].shape == tile
    assert slots(cost_of(built.leaves(), "float32"), 10, built.target.cap_bytes) == items


@pytest.mark.parametrize(("factor", "shape"), [(2, (1, 28, 28)), (3, (1, 28, 28)), (2, (1, 12, 8)), (2, (1, 31))])
def test_a_step_moves_the_signal_as_far_as_a_pixels(factor: int, shape: tuple[int, ...]) -> None:
    """lr_scale·‖JJᵀ‖ is 1 for the identity."""
    built = codec(factor, *shape)
    (leaf,) = built.leaves()
    assert leaf.shape is not None
    basis = torch.eye(prod(leaf.shape), dtype=torch.float64).reshape(-1, *leaf.shape)
    jacobian = decode(built, {"x": basis}, LABELS.expand(len(basis))).flatten(1)
    step = leaf.lr_scale * np.linalg.norm(jacobian.numpy(), 2) ** 2
    assert 0.95 < step < 1.05


def test_scale_is_one_over_the_factor_a_dimension_where_it_divides() -> None:
    assert codec(2, 3, 32, 32).leaves()[0].lr_scale == 1 / 4
    assert codec(3, 2, 30).leaves()[0].lr_scale == 1 / 3


def test_flat_signals_come_back_and_noise_does_not() -> None:
    built, flat, noise = codec(3, 1, 28, 28), torch.full((1, 1, 28, 28), 0.7), raw(1, 1, 28, 28)
    for x, same in ((flat, True), (noise, False)):
        back = decode(built, built.encode(x, LABELS, {}), LABELS)
        assert torch.allclose(back, x, atol=1e-5) == same


def test_a_stripe_finer_than_the_tile_is_averaged_not_aliased() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(16)[None, None]
    tile = codec(2, 1, 32).encode(stripes, LABELS, {})["x"]
    assert isinstance(tile, torch.Tensor)
    assert torch.allclose(tile[..., 1:-1], torch.tensor(0.5))


def test_table_rows_are_refused() -> None:
    with pytest.raises(SpecError, match="'pca'"):
        Downsample(None, target(12))


def test_a_factor_below_two_is_refused() -> None:
    with pytest.raises(ValidationError):
        DownsampleConfig(factor=1)
