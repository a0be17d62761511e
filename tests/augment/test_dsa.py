"""DSA against slow loops in float64 that share no code with it."""

from __future__ import annotations

from math import cos, floor, pi, sin

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.augment import Draw, apply, draw, families, stream
from ddbench.augment.dsa import Group
from ddbench.errors import SpecError

ALL = "color_crop_cutout_flip_scale_rotate"
SERIES = "crop_cutout_scale"


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def bilinear(plane, row, column):
    """Value of a plane (list of rows) at fractional pixel coordinates, 0 outside."""
    total = 0.0
    for i in (floor(row), floor(row) + 1):
        for j in (floor(column), floor(column) + 1):
            if 0 <= i < len(plane) and 0 <= j < len(plane[0]):
                total += plane[i][j] * (1 - abs(row - i)) * (1 - abs(column - j))
    return total


def slow(family, item, u):
    """One item `[c, h, w]` under one operation, pixel by pixel."""
    c, h, w = item.shape
    out = torch.zeros_like(item)
    planes = item.tolist()
    everywhere = [(k, i, j) for k in range(c) for i in range(h) for j in range(w)]
    if family == "color":
        out = item + (u[0] - 0.5)
        for i in range(h):
            for j in range(w):
                m = sum(out[k, i, j].item() for k in range(c)) / c
                for k in range(c):
                    out[k, i, j] = (out[k, i, j] - m) * 2 * u[1] + m
        m = sum(out[k, i, j].item() for k, i, j in everywhere) / (c * h * w)
        return (out - m) * (u[2] + 0.5) + m
    if family == "crop":
        places = [2 * floor(s / 8 + 0.5) + 1 for s in (w, h)]
        dx, dy = (floor(v * p) - p // 2 for v, p in zip(u, places))
        for k, i, j in everywhere:
            if 0 <= i + dy < h and 0 <= j + dx < w:
                out[k, i, j] = planes[k][i + dy][j + dx]
    if family == "cutout":
        start, stop = [], []
        for v, s in zip(u, (w, h)):
            side = floor(s / 2 + 0.5)
            centre = floor(v * (s + (1 if side % 2 == 0 else 0)))
            start.append(centre - side // 2)
            stop.append(start[-1] + side)
        for k, i, j in everywhere:
            out[k, i, j] = 0 if start[0] <= j < stop[0] and start[1] <= i < stop[1] else planes[k][i][j]
    if family == "flip":
        for k, i, j in everywhere:
            out[k, i, j] = planes[k][i][w - 1 - j] if u[0] < 0.5 else planes[k][i][j]
    if family in ("scale", "rotate"):
        for k, i, j in everywhere:
            x, y = j - (w - 1) / 2, i - (h - 1) / 2  # pixels from the centre
            if family == "scale":
                x, y = x * (5 / 6 + u[0] * 11 / 30), y * (5 / 6 + u[1] * 11 / 30)
            else:
                a = (2 * u[0] - 1) * 15 * pi / 180
                x, y = x * cos(a) - y * sin(a), x * sin(a) + y * cos(a)
            out[k, i, j] = bilinear(planes[k], y + (h - 1) / 2, x + (w - 1) / 2)
    return out


@given(
    family=st.sampled_from(ALL.split("_")),
    shape=st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 9), st.integers(1, 9)),
    rows=st.integers(1, 3),
    n=st.integers(1, 2),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_maps_match_the_slow_routine(family, shape, rows, n, seed):
    x = torch.randn(rows, n, *shape, dtype=torch.float64, generator=rng(seed))
    omega = draw(family, shape, rows, rng(seed + 1), per_row_op=False)
    u = omega.groups[0].u.tolist()
    want = torch.stack([torch.stack([slow(family, x[r, i], u[r]) for i in range(n)]) for r in range(rows)])
    torch.testing.assert_close(apply(omega, x), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", SERIES.split("_"))
def test_a_series_is_a_map_of_height_one(family):
    x = torch.randn(5, 2, 3, 11, dtype=torch.float64, generator=rng())
    omega = draw(family, (3, 11), 5, rng(1), per_row_op=False)
    for r, u in enumerate(omega.groups[0].u.tolist()):
        # The vertical draw 5/11 means a scale of 1, no shift, and a hole as high as the map.
        want = torch.stack([slow(family, item[:, None], [u[0], 5 / 11, 0])[:, 0] for item in x[r]])
        torch.testing.assert_close(apply(omega, x)[r], want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", ALL.split("_"))
def test_gradient(family):
    x = torch.randn(2, 2, 2, 4, 5, dtype=torch.float64, generator=rng(), requires_grad=True)
    omega = draw(family, (2, 4, 5), 2, rng(2), per_row_op=True)
    assert torch.autograd.gradcheck(lambda v: apply(omega, v), (x,))


def test_rows_with_their_own_operations_come_back_in_order_and_share_their_draw():
    shape, rows = (3, 8, 6), 12
    omega = draw(ALL, shape, rows, rng(3), per_row_op=True)
    assert len(omega.groups) > 2
    item = torch.randn(*shape, dtype=torch.float64, generator=rng(4))
    got = apply(omega, item.expand(rows, 2, *shape))
    for group in omega.groups:
        for row, u in zip(group.rows.tolist(), group.u.tolist()):
            torch.testing.assert_close(got[row, 0], slow(group.family, item, u), rtol=1e-9, atol=1e-9)
    assert torch.equal(got[:, 0], got[:, 1])
    more = apply(omega, item.expand(rows, 5, *shape))  # the same draw on a batch of another size
    torch.testing.assert_close(more[:, 4], got[:, 0])


def test_students_share_the_operation_and_draw_parameters_a_sample():
    for seed in range(20):
        omega = draw(ALL, (1, 8, 8), 6, rng(seed), per_row_op=False)
        assert len(omega.groups) == 1
        assert omega.groups[0].rows is None
        assert len(omega.groups[0].u.unique(dim=0)) == 6


@pytest.mark.parametrize("per_row_op", [True, False])
def test_operations_are_uniform(per_row_op):
    counts = dict.fromkeys(ALL.split("_"), 0)
    generator = rng(5)
    for _ in range(60 if per_row_op else 3000):
        for group in draw(ALL, (3, 8, 8), 50, generator, per_row_op=per_row_op).groups:
            counts[group.family] += len(group.rows) if group.rows is not None else 1
    total = sum(counts.values())
    assert total == 3000
    chi2 = sum((n - total / 6) ** 2 / (total / 6) for n in counts.values())
    assert chi2 < 20.5  # 0.1 % of the chi-squared distribution with 5 degrees of freedom lies above


def test_crop_reaches_every_shift_equally_and_no_other():
    x = torch.zeros(4000, 1, 1, 1, 28)
    x[..., 14] = 1
    where = apply(draw("crop", (1, 1, 28), 4000, rng(6), per_row_op=False), x).argmax(-1).flatten() - 14
    counts = torch.bincount(where + 4, minlength=9)
    assert len(counts) == 9
    assert counts.min() > 350
    assert counts.max() < 540


def test_stream_repeats_and_is_cut_to_smaller_batches():
    first, again = (stream(ALL, (1, 6, 6), 4, rng(7)) for _ in range(2))
    x = torch.randn(4, 1, 1, 6, 6, generator=rng(8))
    seen = set()
    for _ in range(70):
        a, b = next(first), next(again)
        seen.add(a.groups[0].family)
        assert torch.equal(apply(a, x), apply(b, x))
        if a.groups[0].family != "color":
            assert torch.equal(apply(a, x[:3]), apply(a, x)[:3])
    assert seen == set(ALL.split("_"))


def test_nothing_to_do():
    x = torch.randn(3, 2, 7)
    assert apply(draw("", (7,), 3, rng(), per_row_op=True), x) is x
    assert apply(next(stream("", (7,), 3, rng())), x) is x


def test_one_channel_has_no_saturation():
    x = torch.randn(2, 3, 1, 4, 4, generator=rng())
    outs = []
    for saturation in (0.0, 0.9):
        u = torch.tensor([[0.3, saturation, 0.6]]).expand(2, 3)
        outs.append(apply(Draw(2, (Group("color", None, u),)), x))
    assert torch.equal(*outs)


@pytest.mark.parametrize(
    ("strategy", "shape", "says"),
    [
        ("crop_rotat", (1, 8, 8), "Did you mean 'rotate'"),
        ("color_crop", (3, 50), "They take 'crop_cutout_scale_jitter_"),
        ("crop", (30,), "They take 'jitter_drop'"),
        ("crop", (1, 2, 3, 4), "give ''"),
        ("masked_jitter_crop", (3, 30), "asks for crop, .* masked signals .* 'cutout_jitter_"),
    ],
)
def test_what_does_not_fit_is_refused(strategy, shape, says):
    with pytest.raises(SpecError, match=says):
        families(strategy, shape)


def test_a_batch_of_other_rows_is_a_mistake():
    with pytest.raises(ValueError, match="4 rows were drawn"):
        apply(draw("crop_flip", (1, 8, 8), 4, rng(1), per_row_op=True), torch.zeros(3, 1, 1, 8, 8))
