"""The field's students in use: features, shapes that are not taken, and training together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench import registry
from ddbench.errors import SpecError
from ddbench.evaluate.schedule import equal_epochs
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Lesson, train_students
from ddbench.evaluate.together import decide, possible
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.network import fresh
from ddbench.networks.stack import first_padding
from ddbench.spec.cell import Training

SMALL = {
    "alexnet": {"width": 4},
    "vgg11": {"width": 2},
    "resnet18": {"width": 2},
    "resnet18_ap": {"width": 2},
    "lenet": {},
}
"""The students, narrow: as arguments of a suite."""
NORMED = [name for name in SMALL if name != "lenet"]


def small(name, **args):
    return registry.build("network", name, {**SMALL[name], **args})


@given(name=st.sampled_from(list(SMALL)), h=st.integers(16, 70), w=st.integers(16, 70), channels=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_features_fit_the_head_at_every_shape(name, h, w, channels):
    torch.manual_seed(0)  # some draws of weights as narrow as these leave no unit alive
    model = small(name).build((channels, h, w), 3)
    x = torch.randn(2, channels, h, w)
    features = model.embed(x)
    assert features.shape == (2, model.head.in_features)
    logits = model(x)
    torch.testing.assert_close(model.head(features), logits)
    assert logits.shape == (2, 3)
    assert not torch.equal(logits[0], logits[1])  # instance norm on single values would make all items equal


@pytest.mark.parametrize("norm", ["none", "instance", "batch", "layer", "group"])
@pytest.mark.parametrize("name", NORMED)
def test_every_norm(name, norm):
    model = small(name, norm=norm, width=8).build((1, 28, 28), 3)
    kinds = {kind.__name__ for m in model.modules() for kind in type(m).__mro__}
    found = kinds & {"GroupNorm", "BatchNorm2d", "LayerNorm"}
    kind = {"instance": "GroupNorm", "group": "GroupNorm", "batch": "BatchNorm2d", "layer": "LayerNorm"}.get(norm)
    assert found == ({kind} if kind else set())
    groups = {m.num_channels // m.num_groups for m in model.modules() if isinstance(m, torch.nn.GroupNorm)}
    assert groups == {1} if norm == "instance" else 1 not in groups
    model(torch.randn(2, 1, 28, 28)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_padding_fills_up_to_32_by_size_not_by_channels():
    wanted = {(28, 2): 4, (28, 1): 3, (28, 0): 2, (32, 2): 2, (31, 1): 2, (64, 1): 1, (16, 0): 8}
    for (side, own), padding in wanted.items():
        for channels in (1, 3):
            assert first_padding("x", (channels, side, 40), own, None) == (padding, own)
    assert first_padding("x", (1, 8, 8), 1, 5) == (5, 5)
    explicit = small("vgg11", padding=13).build((1, 8, 8), 3)
    assert explicit(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "args", "shape", "says"),
    [
        *((name, {}, (30,), r"takes maps \(c, h, w\)") for name in SMALL),
        *((name, {}, (2, 30), r"takes maps \(c, h, w\)") for name in SMALL),
        *(
            (name, {}, (1, 8, 8), "takes maps from 16 on.*'auto'.*padding: 1[234]")
            for name in ("alexnet", "vgg11", "lenet")
        ),
        *((name, {}, (1, 8, 8), "single value.*'auto'") for name in ("resnet18", "resnet18_ap")),
        ("resnet18_ap", {"norm": "none"}, (1, 7, 40), "nothing is left"),
        ("vgg11", {"padding": 1}, (3, 16, 16), "single value"),
        ("alexnet", {"padding": 0}, (3, 8, 8), "nothing is left"),
        *((name, {"norm": "group", "width": 6}, (1, 28, 28), "multiple of 8") for name in NORMED),
    ],
)
def test_a_shape_that_is_not_taken_is_a_message(name, args, shape, says):
    with pytest.raises(SpecError, match=says):
        small(name, **args).build(shape, 10)


@pytest.mark.parametrize(
    ("name", "args"), [("alexnet", {"width": 3}), ("vgg11", {"final": "max"}), ("lenet", {"norm": "batch"})]
)
def test_arguments_that_are_not_taken_are_a_message(name, args):
    with pytest.raises(SpecError, match=next(iter(args))):
        registry.build("network", name, args)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    ("name", "args", "side"),
    [*((name, {}, 16) for name in SMALL), ("vgg11", {"final": "max7"}, 33), ("resnet18", {"stem": "imagenet"}, 36)],
)
def test_together_equals_one_by_one(name, args, side):
    network, shape = small(name, **args), (1, side, side)
    x = torch.randn(5, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    recipe = Training(epochs=2, batch=3, lr=0.05)
    streams = StudentStreams("d", "1", 0, name)
    lesson = Lesson(TensorSet(x, torch.arange(5) % 3), recipe, equal_epochs(recipe, 5), streams, "crop_scale")
    assert possible(fresh(network, shape, 3, 0, "cpu"), shape, 3)
    alone = train_students(network, 3, lesson, range(2), together=False)
    for student, (a, b) in enumerate(zip(alone, train_students(network, 3, lesson, range(2), together=True))):
        torch.testing.assert_close(weights(a.model), weights(b.model), rtol=1e-8, atol=1e-8)
        assert not torch.allclose(
            weights(a.model), weights(fresh(network, shape, 3, streams.init(student), "cpu")).double()
        )
    assert not torch.equal(weights(alone[0].model), weights(alone[1].model))


@pytest.mark.parametrize("name", NORMED)
def test_with_batch_norm_students_are_trained_one_by_one(name):
    model = fresh(small(name, norm="batch"), (1, 28, 28), 3, 0, "cpu")
    assert not decide(True, model, 3, (1, 28, 28), 4)
