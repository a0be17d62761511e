"""The three gradient distances against their definitions, row by row."""

from __future__ import annotations

import pytest
import torch
from ddbench_methods.gradient_distance import DISTANCES, cos, mse, ours
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_dc import slow_distance
from slow_match import assert_near
from torch import Generator, Tensor

SHAPES = {
    "convolution": (4, 2, 3, 3),
    "series": (5, 2, 3),
    "linear": (3, 7),
    "layer norm": (4, 6, 6),
    "bias": (4,),
    "scale": (),
}


def gradients(shapes: list[tuple[int, ...]], K: int, seed: int) -> list[Tensor]:
    draw = Generator().manual_seed(seed)
    return [torch.randn(K, *shape, generator=draw, dtype=torch.float64) for shape in shapes]


@settings(max_examples=25, deadline=None)
@given(
    K=st.integers(1, 3),
    names=st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=5),
    kind=st.sampled_from(sorted(DISTANCES)),
    seed=st.integers(0, 10**6),
)
def test_distances_are_those_of_the_definition(K: int, names: list[str], kind: str, seed: int) -> None:
    shapes = [SHAPES["linear"], *(SHAPES[n] for n in names if n != "scale")]
    real, synthetic = gradients(shapes, K, seed), gradients(shapes, K, seed + 1)
    found = DISTANCES[kind](real, synthetic)
    assert found.shape == (K,)
    for k in range(K):
        expected = slow_distance([g[k] for g in real], [g[k] for g in synthetic], kind)
        assert_near(found[k], expected, rtol=1e-12, atol=1e-12)


def test_one_dimensional_tensors_count_nothing_in_ours_only() -> None:
    shapes = [SHAPES["convolution"], SHAPES["bias"]]
    real, synthetic = gradients(shapes, 2, 0), gradients(shapes, 2, 1)
    moved = [synthetic[0], synthetic[1] + 5]
    assert torch.equal(ours(real, synthetic), ours(real, moved))
    for distance in (mse, cos):
        assert not torch.allclose(distance(real, synthetic), distance(real, moved))


def test_known_values() -> None:
    """Opposite, orthogonal and equal rows: 2 + 1 + 0; squares summed, not averaged."""
    real = [torch.tensor([[[1.0, 0], [0, 2], [3, 4]]], dtype=torch.float64)]
    synthetic = [torch.tensor([[[-5.0, 0], [7, 0], [6, 8]]], dtype=torch.float64)]
    assert float(ours(real, synthetic)) == pytest.approx(3, abs=1e-6)
    assert float(mse(real, synthetic)) == pytest.approx(36 + 49 + 4 + 9 + 16)
    assert float(cos(real, synthetic)) == pytest.approx(1 - 45 / (30**0.5 * 174**0.5))


@pytest.mark.parametrize("kind", ["ours", "cos"])
def test_rows_of_zeros_leave_the_gradient_finite(kind: str) -> None:
    """Units that are never active: their row costs 1 and pulls nowhere."""
    real = gradients([(3, 4)], 1, 0)
    synthetic = torch.zeros(1, 3, 4, dtype=torch.float64, requires_grad=True)
    loss = DISTANCES[kind](real, [synthetic]).sum()
    assert float(loss.detach()) == (3 if kind == "ours" else 1)
    (slope,) = torch.autograd.grad(loss, synthetic)
    assert bool(slope.isfinite().all())
