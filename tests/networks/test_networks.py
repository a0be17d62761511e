"""Networks: published sizes, shapes, and messages."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import SpecError
from ddbench.interfaces.network import fresh
from ddbench.networks.auto import Auto, AutoConfig
from ddbench.networks.convnet import ConvNet, ConvNetConfig, auto_depth, auto_padding
from ddbench.networks.mlp import Mlp, MlpConfig
from ddbench.networks.timm_model import Timm, TimmConfig


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("shape", "classes", "parameters"),
    [
        ((3, 32, 32), 10, 320_010),
        ((3, 32, 32), 100, 504_420),
        ((1, 28, 28), 10, 317_706),
        ((3, 64, 64), 200, 857_160),
        ((3, 128, 128), 10, 615_690),
        ((3, 256, 256), 10, 763_530),
        ((4, 64, 64), 10, 469_002),
        ((4, 32, 32), 10, 321_162),
    ],
)
def test_parameters_of_the_fact_sheet(shape, classes, parameters):
    assert count(ConvNet().build(shape, classes)) == parameters


@pytest.mark.parametrize(("size", "depth", "padding"), [(28, 3, 3), (32, 3, 1), (14, 2, 2), (10, 1, 1), (2, 1, 4)])
def test_automatic_depth_and_padding(size, depth, padding):
    assert (auto_depth((size, size + 5)), auto_padding((size, size + 5))) == (depth, padding)


def test_depth_alone_changes_with_depth():
    model = ConvNet(ConvNetConfig(depth=4, width=8)).build((1, 28, 28), 10)
    assert model.embed(torch.zeros(1, 1, 28, 28)).shape == (1, 8 * 2 * 2)  # 28 → 32 → 2, as published for D4


def slow_convnet(model, x, depth):
    """The published instance-norm ConvNet written out for one image, in loops over channels and positions."""
    parameters = list(model.parameters())
    for block in range(depth):
        weight, bias, gain, shift = parameters[4 * block : 4 * block + 4]
        pad = 3 if block == 0 and x.shape[-1] == 28 else 1
        c, h, w = x.shape
        padded = torch.zeros(c, h + 2 * pad, w + 2 * pad, dtype=x.dtype)
        padded[:, pad : pad + h, pad : pad + w] = x
        h, w = h + 2 * pad - 2, w + 2 * pad - 2
        maps = []
        for o in range(len(weight)):
            m = bias[o] + sum(
                weight[o, k, i, j] * padded[k, i : i + h, j : j + w]
                for k in range(c)
                for i in range(3)
                for j in range(3)
            )
            m = (m - m.mean()) / ((m - m.mean()).square().mean() + 1e-5).sqrt() * gain[o] + shift[o]
            m = m.clamp(min=0)
            maps.append((m[0::2, 0::2] + m[1::2, 0::2] + m[0::2, 1::2] + m[1::2, 1::2]) / 4)
        x = torch.stack(maps)
    return parameters[-2] @ x.flatten() + parameters[-1]


def test_convnet_is_what_is_published():
    torch.manual_seed(0)
    model = ConvNet(ConvNetConfig(width=4)).build((1, 28, 28), 10).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
        x = torch.randn(2, 1, 28, 28, dtype=torch.float64)
        want = torch.stack([slow_convnet(model, item, 3) for item in x])
        torch.testing.assert_close(model(x), want, rtol=1e-9, atol=1e-9)


@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 4), st.integers(2, 40)),
        st.tuples(st.integers(1, 4), st.integers(2, 40), st.integers(2, 40)),
    ),
    norm=st.sampled_from(["none", "instance", "batch", "layer", "group"]),
    activation=st.sampled_from(["relu", "leaky_relu", "sigmoid", "swish"]),
    pooling=st.sampled_from(["avg", "max", "none"]),
)
@settings(max_examples=40, deadline=None)
def test_every_shape_and_part(shape, norm, activation, pooling):
    model = ConvNet(ConvNetConfig(width=4, norm=norm, activation=activation, pooling=pooling)).build(shape, 3)
    x = torch.randn(2, *shape)
    features = model.embed(x)
    assert features.dim() == 2
    torch.testing.assert_close(model.head(features), model(x))
    assert model(x).shape == (2, 3)


def test_mlp_written_out():
    model = Mlp(MlpConfig(hidden=(5, 4))).build((2, 3), 3).double()
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    a, b, c = (model.features[1], model.features[3], model.head)
    h = torch.relu(torch.relu(x.reshape(6, 6) @ a.weight.T + a.bias) @ b.weight.T + b.bias)
    torch.testing.assert_close(model.embed(x), h)
    torch.testing.assert_close(model(x), h @ c.weight.T + c.bias)
    assert count(Mlp().build((30,), 2)) == 30 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2


@pytest.mark.parametrize(("shape", "kind"), [((1, 8, 8), "Conv2d"), ((3, 20), "Conv1d"), ((30,), "Linear")])
def test_auto_follows_the_shape(shape, kind):
    model = Auto(AutoConfig(width=8)).build(shape, 4)
    assert any(type(m).__name__ == kind for m in model.features)
    assert model(torch.zeros(2, *shape)).shape == (2, 4)


def test_fresh_depends_on_the_seed_alone():
    a, b, c = (fresh(Auto(AutoConfig(width=4)), (1, 8, 8), 2, seed, "cpu") for seed in (1, 1, 2))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    assert not torch.equal(a.head.weight, c.head.weight)


def test_timm_by_name():
    model = Timm(TimmConfig(model="resnet10t")).build((1, 32, 32), 7)
    x = torch.randn(2, 1, 32, 32)
    assert model(x).shape == (2, 7)
    model.eval()
    torch.testing.assert_close(model.model.get_classifier()(model.embed(x)), model(x))


@pytest.mark.parametrize(
    ("network", "shape", "says"),
    [
        (Timm(TimmConfig(model="resnt18")), (3, 32, 32), "Did you mean .*resnet18"),
        (Timm(TimmConfig(model="vit_tiny_patch16_224")), (3, 32, 32), "does not take signals of shape"),
        (Timm(TimmConfig(model="resnet18", arguments={"pretrained": True})), (3, 32, 32), "sets pretrained itself"),
        (Timm(TimmConfig(model="resnet18", arguments={"no_such": 1})), (3, 32, 32), "cannot make 'resnet18'"),
        (Timm(), (30,), r"takes maps \(c, h, w\)"),
        (ConvNet(), (30,), "Use 'mlp'"),
        (ConvNet(ConvNetConfig(depth=9)), (1, 28, 28), "Ask for depth 5 or less"),
        (ConvNet(ConvNetConfig(width=6, norm="group")), (1, 28, 28), "multiple of 4"),
    ],
)
def test_what_does_not_fit_is_a_message(network, shape, says):
    with pytest.raises(SpecError, match=says):
        network.build(shape, 10)
