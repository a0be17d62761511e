"""The neural-field codec: its network against loops in float64, its fits, its learning rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.counted import flop_of
from ddbench_codecs.gain import largest_gain
from ddbench_codecs.inr import Inr, InrConfig
from ddbench_codecs.sinusoidal import Sinusoidal, grid, widest
from torch import Generator, Tensor

from ddbench.artifact.rounding import restore_leaf, store_leaf
from ddbench.errors import SpecError
from ddbench.leaf import Storage


def inr(*shape: int, steps: int = 60, **args) -> Inr:
    return Inr(InrConfig(fit_steps=steps, **args), target(*shape))


def encoded(codec: Inr, x: Tensor) -> Tensor:
    w = codec.encode(x, torch.zeros(len(x), dtype=torch.int64), {})["w"]
    assert isinstance(w, Tensor)
    return w


def by_hand(w: np.ndarray, at: np.ndarray, hidden: int, layers: int, channels: int, omega0: float) -> np.ndarray:
    """One network at one point, as SIREN is defined, with hidden ω₀ = 7, which must not matter."""
    left, value = list(w), at
    for depth in range(layers + 1):
        n_out, n_in = (channels if depth == layers else hidden), len(value)
        bound = omega0 / math.sqrt(n_in) if depth == 0 else math.sqrt(6 / n_in) / 7
        weight = np.array([[left.pop(0) * bound for _ in range(n_in)] for _ in range(n_out)])
        bias = np.array([left.pop(0) for _ in range(n_out)])
        if depth == layers:
            return 7 * weight @ value + bias if depth else weight @ value + bias
        value = np.sin((7 if depth else 1) * (weight @ value) + np.pi * bias)
    raise AssertionError("the last layer returns")


@pytest.mark.parametrize(("axes", "channels", "layers"), [(2, 1, 3), (1, 2, 2), (3, 3, 1)])
def test_networks_are_those_of_the_definition(axes: int, channels: int, layers: int) -> None:
    network = Sinusoidal(axes, channels, 4, layers, 9.0)
    w = torch.randn(3, network.size, generator=Generator().manual_seed(1), dtype=torch.float64)
    at = grid((3, 2, 4)[:axes], w)
    found = network(w, at)
    for i in range(3):
        for p in range(len(at)):
            expected = by_hand(w[i].numpy(), at[p].numpy(), 4, layers, channels, 9.0)
            np.testing.assert_allclose(found[i, :, p], expected, rtol=1e-10, atol=1e-12)


def test_the_grid_is_the_centres_of_cells_in_the_order_of_flattening() -> None:
    expected = [[-0.5, -2 / 3], [-0.5, 0], [-0.5, 2 / 3], [0.5, -2 / 3], [0.5, 0], [0.5, 2 / 3]]
    np.testing.assert_allclose(grid((2, 3), torch.zeros(())), expected, atol=1e-7)
    np.testing.assert_allclose(grid((2,), torch.zeros(())), [[-0.5], [0.5]])


def test_first_outputs_have_the_variance_of_normalised_signals() -> None:
    network = Sinusoidal(2, 1, 64, 3, 20.0)
    draw = Generator().manual_seed(0)
    w = torch.stack([network.first(draw) for _ in range(50)])
    assert bool((w.abs() <= 1).all())
    assert float(network(w, grid((16, 16), w)).var()) == pytest.approx(1 + 1 / 3, rel=0.2)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 16), (2, 60)])
def test_share_gives_the_widest_network_that_fits(shape: tuple[int, ...]) -> None:
    codec = inr(*shape, share=0.25)
    (leaf,) = codec.leaves()
    room = math.prod(shape) // 4
    wider = Sinusoidal(len(shape) - 1, shape[0], codec.network.hidden + 1, 3)
    assert leaf.shape is not None
    assert leaf.shape[0] <= room < wider.size
    assert inr(*shape, hidden=5).network.hidden == 5
    assert codec.network.omega0 == pytest.approx(1.4 * (leaf.shape[0] / shape[0]) ** (1 / (len(shape) - 1)))
    assert inr(*shape, omega0=7.0).network.omega0 == 7
    assert widest(3, 2, 1, 3) is None


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="have 0"):
        inr(12)
    with pytest.raises(SpecError, match=r"has 9\. Give a larger share"):
        inr(1, 4, 4, share=0.1)


def test_fits_come_closer_than_a_resize_of_the_same_size() -> None:
    """A disc: edges that no smooth interpolation of a quarter of the samples can follow."""
    side = torch.linspace(-1, 1, 24)
    disc = (side[:, None].square() + side[None].square() < 0.4).float()[None, None]
    codec = inr(1, 24, 24, steps=400, share=0.25)
    x = codec.target.signal.normalise(disc)
    error = float((decode(codec, {"w": encoded(codec, x)}, torch.zeros(1, dtype=torch.int64)) - x).square().mean())
    small = torch.nn.functional.interpolate(x, (12, 12), mode="area")
    resized = torch.nn.functional.interpolate(small, (24, 24), mode="bilinear")
    assert error < 0.5 * float((resized - x).square().mean())


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 11), (2, 30)])
def test_an_item_alone_or_elsewhere_has_the_same_code(shape: tuple[int, ...]) -> None:
    codec = inr(*shape, hidden=5)
    x = codec.target.signal.normalise(raw(35, *shape))
    whole = encoded(codec, x)
    assert torch.equal(encoded(codec, x[33:34])[0], whole[33])
    assert torch.equal(encoded(codec, x.flip(0)).flip(0), whole)
    with torch.no_grad():
        assert torch.equal(encoded(codec, x[:3]), whole[:3])
    assert len({tuple(w.tolist()) for w in whole}) == 35


def test_the_learning_rate_is_the_inverse_of_the_largest_gain_over_a_margin() -> None:
    codec = inr(1, 7, 6, hidden=3)
    first = codec.first().double()
    at = grid((7, 6), first)
    jacobian = torch.autograd.functional.jacobian(lambda w: codec.network(w[None], at).flatten(), first)
    assert isinstance(jacobian, Tensor)
    expected = float(torch.linalg.matrix_norm(jacobian, 2)) ** 2
    assert largest_gain(lambda w: codec.network(w[None], at), first) == pytest.approx(expected, rel=0.05)
    assert codec.leaves()[0].lr_scale == pytest.approx(1 / (20 * expected), rel=0.05)


def test_the_gain_of_a_large_signal_is_measured_on_a_smaller_grid() -> None:
    large, small = (inr(1, n, 8, hidden=3) for n in (256, 64))
    assert large.gain == pytest.approx(4 * small.gain)
    first = large.first().double()
    whole = largest_gain(lambda w: large.network(w[None], grid((256, 8), first)), first)
    assert large.gain == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize(("storage", "far"), [("float16", 0.02), ("uint8", 0.6)])
def test_rounded_weights_still_give_the_signal(storage: Storage, far: float) -> None:
    codec = inr(1, 16, 16, steps=200, hidden=8)
    x = codec.target.signal.normalise(raw(4, 1, 16, 16).cumsum(2).cumsum(3) / 64)
    (leaf,) = codec.leaves()
    w, y = encoded(codec, x), torch.zeros(4, dtype=torch.int64)
    read = restore_leaf(leaf, store_leaf(leaf, w, storage), storage)
    exact, rounded = decode(codec, {"w": w}, y), decode(codec, {"w": read}, y)
    assert 0 < float((rounded - exact).square().mean().sqrt()) < far * float(x.std())


def test_operations_of_a_fit_are_those_that_it_does() -> None:
    codec = Inr(InrConfig(hidden=8, layers=3, fit_steps=5), target(2, 8, 8))
    y = torch.zeros(32, dtype=torch.long)  # a whole block
    said, x = codec.work(), torch.randn(32, 2, 8, 8, generator=Generator().manual_seed(0))
    # no gradient goes back to the coordinates: a third of the first layer's 16 of 160 products is not done
    assert flop_of(lambda: codec.encode(x, y, {})) / (32 * said.encode) == pytest.approx(1 - 16 / 160 / 3)
    codes = codec.encode(x, y, {})
    assert flop_of(lambda: decode(codec, codes, y)) == 32 * said.decode > 0
