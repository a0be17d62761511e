"""The codec of curved coordinates for rows: decoder and slope against NumPy, its codes, its bytes, what it is for."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from codec_helpers import decode, source, target
from ddbench_codecs.autoencoder_rows import AutoencoderRows, AutoencoderRowsConfig
from ddbench_codecs.hidden import Hidden
from ddbench_codecs.items import dense
from ddbench_codecs.pca import Pca, PcaConfig
from torch import Generator, Tensor

from ddbench.cost import cost_of
from ddbench.interfaces.codec import Codes
from ddbench.testing.codecs import CodecContract


class TestContract(CodecContract):
    codec = AutoencoderRows
    args: ClassVar[dict[str, Any]] = {"fit_steps": 20}
    shapes = ((12,), (30,), (2, 30))


def codec(**args: Any) -> AutoencoderRows:
    return AutoencoderRows(AutoencoderRowsConfig(**{"fit_steps": 400, **args}), target(10))


def arc(n: int, seed: int = 0) -> Tensor:
    """Rows on a curve: one number tells all ten."""
    t = 4 * torch.rand(n, 1, generator=Generator().manual_seed(seed)) - 2
    return torch.cat([torch.sin(t + i) if i % 2 else torch.cos(t * (1 + i / 10)) for i in range(10)], 1)


def fitted(codec: AutoencoderRows) -> tuple[Codes, Tensor, Tensor]:
    shared = codec.fit(source(codec, arc(300)), Generator().manual_seed(0))
    new, y = codec.target.signal.normalise(arc(70, seed=1)), torch.zeros(70, dtype=torch.int64)
    return shared, new, y


def weights(k: int = 2, h: int = 3, d: int = 5) -> Hidden:
    draw = Generator().manual_seed(0)
    return Hidden(*(torch.randn(s, generator=draw, dtype=torch.float64) for s in ((k, h), (h,), (h, d), (d,))))


def test_the_decoder_is_its_formula_and_its_slope_the_derivative() -> None:
    net, z = weights(), torch.randn(4, 2, generator=Generator().manual_seed(1), dtype=torch.float64)
    a, a0, w, b = (part.numpy() for part in net)
    for row, found, slope in zip(z.numpy(), net(z).numpy(), net.slope(z).numpy()):
        inner = [np.tanh(a0[j] + sum(row[i] * a[i, j] for i in range(2))) for j in range(3)]
        expected = [b[q] + sum(inner[j] * w[j, q] for j in range(3)) for q in range(5)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        steep = [1 - inner[j] ** 2 for j in range(3)]
        by_loops = [[sum(a[i, j] * steep[j] * w[j, q] for j in range(3)) for q in range(5)] for i in range(2)]
        np.testing.assert_allclose(slope, by_loops, rtol=1e-12)


def test_the_code_is_the_nearest_of_all() -> None:
    net = weights(k=1, h=3)
    x = torch.randn(20, 5, generator=Generator().manual_seed(2), dtype=torch.float64)
    error = (net(net.nearest(x, 30)) - x).square().sum(1)
    end = 4 * 5**0.5
    grid = torch.linspace(-end, end, 60_001, dtype=torch.float64)[:, None]
    least = torch.stack([(net(grid) - row).square().sum(1).min() for row in x])
    assert bool((error <= least + 1e-6).all())


def test_a_code_does_not_depend_on_where_its_item_stands() -> None:
    made = codec()
    shared, new, y = fitted(made)
    z = made.encode(new, y, shared)["z"]
    alone = made.encode(new[69:], y[69:], shared)["z"]
    assert isinstance(z, Tensor)
    assert isinstance(alone, Tensor)
    assert torch.equal(z[69:], alone)


def test_one_curved_coordinate_is_nearer_to_a_curve_than_one_component() -> None:
    made = codec(hidden=8, fit_steps=2000)
    shared, new, y = fitted(made)
    error = (decode(made, shared | made.encode(new, y, shared), y) - new).square().mean()
    pca = Pca(PcaConfig(components=1), target(10))
    straight = pca.fit(source(pca, arc(300)), Generator())
    line = (decode(pca, straight | pca.encode(new, y, straight), y) - new).square().mean()
    assert float(error) < 0.25 * float(line)


def test_a_step_on_codes_moves_rows_as_far_as_one_on_values() -> None:
    made = codec()
    shared, new, y = fitted(made)
    z = made.encode(new, y, shared)["z"]
    assert isinstance(z, Tensor)
    moved = (
        torch.linalg.matrix_norm(Hidden(*(dense(shared, name) for name in Hidden._fields)).slope(z), 2)
        .square()
        .mean()
        .sqrt()
    )
    assert float(moved) == pytest.approx(1, abs=0.15)


def test_every_weight_is_charged() -> None:
    made = codec(components=2, hidden=3)
    cost = cost_of(made.leaves(), "float16")
    assert (cost.item, cost.per_set) == (2 * 2, 2 * ((2 + 1) * 3 + (3 + 1) * 10))
