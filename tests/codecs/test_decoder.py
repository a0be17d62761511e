"""The codec of a stored small decoder: the decoder against loops, its fit, its codes, its learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, source, target
from ddbench_codecs import autoencode
from ddbench_codecs.adam import Adam
from ddbench_codecs.blocks import in_blocks
from ddbench_codecs.counted import flop_of
from ddbench_codecs.decoder import Decoder, DecoderConfig
from ddbench_codecs.nearest import SLOPES, Nearest, curvature, slope
from ddbench_codecs.subpixel import Subpixel
from torch import Generator, Tensor

from ddbench import rng
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codes

SMALL: dict[str, Any] = {"width": 4, "fit_steps": 40}


def decoder(*shape: int, cap_bytes: int = 2**24, **args: Any) -> Decoder:
    return Decoder(DecoderConfig(**{**SMALL, **args}), target(*shape, cap_bytes=cap_bytes))


def waves(n: int, *shape: int) -> Tensor:
    """Raw signals of few degrees of freedom: a wave of random phase and frequency along the last axis."""
    draw = Generator().manual_seed(2)
    t = torch.linspace(0, 6, shape[-1])
    phase, frequency = (torch.rand(n, *(1,) * len(shape), generator=draw) for _ in range(2))
    return (0.5 + 0.4 * torch.sin((1 + frequency) * t + 6 * phase)).expand(n, *shape).contiguous()


def fitted(codec: Decoder, signals: Tensor) -> Codes:
    return codec.fit(source(codec, signals), Generator().manual_seed(0))


def silu(a: np.ndarray) -> np.ndarray:
    return a / (1 + np.exp(-a))


def conv_by_loops(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """3 × 3 cross-correlation `[i, h, w]` with `[o, i, 3, 3]`, zeros around."""
    _, h, w = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(kernel), h, w))
    for r in range(h):
        for c in range(w):
            out[:, r, c] = (kernel * padded[None, :, r : r + 3, c : c + 3]).sum((1, 2, 3))
    return out


def by_loops(net: Subpixel, v: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """One signal, patch by patch."""
    u = z if net.vector is None else (z @ v["head"]).reshape(net.map_shape)
    h, w = net.tile
    seen = np.concatenate([u, v["place"].reshape(-1, h, w)])
    a = silu(conv_by_loops(seen, v["first"].reshape(net.width, -1, 3, 3)) + v["first_bias"][:, None, None])
    own = np.stack([conv_by_loops(a[i : i + 1], v["depth"][i].reshape(1, 1, 3, 3))[0] for i in range(net.width)])
    a = a + silu(np.einsum("oi,ihw->ohw", v["point"], own) + v["point_bias"][:, None, None])
    p = np.einsum("oi,ihw->ohw", v["patch"], a) + v["patch_bias"][:, None, None]
    p = p + conv_by_loops(u, v["linear"].reshape(len(p), -1, 3, 3))
    f = net.factor
    out = np.zeros((net.channels, h * f, w * f))
    for r in range(h):
        for c in range(w):
            out[:, r * f : (r + 1) * f, c * f : (c + 1) * f] = p[:, r, c].reshape(net.channels, f, f)
    return out[:, : net.extent[0], : net.extent[1]]


@pytest.mark.parametrize("vector", [None, 3])
def test_the_decoder_is_what_its_docstring_says(vector: int | None) -> None:
    net = Subpixel(2, (7, 8), 3, 2, 3, 1, vector)
    draw = Generator().manual_seed(0)
    weights = {n: torch.randn(s, generator=draw, dtype=torch.float64) for n, s in net.shapes.items()}
    z = torch.randn(3, *net.code_shape, generator=draw, dtype=torch.float64)
    found = net(weights, z)
    for i in range(3):
        expected = by_loops(net, {n: w.numpy() for n, w in weights.items()}, z[i].numpy())
        np.testing.assert_allclose(found[i], expected, rtol=1e-9, atol=1e-9)


def test_a_series_is_decoded_as_an_image_of_one_row_would_be() -> None:
    """With zeros above and below, the middle row of 3 × 3 kernels is all that counts; sizes are those of one axis."""
    net = Subpixel(1, (20,), 4, 1, 2, 1, None)
    assert net.map_shape == (1, 5)
    assert net.shapes["patch"] == (4, 2)
    draw = Generator().manual_seed(0)
    weights = {n: torch.randn(s, generator=draw) for n, s in net.shapes.items()}
    z = torch.randn(2, 1, 5, generator=draw)
    assert net(weights, z).shape == (2, 1, 20)
    only = {n: torch.zeros_like(w) for n, w in weights.items()}
    only["linear"] = torch.zeros(4, 3)
    only["linear"][:, 1] = torch.arange(4.0)
    assert torch.equal(net(only, z)[0, 0], (z[0, 0][:, None] * torch.arange(4.0)).flatten())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="have 0"):
        decoder(12)
    with pytest.raises(SpecError, match="have 3"):
        decoder(1, 4, 4, 4)


@pytest.mark.parametrize("vector", [None, 4])
def test_a_fit_explains_signals_and_scales_codes(vector: int | None) -> None:
    codec = decoder(1, 12, 12, vector=vector, fit_steps=300, width=6)
    signals = waves(200, 1, 12, 12)
    shared = fitted(codec, signals)
    draw = Generator().manual_seed(0)
    x = autoencode.held(source(codec, signals), draw)
    unscaled = autoencode.fit_decoder(codec.network, x, draw, codec.config.fit_steps, codec.config.fit_lr)
    spread = torch.randn(SLOPES, *codec.network.code_shape, dtype=torch.float64, generator=scale_stream(codec))
    gain = float(torch.linalg.matrix_norm(mean_gain(codec, unscaled, spread), 2))
    of_codes = "linear" if vector is None else "head"
    torch.testing.assert_close(shared[of_codes], unscaled[of_codes] / gain**0.5, rtol=1e-4, atol=1e-6)
    new = codec.target.signal.normalise(waves(260, 1, 12, 12)[200:])
    y = torch.zeros(60, dtype=torch.int64)
    codes = codec.encode(new, y, shared)
    assert isinstance(codes["z"], Tensor)
    of_real = float(torch.linalg.matrix_norm(mean_gain(codec, shared, codes["z"][:16]), 2))
    assert 0.2 < of_real < 5, f"where codes are, a step moves signals {of_real:.3g} times as far as on pixels"
    back = decode(codec, shared | codes, y)
    mean = codec.target.signal.normalise(signals).mean(0)
    assert float((back - new).square().mean()) < 0.2 * float((new - mean).square().mean())
    again = fitted(codec, signals)
    assert all(torch.equal(w, again[n]) for n, w in shared.items() if isinstance(w, Tensor))


def scale_stream(codec: Decoder) -> Generator:
    return rng.generator("decoder-scale", shape=codec.network.code_shape)


def mean_gain(codec: Decoder, weights: Mapping[str, Any], codes: Tensor) -> Tensor:
    """E JJᵀ over codes, by PyTorch's own Jacobian."""
    exact = {n: weights[n].double() for n in codec.network.shapes}
    found = []
    for z in codes.double():
        j = torch.autograd.functional.jacobian(lambda z: codec.network(exact, z[None]).flatten(), z)
        assert isinstance(j, Tensor)
        j = j.flatten(1)  # signal × code
        found.append(j.T @ j)
    return torch.stack(found).mean(0)


