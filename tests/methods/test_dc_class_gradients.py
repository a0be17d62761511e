"""Gradients class by class: looped, together and item by item are the same numbers."""

from __future__ import annotations

import pytest
import torch
from ddbench_methods.class_gradients import class_gradients, classes_at_once
from slow_dc import gradients_of
from slow_match import assert_near, network, values

from ddbench.interfaces.parts import GRAPH

SHAPES = {"maps": (1, 8, 8), "series": (2, 16), "rows": (6,)}
K = 3


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("kind", SHAPES)
def test_looped_together_and_item_by_item_agree(kind: str, norm: str) -> None:
    """35 items: more than are differentiated at once on a CPU."""
    model, x = network(SHAPES[kind], K, norm), values(SHAPES[kind], K, 35, seed=1)
    if norm == "batch":
        model.train()(x.flatten(0, 1))
    weights = dict(model.eval().named_parameters())
    y = torch.tensor([2, 0, 1])
    slow = [gradients_of(model, of_class, int(k)) for of_class, k in zip(x, y)]
    for at_once in (1, 2, K):
        found = class_gradients(model, weights, x, y, at_once, keep_graph=False)
        assert not any(g.requires_grad for g in found)
        for column, expected in zip(found, zip(*slow)):
            assert_near(column, torch.stack(expected).detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", SHAPES)
def test_they_have_the_same_gradient_in_the_items(kind: str) -> None:
    model, x = network(SHAPES[kind], K), values(SHAPES[kind], K, 4, seed=1).requires_grad_()
    weights = {n: p for n, p in model.named_parameters() if p.dim() > 1}
    slopes = []
    for at_once in (1, 2, K):
        found = class_gradients(model, weights, x, torch.arange(K), at_once, keep_graph=True)
        value = sum((g.sin() * torch.arange(g.numel()).reshape(g.shape).cos()).sum() for g in found)
        slopes.append(torch.autograd.grad(value, x)[0])
    assert float(slopes[0].abs().max()) > 1e-3
    for other in slopes[1:]:
        assert_near(other, slopes[0], rtol=1e-10, atol=1e-12)


def test_classes_at_once_are_bounded_by_memory() -> None:
    x = torch.empty(200, 50, 1)
    assert classes_at_once(x, "loop") == classes_at_once(x, "auto") == 1
    assert classes_at_once(x, "together") == GRAPH // 50
    assert classes_at_once(x[:3], "together") == 3
    assert classes_at_once(torch.empty(4, 2 * GRAPH, 1), "together") == 1
