"""Measures of reconstruction and the Fréchet distance against slow ones in float64."""

from __future__ import annotations

from math import exp, log10, sqrt

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from ddbench.codec_report.fidelity import figures, measures_of
from ddbench.codec_report.frechet import frechet_distance
from ddbench.codec_report.ssim import ssim
from ddbench.interfaces.signal import SignalSpec

MAPS = SignalSpec((2, 13, 12), (0.4, 0.6), (0.2, 0.3), 0.0, 1.0)


def pair(p: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(p, *MAPS.shape, generator=draw)
    return x, x + 0.2 * torch.randn(x.shape, generator=draw)


def slow_ssim(a: np.ndarray, b: np.ndarray, span: float) -> float:
    """One map of one channel, window by window."""
    w = np.array([[exp(-((i - 5) ** 2 + (j - 5) ** 2) / (2 * 1.5**2)) for j in range(11)] for i in range(11)])
    w /= w.sum()
    found = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            u, v = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mu, mv = (w * u).sum(), (w * v).sum()
            vu, vv, c = (w * (u - mu) ** 2).sum(), (w * (v - mv) ** 2).sum(), (w * (u - mu) * (v - mv)).sum()
            c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
            found.append((2 * mu * mv + c1) * (2 * c + c2) / ((mu**2 + mv**2 + c1) * (vu + vv + c2)))
    return float(np.mean(found))


def test_ssim_is_the_slow_one() -> None:
    a, b = (t.double() * 3 for t in pair())
    slow = [np.mean([slow_ssim(u.numpy(), v.numpy(), 3.0) for u, v in zip(x, y)]) for x, y in zip(a, b)]
    assert ssim(a, b, 3.0).tolist() == pytest.approx(slow, abs=1e-12)
    assert ssim(a, a, 3.0).tolist() == pytest.approx([1.0] * 3)


def test_figures_are_means_over_signals_of_clipped_raw_values() -> None:
    x, back = pair()
    back[1] = x[1]
    found = figures(MAPS, MAPS.normalise(x), MAPS.normalise(back))
    x64, back64 = x.double().numpy(), back.double().clamp(0, 1).numpy()
    slow = [10 * log10(1 / np.mean((u - v) ** 2)) for u, v in zip(x64[[0, 2]], back64[[0, 2]])]
    assert found["psnr_db"].mean == pytest.approx(np.mean(slow), abs=1e-4)
    assert found["psnr_db"].exact == 1
    unclipped = (back.double().numpy() - x64) / np.array([0.2, 0.3])[:, None, None]
    assert found["nrmse"].mean == pytest.approx(np.mean([sqrt(np.mean(e**2)) for e in unclipped]), abs=1e-6)
    similar = [np.mean([slow_ssim(u, v, 1.0) for u, v in zip(a, b)]) for a, b in zip(x64, back64)]
    assert found["ssim"].mean == pytest.approx(np.mean(similar), abs=1e-5)


def test_no_error_is_exact_and_no_number() -> None:
    x = MAPS.normalise(pair()[0])
    found = figures(MAPS, x, x.clone())
    assert found["psnr_db"].mean is None
    assert found["psnr_db"].exact == 3
    assert found["nrmse"].mean == 0.0


@pytest.mark.parametrize(
    ("shape", "low", "names"),
    [
        ((1, 28, 28), 0.0, ["psnr_db", "ssim", "nrmse"]),
        ((1, 8, 8), 0.0, ["psnr_db", "nrmse"]),
        ((1, 28, 28), None, ["nrmse"]),
        ((2, 40), 0.0, ["nrmse"]),
        ((30,), None, ["nrmse"]),
    ],
)
def test_measures_say_which_signals_they_are_for(shape: tuple[int, ...], low: float | None, names: list[str]) -> None:
    spec = SignalSpec(shape, (0.0,) * shape[0], (1.0,) * shape[0], low, None if low is None else 1.0)
    assert [m.name for m in measures_of(spec)] == names


@pytest.mark.parametrize(("n", "d"), [(60, 7), (6, 9), (40, 1)])
def test_frechet_distance_is_that_of_sqrtm(n: int, d: int) -> None:
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(n, d)) @ draw.normal(size=(d, d)), draw.normal(size=(n + 5, d)) + 0.3
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    root = np.real(sqrtm((first @ second).astype(complex)))
    slow = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(slow, rel=1e-4 if n < d else 1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8 * np.trace(first))
    with pytest.raises(ValueError, match="two signals"):
        frechet_distance(a[:1], b)
