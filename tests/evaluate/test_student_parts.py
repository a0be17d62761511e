"""Students on large items: a batch by parts gives the gradients of one pass."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ddbench.evaluate.gradients import single_gradients, stacked_gradients
from ddbench.evaluate.weights import Weights
from ddbench.interfaces import parts
from ddbench.interfaces.network import Classifier, fresh
from ddbench.networks.convnet import ConvNet, ConvNetConfig

SHAPE, BATCH = (1, 16, 16), 22


def students(count: int, norm: str = "instance") -> list[Classifier]:
    network = ConvNet(ConvNetConfig.model_validate({"width": 4, "norm": norm}))
    return [fresh(network, SHAPE, 3, seed, "cpu").double().train() for seed in range(count)]


@pytest.mark.parametrize(("count", "norm"), [(1, "instance"), (3, "instance"), (1, "batch")])
def test_gradients_by_parts_are_those_of_one_pass(count: int, norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(count, BATCH, *SHAPE, generator=draw, dtype=torch.float64)
    y = torch.randint(3, (count, BATCH), generator=draw)
    expected, losses = [], []
    for model, of, labels in zip(students(count, norm), x, y, strict=True):
        loss = F.cross_entropy(model(of), labels)
        expected.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
        losses.append(float(loss.detach()))

    monkeypatch.setattr(parts, "POSITIONS", 1)  # 16 values of this shape
    weights, sizes = Weights(students(count, norm)), []
    weights.models[0].register_forward_hook(lambda _, given, __: sizes.append(given[0].shape[-4]))
    for _ in range(2):  # an update leaves nothing to the next
        found = (single_gradients if count == 1 else stacked_gradients)(weights)(x, y)
    assert found.tolist() == pytest.approx(losses, rel=1e-12)
    for row, wanted in zip(weights.gradients, expected, strict=True):
        mine = torch.cat([g.flatten() for _, g in weights.split(row)])
        torch.testing.assert_close(mine, wanted, rtol=1e-9, atol=1e-12)
    largest = BATCH if norm == "batch" else 16 // count
    assert max(sizes) == largest
    assert sum(sizes) == 2 * BATCH
