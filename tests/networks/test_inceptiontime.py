"""InceptionTime against its definition in loops, at every length."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from slow_layers import Weights, instance_norm, relu

from ddbench import registry
from ddbench.errors import SpecError
from ddbench.interfaces.network import fresh


def build(shape, classes=3, **args):
    return fresh(registry.build("network", "inceptiontime", args), shape, classes, 0, "cpu")


def conv(x, weight):
    """'Same' convolution of one series, position by position."""
    size, length = weight.shape[2], x.shape[1]
    padded = np.pad(x, ((0, 0), (size // 2, size // 2)))
    return np.stack([(weight * padded[:, i : i + size]).sum((1, 2)) for i in range(length)], 1)


def slow(model, x, depth, kernels):
    taken = Weights(model)
    modules = []
    for i in range(depth):
        bottleneck = taken.take(1) if i or len(x) > 1 else None
        modules.append((bottleneck, taken.take(kernels), taken.take(1), taken.take(2)))
    shortcuts = [taken.take(3) for _ in range(depth // 3)]
    head, shift = taken.take(2)
    first = x
    for i, (bottleneck, branches, (pooled,), (gain, bias)) in enumerate(modules, 1):
        narrow = conv(x, bottleneck[0]) if bottleneck else x
        wide = np.pad(x, ((0, 0), (1, 1)), constant_values=-np.inf)
        highest = np.stack([wide[:, j : j + 3].max(1) for j in range(x.shape[1])], 1)
        parts = np.concatenate([*(conv(narrow, w) for w in branches), conv(highest, pooled)])
        x = relu(instance_norm(parts, gain, bias))
        if i % 3 == 0:
            weight, gain, bias = shortcuts[i // 3 - 1]
            x = first = relu(instance_norm(conv(first, weight), gain, bias) + x)
    return head @ x.mean(1) + shift


@pytest.mark.parametrize("channels", [1, 4])
def test_it_is_what_is_published(channels):
    model = build((channels, 17), width=3, depth=7, kernels=[9, 5, 3])
    x = torch.randn(2, channels, 17, generator=torch.Generator().manual_seed(1))
    want = np.stack([slow(model, item.double().numpy(), 7, 3) for item in x])
    np.testing.assert_allclose(model(x).detach().numpy(), want, atol=1e-4)


def test_its_size_at_the_published_arguments():
    # §3 of the paper with odd kernels: bottleneck, three convolutions, pooled branch, norm; two shortcuts; head
    first = 1 * 32 * (39 + 19 + 9) + 32 + 256
    other = 128 * 32 + 32 * 32 * (39 + 19 + 9) + 128 * 32 + 256
    shortcuts = (1 + 128) * 128 + 2 * 256
    model = build((1, 100), 5, norm="batch")
    assert sum(p.numel() for p in model.parameters()) == first + 5 * other + shortcuts + 128 * 5 + 5


@pytest.mark.parametrize("shape", [(1, 2), (13, 29), (2, 361)])
@pytest.mark.parametrize("norm", ["none", "instance", "batch", "layer", "group"])
def test_every_length_and_norm(shape, norm):
    model = build(shape, norm=norm, width=4, depth=4)
    x = torch.randn(3, *shape)
    assert model(x).shape == (3, 3)
    assert model.embed(x).shape == (3, 16)


def test_what_does_not_fit_is_a_message():
    with pytest.raises(SpecError, match="takes series"):
        build((1, 8, 8))
    with pytest.raises(SpecError, match="two positions or more"):
        build((1, 1))
    with pytest.raises(SpecError, match="kernels are odd"):
        build((1, 8), kernels=[4])
