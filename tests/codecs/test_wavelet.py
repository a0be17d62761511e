"""The wavelet codec against published filters, one class and one item at a time, and against `dct`."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.dct import Dct, DctConfig
from ddbench_codecs.wavelet import Wavelet, WaveletConfig
from ddbench_codecs.wavelets import cdf97_inverse, cdf97_matrix
from small_cells import small_cell, small_folder

from ddbench import registry
from ddbench.engines.inline import Inline
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Target
from ddbench.interfaces.engine import Job

GENERATOR = torch.Generator()
AVERAGES = [0.026748757, -0.016864118, -0.078223266, 0.266864118, 0.602949018]
DETAILS = [0.091271763, -0.057543526, -0.591271763, 1.115087052]
"""Half of each symmetric filter, the centre last; sums 1 and 0 (JPEG 2000's normalisation)."""


def stored(codec: Codec, x: torch.Tensor, y: torch.Tensor) -> Codes:
    shared = codec.begin(x, y, GENERATOR)
    return shared | codec.encode(x, y, shared)


@pytest.mark.parametrize("n", [28, 31])
def test_one_level_is_the_published_pair_of_filters(n: int) -> None:
    """Symmetric filters on the mirrored signal, averages at even samples and details at odd ones."""
    matrix, low = cdf97_matrix(n, 1), -(-n // 2)
    for rows, half, first in ((matrix[:low], AVERAGES, 0), (matrix[low:], DETAILS, 1)):
        taps = [*half, *half[-2::-1]]
        gain = np.sqrt(2) if first == 0 else 1 / np.sqrt(2)
        for i, row in enumerate(rows):
            slow = np.zeros(n)
            for k, tap in enumerate(taps):
                at = abs(2 * i + first + k - len(half) + 1)
                slow[at if at < n else 2 * (n - 1) - at] += gain * tap
            np.testing.assert_allclose(row, slow, atol=1e-7)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 28, 32])
@pytest.mark.parametrize("levels", [1, 3, 9])
def test_any_length_comes_back(n: int, levels: int) -> None:
    matrix = cdf97_matrix(n, levels)
    np.testing.assert_allclose(cdf97_inverse(n, levels) @ matrix, np.eye(n), atol=1e-12)
    assert np.linalg.cond(matrix) < 3


def test_cubics_have_no_details_away_from_the_ends() -> None:
    t = np.linspace(-1, 1, 64)
    details = (cdf97_matrix(64, 1) @ (t**3 - 2 * t**2 + t - 3))[32:]
    np.testing.assert_allclose(details[2:-2], 0, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 9, 7), (2, 30), (1, 8, 8)])
@pytest.mark.parametrize("mask", ["class", "set"])
def test_masks_coefficients_and_signals(shape: tuple[int, ...], mask: Literal["class", "set"]) -> None:
    labels = [1, 0, 1, 2, 0, 1]
    codec = Wavelet(WaveletConfig(m=11, levels=2, mask=mask), target(*shape, n_classes=3))
    m = codec.m
    assert m in (10, 11), "but for the mask's bytes"
    x, y = raw(6, *shape), torch.tensor(labels)
    codes = stored(codec, x, y)
    found = decode(codec, codes, y)
    forward = cdf97_matrix(shape[1], 2)
    for n in shape[2:]:
        forward = np.kron(forward, cdf97_matrix(n, 2))
    inverse = np.linalg.inv(forward)
    flat = x.double().numpy().reshape(6, shape[0], -1) @ forward.T
    for k in range(3):
        members = [i for i in range(6) if labels[i] == k]
        sharing = members if mask == "class" else range(6)
        energy = np.mean([flat[i].mean(0) ** 2 for i in sharing], axis=0) * np.square(inverse).sum(0)
        kept = sorted(np.argsort(-energy, kind="stable")[:m])
        for i in members:
            np.testing.assert_allclose(codes["coefficients"][i], flat[i][:, kept], atol=1e-5)  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue]
            expected = (flat[i][:, kept] @ inverse[:, kept].T).reshape(shape)
            np.testing.assert_allclose(found[i], expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 8, 6), (1, 31)])
def test_no_step_moves_a_signal_further_than_a_pixels(shape: tuple[int, ...]) -> None:
    n = prod(shape)
    codec = Wavelet(WaveletConfig(keep=1), target(*shape, n_classes=1))
    assert codec.m == n
    y = torch.zeros(n, dtype=torch.int64)
    codes = stored(codec, raw(n, *shape), y)
    coefficients, _ = codec.leaves()
    jacobian = decode(codec, codes | {"coefficients": torch.eye(n)[:, None]}, y).flatten(1).numpy()
    assert coefficients.lr_scale * np.linalg.norm(jacobian, 2) ** 2 == pytest.approx(1, rel=1e-4)


def test_it_is_closer_than_dct_from_an_eighth_of_the_coefficients_on() -> None:
    """On real pictures, eight a class; below an eighth it is the other way round."""
    dataset = registry.build("dataset", "fashion_mnist_small")
    train, signal = dataset.load()[0], dataset.card().signal
    index = torch.cat([(train.labels == k).nonzero().flatten()[:8] for k in range(10)])
    x, y = signal.normalise(train.signals[index]), train.labels[index]
    where = Target(signal, 10, 2**24)

    def error(codec: Codec) -> float:
        return float((decode(codec, stored(codec, x, y), y) - x).square().mean())

    ratio = {m: error(Wavelet(WaveletConfig(m=m), where)) / error(Dct(DctConfig(m=m), where)) for m in (24, 98, 196)}
    assert ratio[24] > 1
    assert ratio[98] < 0.9
    assert ratio[196] < 0.75


def test_what_cannot_be_transformed_is_refused() -> None:
    with pytest.raises(SpecError, match="codec 'wavelet' transforms the axes"):
        Wavelet(None, target(12))
    with pytest.raises(SpecError, match="m = 17 coefficients"):
        Wavelet(WaveletConfig(m=17), target(1, 4, 4))


@pytest.mark.parametrize("method", ["random", "dm"])
def test_cells(method: str, tmp_path: Path) -> None:
    cell = small_cell("wavelet", method, epochs=1, codec_args={"keep": 0.25})
    folder = small_folder(tmp_path / "run", [cell])
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "ok", result.error
