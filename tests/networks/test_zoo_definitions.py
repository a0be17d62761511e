"""The field's students against their definitions: sizes by formula, outputs by NumPy and by torchvision."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
import torchvision
from slow_layers import Weights, conv, instance_norm, pool, relu
from torch import nn
from torchvision.models import vgg

from ddbench.networks.alexnet import AlexNet, AlexNetConfig
from ddbench.networks.lenet import LeNet
from ddbench.networks.resnet import ResNet18, ResNet18Ap, ResNet18Config, ResNetConfig
from ddbench.networks.vgg import Vgg11, VggConfig

SIZES = (28, 32, 48, 64, 100, 128, 224, 256)


def count(model) -> int:
    return sum(p.numel() for p in model.parameters())


def conv_weights(*widths: int, kernel: int, bias: bool = True) -> int:
    return sum(b * a * kernel**2 + b * bias for a, b in pairwise(widths))


def stacked(channels: int, size: int, classes: int) -> dict[str, int]:
    """Parameters by the table of protocols.md §4; 28² is padded to 32² first."""
    s = max(size, 32)
    alex = conv_weights(channels, 128, 192, kernel=5) + conv_weights(192, 256, 192, 192, kernel=3)
    widths = (64, 128, 256, 256, 512, 512, 512, 512)
    vgg = conv_weights(channels, *widths, kernel=3) + 2 * sum(widths)
    last = ((s - 4) // 2 - 4) // 2
    lenet = conv_weights(channels, 6, 16, kernel=5) + 16 * last**2 * 120 + 120 + 120 * 84 + 84
    blocks = 0
    for inputs, width in ((64, 64), (64, 128), (128, 256), (256, 512)):
        blocks += conv_weights(inputs, width, width, width, width, kernel=3, bias=False) + 4 * 2 * width
        blocks += 0 if inputs == width else inputs * width + 2 * width
    resnet = conv_weights(channels, 64, kernel=3, bias=False) + 2 * 64 + blocks
    flat = {
        "alexnet": 192 * (s // 8) ** 2, "vgg11": 512 * (s // 32) ** 2, "lenet": 84,
        "resnet18": 512, "resnet18_ap": 512 * (size // 8) ** 2,
    }  # fmt: skip
    before = {"alexnet": alex, "vgg11": vgg, "lenet": lenet, "resnet18": resnet, "resnet18_ap": resnet}
    return {name: before[name] + (flat[name] + 1) * classes for name in before}


PLUGINS = {"alexnet": AlexNet, "vgg11": Vgg11, "lenet": LeNet, "resnet18": ResNet18, "resnet18_ap": ResNet18Ap}


@pytest.mark.parametrize("name", PLUGINS)
def test_parameters_by_formula_at_every_size(name):
    with torch.device("meta"):
        for size in SIZES:
            for channels, classes in ((1, 10), (3, 10), (4, 7)):
                model = PLUGINS[name]().build((channels, size, size), classes)
                assert count(model) == stacked(channels, size, classes)[name], (size, channels)
        assert model(torch.zeros(2, 4, size, size)).shape == (2, 7)


@pytest.mark.parametrize(
    ("network", "shape", "known"),
    [
        (ResNet18(ResNet18Config(norm="batch")), (3, 32, 32), 11_173_962),
        (ResNet18(ResNet18Config(norm="batch", stem="imagenet")), (3, 224, 224), 11_689_512 - 513_000 + 5_130),
        (Vgg11(VggConfig(norm="batch")), (3, 32, 32), 9_231_114),
        (LeNet(), (3, 32, 32), 62_006),
        (LeNet(), (1, 28, 28), 61_706),
    ],
)
def test_parameters_that_everyone_knows(network, shape, known):
    with torch.device("meta"):
        assert count(network.build(shape, 10)) == known


def pair(network, shape, classes=3):
    """A small model with weights that leave nothing zero, its parameters, and an image."""
    torch.manual_seed(0)
    model = network.build(shape, classes).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return model, Weights(model), torch.randn(1, *shape, dtype=torch.float64)


def same(model, x, want):
    with torch.no_grad():
        np.testing.assert_allclose(model(x)[0].numpy(), want, rtol=1e-8, atol=1e-8)


def linear(y, weights):
    weight, bias = weights.take(2)
    return weight @ y.reshape(-1) + bias


def test_alexnet_written_out():
    model, weights, x = pair(AlexNet(AlexNetConfig(width=2)), (1, 28, 28))
    y = x[0].numpy()
    for pad, pooled in ((4, True), (2, True), (1, False), (1, False), (1, True)):
        y = relu(conv(y, *weights.take(2), pad=pad))
        y = pool(y, np.max) if pooled else y
    assert y.shape == (3, 4, 4)
    same(model, x, linear(y, weights))


def test_vgg11_written_out():
    model, weights, x = pair(Vgg11(VggConfig(width=1)), (1, 28, 28))
    y = x[0].numpy()
    for layer, pooled in enumerate((True, True, False, True, False, True, False, True)):
        weight, bias, gain, shift = weights.take(4)
        y = relu(instance_norm(conv(y, weight, bias, pad=1 if layer else 3), gain, shift))
        y = pool(y, np.max) if pooled else y
    assert y.shape == (8, 1, 1)
    same(model, x, linear(y, weights))


@pytest.mark.parametrize(("shape", "pad"), [((1, 28, 28), 2), ((3, 32, 32), 0)])
def test_lenet_written_out(shape, pad):
    model, weights, x = pair(LeNet(), shape)
    y = pool(relu(conv(x[0].numpy(), *weights.take(2), pad=pad)), np.max)
    y = pool(relu(conv(y, *weights.take(2))), np.max)
    assert y.shape == (16, 5, 5)
    same(model, x, linear(relu(linear(relu(linear(y, weights)), weights)), weights))


@pytest.mark.parametrize("size", [28, 32])
@pytest.mark.parametrize("pooled", [False, True])
def test_resnets_written_out(size, pooled):
    network = ResNet18Ap(ResNetConfig(width=1)) if pooled else ResNet18(ResNet18Config(width=1))
    model, weights, x = pair(network, (2, size, size))
    stride = 1 if pooled else 2
    y = relu(instance_norm(conv(x[0].numpy(), *weights.take(1), pad=1), *weights.take(2)))
    for stage in range(4):
        for block in range(2):
            halves = stage > 0 and block == 0
            w1, g1, b1, w2, g2, b2 = weights.take(6)
            inner = relu(instance_norm(conv(y, w1, stride=stride if halves else 1, pad=1), g1, b1))
            inner = pool(inner, np.mean) if halves and pooled else inner
            inner = instance_norm(conv(inner, w2, pad=1), g2, b2)
            if halves:
                w, g, b = weights.take(3)
                y = conv(y, w, stride=stride)
                y = instance_norm(pool(y, np.mean) if pooled else y, g, b)
            y = relu(inner + y)
    assert y.shape == (8, 3, 3) if pooled and size == 28 else (8, 4, 4)
    same(model, x, linear(y if pooled else y.mean(axis=(1, 2)), weights))
    assert weights.left == []


def transplanted(model, other):
    """The other implementation with this one's parameters, which both declare in the same order."""
    ours, theirs = list(model.parameters()), list(other.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    with torch.no_grad():
        for p, q in zip(theirs, ours):
            p.copy_(q)
    return other


def test_imagenet_stem_and_batch_norm_are_torchvisions():
    network = ResNet18(ResNet18Config(norm="batch", stem="imagenet"))
    model = network.build((3, 40, 40), 6)
    x = torch.randn(3, 3, 40, 40)
    torch.testing.assert_close(model(x), transplanted(model, torchvision.models.resnet18(num_classes=6))(x))


def test_vgg11_with_batch_norm_and_7_by_7_is_torchvisions():
    model = Vgg11(VggConfig(norm="batch", final="max7")).build((3, 64, 64), 5)
    features = vgg.make_layers(vgg.cfgs["A"], batch_norm=True)
    other = transplanted(model, nn.Sequential(features, nn.AdaptiveMaxPool2d(7), nn.Flatten(), nn.Linear(512 * 49, 5)))
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(x), other(x))