def test_codes_are_those_that_a_general_minimiser_finds() -> None:
    from scipy.optimize import minimize

    codec = decoder(1, 8, 8, factor=4)
    shared = fitted(codec, waves(60, 1, 8, 8))
    x = codec.target.signal.normalise(waves(64, 1, 8, 8)[60:])
    z = codec.encode(x, torch.zeros(4, dtype=torch.int64), shared)["z"]
    assert isinstance(z, Tensor)
    weights = {n: w.double() for n, w in shared.items() if isinstance(w, Tensor)}

    def error(flat: np.ndarray, i: int) -> float:
        there = codec.network(weights, torch.from_numpy(flat).reshape(1, 1, 2, 2))[0]
        return float((there - x[i].double()).square().sum())

    for i in range(4):
        start = z[i].double().numpy().ravel()
        best = minimize(error, start, args=(i,), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).fun
        assert error(start, i) <= best * 1.02 + 1e-6


def test_an_item_alone_or_elsewhere_has_the_same_code() -> None:
    codec = decoder(1, 28, 28)
    signals = raw(70, 1, 28, 28)
    shared, x = fitted(codec, signals), codec.target.signal.normalise(signals)
    y = torch.zeros(70, dtype=torch.int64)

    def encoded(part: Tensor) -> Tensor:
        z = codec.encode(part, y[: len(part)], shared)["z"]
        assert isinstance(z, Tensor)
        return z

    whole = encoded(x)
    torch.testing.assert_close(encoded(x[66:67])[0], whole[66], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoded(x.flip(0)).flip(0), whole, rtol=1e-4, atol=1e-5)


def test_the_nearest_code_of_a_linear_decoder_is_least_squares() -> None:
    draw = Generator().manual_seed(4)
    j, offset = torch.randn(3, 10, generator=draw).double(), torch.randn(10, generator=draw).double()
    x = torch.randn(5, 10, generator=draw).double()

    def linear(z: Tensor) -> Tensor:
        return z @ j + offset

    np.testing.assert_allclose(slope(linear, torch.zeros(3).double()), j, atol=1e-8)
    np.testing.assert_allclose(curvature(linear, torch.randn(4, 3, generator=draw).double()), j @ j.T, atol=1e-7)
    found = Nearest(linear, (3,), x, 30)(x)
    np.testing.assert_allclose(found, np.linalg.lstsq(j.numpy().T, (x - offset).numpy().T, rcond=None)[0].T, atol=1e-8)


