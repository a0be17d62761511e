"""The layers written out for CPUs against PyTorch's own: values, and first to third derivatives, alone and batched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ddbench.networks.cpu_layers import AvgPool, InstanceNorm


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


def layers(channels: int) -> tuple[nn.Module, nn.Module]:
    """(ours, PyTorch's) instance norm with the same gains and shifts."""
    ours, theirs = InstanceNorm(channels).double(), nn.GroupNorm(channels, channels).double()
    with torch.no_grad():
        ours.weight.copy_(maps(channels, seed=5))
        ours.bias.copy_(maps(channels, seed=6))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def derivatives(layer: nn.Module, x: Tensor, orders: int) -> list[Tensor]:
    """The layer's values and the derivatives of a scalar of them, of a scalar of those, and so on."""
    x = x.clone().requires_grad_()
    leaves = [x, *layer.parameters()]
    y = layer(x)
    found, scalar = [y], (y.sin() * weights(y)).sum()
    for _ in range(orders):
        slopes = torch.autograd.grad(scalar, leaves, create_graph=True)
        found += slopes
        scalar = sum((s.sin() * weights(s)).sum() for s in slopes)
    return [f.detach() for f in found]


def weights(like: Tensor) -> Tensor:
    return torch.linspace(-1, 2, like.numel(), dtype=like.dtype).view_as(like)


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        size = max(1.0, float(b.abs().max()))
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-10 * size), float((a - b).abs().max()) / size


@pytest.mark.parametrize("shape", [(3, 4, 6, 4), (2, 3, 5, 7), (1, 2, 1, 2), (2, 3, 9)])
def test_instance_norm_is_pytorchs_with_three_derivatives(shape: tuple[int, ...]) -> None:
    ours, theirs = layers(shape[1])
    assert_same(derivatives(ours, maps(*shape), 3), derivatives(theirs, maps(*shape), 3))


@pytest.mark.parametrize("shape", [(3, 4, 6, 4), (2, 3, 5, 7), (1, 1, 2, 3)])
def test_pooling_is_pytorchs_with_three_derivatives(shape: tuple[int, ...]) -> None:
    assert_same(derivatives(AvgPool(), maps(*shape), 3), derivatives(nn.AvgPool2d(2), maps(*shape), 3))


def test_instance_norm_is_its_definition() -> None:
    ours, _ = layers(3)
    x = maps(2, 3, 4, 4)
    for i in range(2):
        for c in range(3):
            of_map = x[i, c].flatten().tolist()
            mean = sum(of_map) / 16
            var = sum((value - mean) ** 2 for value in of_map) / 16
            expected = ours.weight[c] * (x[i, c] - mean) / (var + 1e-5) ** 0.5 + ours.bias[c]
            assert torch.allclose(ours(x)[i, c], expected, rtol=1e-12)


def test_second_derivative_is_that_of_finite_differences() -> None:
    net = nn.Sequential(layers(2)[0], AvgPool())
    parameters = list(net.parameters())

    def of(x: Tensor, *theta: Tensor) -> Tensor:
        return functional_call(net, {"0.weight": theta[0], "0.bias": theta[1]}, (x,)).sin()

    leaves = tuple(t.detach().clone().requires_grad_() for t in (maps(2, 2, 4, 4), *parameters))
    assert torch.autograd.gradgradcheck(of, leaves)


def test_values_without_a_graph_are_those_with_one() -> None:
    ours, _ = layers(4)
    x = maps(3, 4, 6, 6)
    with torch.no_grad():
        bare = AvgPool()(ours(x))
    assert torch.equal(AvgPool()(ours(x)).detach(), bare)


def test_memory_formats_and_precision_do_not_matter() -> None:
    ours, theirs = layers(4)
    x = maps(3, 4, 6, 6).to(memory_format=torch.channels_last)
    assert_same(derivatives(ours, x, 2), derivatives(theirs, x, 2))
    half = maps(3, 4, 6, 6).float()
    gap = (AvgPool()(ours.float()(half)) - nn.AvgPool2d(2)(theirs.float()(half))).detach()
    assert float(gap.abs().max()) < 2e-6


def test_students_batched_over_their_weights_get_each_ones_gradients() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), InstanceNorm(4), nn.ReLU(), AvgPool()).double()
    x, students = maps(3, 5, 1, 6, 6), 3
    stacked = {n: maps(students, *p.shape, seed=i).requires_grad_() for i, (n, p) in enumerate(net.named_parameters())}
    y = vmap(lambda theta, of_one: functional_call(net, theta, (of_one,)), randomness="error")(stacked, x)
    found = torch.autograd.grad(y.sin().sum(), list(stacked.values()))
    for i in range(students):
        own = {n: p[i].detach().requires_grad_() for n, p in stacked.items()}
        expected = torch.autograd.grad(functional_call(net, own, (x[i],)).sin().sum(), list(own.values()))
        assert_same([f[i] for f in found], list(expected))
