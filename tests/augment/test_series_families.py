"""The families of series and rows against slow loops in float64, and what they leave alone."""

from __future__ import annotations

from math import erf, sqrt

import pytest
import torch

from ddbench.augment import apply, draw
from ddbench.augment.families import FAMILIES
from ddbench.augment.series import DROP, JITTER_SD, gaussian, hashed

SERIES = ("jitter", "magnitude", "timemask", "bandmask", "drop")
MASK64 = 2**64 - 1


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_uniform(u, i):
    """The i-th number of a draw: SplitMix64's finaliser in Python's unbounded whole numbers."""
    state = ((int(u[0] * 2**24) << 24) + int(u[1] * 2**24)) * 0xD1342543DE82EF95
    z = (state + (i + 1) * 0x9E3779B97F4A7C15) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return (((z ^ (z >> 31)) >> 40) + 0.5) / 2**24


def quantile(p):
    """Of N(0, 1), by bisection."""
    low, high = -8.0, 8.0
    for _ in range(80):
        mid = (low + high) / 2
        low, high = (mid, high) if (1 + erf(mid / sqrt(2))) / 2 < p else (low, mid)
    return low


def slow(family, item, u):
    """One item `[c, t]` under one operation, value by value."""
    c, t = item.shape
    out = item.clone()
    length_t, length_c = int(u[0] * (int(t / 5) + 1)), int(u[0] * (int(c / 3) + 1))
    start_t, start_c = int(u[1] * (t - length_t + 1)), int(u[1] * (c - length_c + 1))
    for k in range(c):
        for i in range(t):
            if family == "jitter":
                out[k, i] += 0.03 * quantile(slow_uniform(u, k * t + i))
            if family == "magnitude":
                out[k, i] *= 1 + 0.1 * quantile(slow_uniform(u, 0))
            hidden = {
                "timemask": start_t <= i < start_t + length_t,
                "bandmask": start_c <= k < start_c + length_c,
                "drop": slow_uniform(u, i) < 0.1,
            }
            if hidden.get(family):
                out[k, i] = 0
    return out


@pytest.mark.parametrize("family", SERIES)
def test_series_match_the_slow_routine_and_rows_share_their_draw(family):
    for seed in range(6):
        x = torch.randn(3, 2, 7, 11, dtype=torch.float64, generator=rng(seed))
        omega = draw(family, (7, 11), 3, rng(seed + 50), per_row_op=False)
        want = [torch.stack([slow(family, item, u) for item in row]) for row, u in zip(x, omega.groups[0].u.tolist())]
        torch.testing.assert_close(apply(omega, x), torch.stack(want), rtol=1e-9, atol=1e-7)


def test_real_and_synthetic_batches_of_other_sizes_meet_the_same_noise():
    omega = draw("jitter_drop", (4, 9), 5, rng(1), per_row_op=True)
    zeros, more = apply(omega, torch.ones(5, 1, 4, 9)), apply(omega, torch.ones(5, 3, 4, 9))
    assert torch.equal(zeros.expand(-1, 3, -1, -1), more)
    assert not torch.equal(zeros, torch.ones(5, 1, 4, 9))


def test_rows_of_a_table_have_noise_a_column_and_dropped_columns():
    x = torch.ones(400, 1, 6)
    dropped = apply(draw("drop", (6,), 400, rng(2), per_row_op=False), x)
    assert set(dropped.unique().tolist()) == {0.0, 1.0}
    assert abs(1 - dropped.mean().item() - DROP) < 0.02
    noise = apply(draw("jitter", (6,), 400, rng(3), per_row_op=False), x) - x
    assert abs(noise.std().item() - JITTER_SD) < 0.002
    assert noise.flatten(1).T.corrcoef().fill_diagonal_(0).abs().max() < 0.2


def test_hashed_numbers_are_uniform_and_normal_ones_normal():
    u = torch.rand(200, 3, generator=rng(4))
    values = hashed(u, 300)
    counts = torch.histc(values.float(), 20, 0, 1)
    assert ((counts - 3000) ** 2 / 3000).sum() < 43.8  # 0.1 % of chi-squared with 19 degrees of freedom lies above
    normal = gaussian(values)
    assert abs(normal.mean().item()) < 0.02
    assert abs(normal.std().item() - 1) < 0.02
    assert (normal[:, 1:] * normal[:, :-1]).mean().abs() < 0.02
    assert len(values.unique(dim=0)) == 200


@pytest.mark.parametrize("family", [n for n, f in FAMILIES.items() if f.in_place and 1 in f.axes])
def test_mask_and_padding_stay(family):
    lengths = torch.tensor([3, 9, 5])
    mask = (torch.arange(9) < lengths[:, None]).double()[:, None, None].expand(3, 2, 1, 9)
    x = torch.cat([torch.randn(3, 2, 4, 9, dtype=torch.float64, generator=rng(5)) * mask, mask], 2)
    seen = apply(draw(f"masked_{family}", (5, 9), 3, rng(6), per_row_op=True), x)
    assert torch.equal(seen[:, :, -1:], mask)
    assert bool((seen[:, :, :-1] == 0)[(mask == 0).expand(-1, -1, 4, -1)].all())
    changed = [apply(draw(f"masked_{family}", (5, 9), 3, rng(s), per_row_op=True), x) for s in range(4)]
    assert any(not torch.equal(c, x) for c in changed)


@pytest.mark.parametrize("family", SERIES)
def test_gradient(family):
    x = torch.randn(2, 2, 4, 6, dtype=torch.float64, generator=rng(), requires_grad=True)
    omega = draw(f"masked_{family}", (4, 6), 2, rng(2), per_row_op=True)
    assert torch.autograd.gradcheck(lambda v: apply(omega, v), (x,))