def test_the_nearest_code_is_found_where_the_decoder_is_flat_at_zero() -> None:
    """Fits may end so: on MNIST after 4,000 steps a start from the slope at zero left nearly all of the signal."""
    draw = Generator().manual_seed(5)
    j = torch.linalg.qr(torch.randn(10, 4, generator=draw).double()).Q.T * 0.6

    def flat(z: Tensor) -> Tensor:
        return (z**3 + 0.01 * z) @ j

    x = flat(torch.randn(200, 4, generator=draw).double())
    found = Nearest(flat, (4,), x, 20)(x)
    assert float((flat(found) - x).square().mean()) < 0.05 * float(x.square().mean())


@pytest.mark.parametrize("n", [0, 1, 4, 9])
def test_blocks_are_of_one_size(n: int) -> None:
    sizes: list[int] = []

    def double(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return 2 * x

    x = torch.randn(n, 2)
    assert torch.equal(in_blocks(double, x, 4), 2 * x)
    assert set(sizes) == {4}


def test_adam_is_the_algorithm() -> None:
    draw = np.random.default_rng(0)
    p = torch.tensor(draw.normal(size=5))
    slow, m, v = p.numpy().copy(), np.zeros(5), np.zeros(5)
    adam = Adam([p], 0.1, 20)
    for t in range(20):
        adam.descend([4 * p**3 - 1])
        g = 4 * slow**3 - 1
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        rate = 0.05 * (1 + np.cos(np.pi * t / 20))
        slow -= rate * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.99 ** (t + 1))) + 1e-8)
    np.testing.assert_allclose(p, slow, rtol=1e-10)


def test_more_signals_than_can_be_held_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, signals = decoder(1, 8, 8), raw(40, 1, 8, 8)
    assert len(autoencode.held(source(codec, signals), Generator().manual_seed(0))) == 40
    monkeypatch.setattr(autoencode, "MOST_VALUES", 10 * 64)
    some = autoencode.held(source(codec, signals), Generator().manual_seed(0))
    x = codec.target.signal.normalise(signals)
    assert len(some) == 10
    assert all(any(torch.equal(s, t) for t in x) for s in some)


def test_weights_are_payload_and_learned_only_where_asked() -> None:
    fixed = decoder(1, 8, 8).leaves()
    assert [x.name for x in fixed if x.learned] == ["z"]
    assert not any(x.side for x in fixed)
    few, many = (decoder(1, 8, 8, learn="both", cap_bytes=cap).leaves() for cap in (4000, 40000))
    assert all(x.learned for x in few)
    set_bytes = sum(x.row_bytes("float32")[0] for x in fixed if x.scope == "set")
    items = [(cap - set_bytes) // (2 * 16) * 2 for cap in (4000, 40000)]
    for a, b in zip(few[1:], many[1:]):
        assert a.lr_scale / b.lr_scale == pytest.approx(items[1] / items[0])


def test_rates_of_learned_weights_are_of_the_size_of_what_a_step_moves() -> None:
    """‖JJᵀ‖ of each tensor over all items of a fitted set, by the whole Jacobian, against its rate."""
    codec = decoder(1, 8, 8, learn="both", fit_steps=60, cap_bytes=2600)
    leaves = {x.name: x for x in codec.leaves()}
    m = (2600 - sum(x.row_bytes("float32")[0] for x in leaves.values() if x.scope == "set")) // 32 * 2
    assert m >= 8
    signals = waves(m, 1, 8, 8)
    shared = fitted(codec, signals.repeat(4, 1, 1, 1))
    y = torch.zeros(m, dtype=torch.int64)
    codes = shared | codec.encode(codec.target.signal.normalise(signals), y, shared)
    for name in codec.network.shapes:
        jacobian = torch.autograd.functional.jacobian(
            lambda leaf, name=name: decode(codec, codes | {name: leaf}, y).flatten(), codes[name]
        )
        assert isinstance(jacobian, Tensor)
        norm = float(torch.linalg.matrix_norm(jacobian.reshape(m * 64, -1), 2)) ** 2
        assert 1e-3 < norm * leaves[name].lr_scale < 5, f"{name}: {norm * leaves[name].lr_scale:.3g}"


def test_operations_of_a_code_are_those_that_solving_for_it_takes() -> None:
    codec, y = decoder(1, 12, 12, solve_steps=6), torch.zeros(128, dtype=torch.long)
    weights = codec.network.first(Generator().manual_seed(0))

    def encoding(m: int) -> float:
        return flop_of(lambda: codec.encode(torch.zeros(m, 1, 12, 12), y[:m], weights))

    said = codec.work()
    of_a_block = encoding(128) - encoding(64)  # less what is done once: random codes and slopes
    assert 0.9 < 64 * said.encode / of_a_block <= 1, "small products with the inverse of the curvature are not counted"
    codes = codec.encode(torch.zeros(64, 1, 12, 12), y[:64], weights) | weights
    assert flop_of(lambda: decode(codec, codes, y[:64])) == 64 * said.decode > 0
