"""Gradients of a network's weights for each class by itself: class after class, or several classes at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from ddbench.interfaces.network import Classifier
from ddbench.interfaces.parts import GRAPH, part_of, values_at_once

Batched = Literal["auto", "together", "loop"]
FEW = 64
"""Items a class below which one class alone leaves a GPU idle."""


def classes_at_once(x: Float[Tensor, "k n *shape"], batched: Batched) -> int:
    """How many classes to differentiate at once: 1 where looped, as many as memory should hold where together.

    `auto` is together for small classes on a GPU, where the cost of starting kernels is shared; on a CPU the classes'
    convolutions would become one grouped convolution, measured at 0.4 (256 items a class) to 0.9 times (10 items) the
    speed of one class after another.
    """
    if batched == "auto":
        batched = "together" if x.is_cuda and x.shape[1] <= FEW else "loop"
    return max(1, min(len(x), values_at_once(x.shape[2:], GRAPH) // x.shape[1])) if batched == "together" else 1


def class_gradients(
    network: Classifier,
    weights: Mapping[str, Tensor],
    x: Float[Tensor, "k n *shape"],
    y: Int[Tensor, " k"],
    at_once: int,
    keep_graph: bool,
) -> list[Float[Tensor, "k *parameter"]]:
    """∇ CE(items of class k; θ) for every class, with respect to the `weights`, which are parameters of `network`.

    CE is the mean over a class's n items. With `keep_graph` the result is differentiable in x. The network must treat
    items independently (batch norm frozen): then classes at once, and any split of the items, change rounding only.
    """
    rows = []
    for classes, labels in zip(x.split(at_once), y.split(at_once)):
        if len(classes) > 1:
            rows.append(_together(network, weights, classes, labels, keep_graph))
        else:
            rows.append([g[None] for g in _one(network, weights, classes[0], labels, keep_graph)])
    return [torch.cat(column) for column in zip(*rows)] if len(rows) > 1 else rows[0]


def _one(
    network: Classifier, weights: Mapping[str, Tensor], x: Float[Tensor, "n *shape"], y: Int[Tensor, " 1"], graph: bool
) -> list[Tensor]:
    total: list[Tensor] = []
    for part in x.split(len(x) if graph else part_of(x.device, x.shape[1:])):
        loss = cross_entropy(network(part), y.expand(len(part)), reduction="sum") / len(x)
        found = torch.autograd.grad(loss, list(weights.values()), create_graph=graph)
        total = [a.add_(b) for a, b in zip(total, found)] if total else list(found)
    return total


def _together(
    network: Classifier,
    weights: Mapping[str, Tensor],
    x: Float[Tensor, "k n *shape"],
    y: Int[Tensor, " k"],
    graph: bool,
) -> list[Tensor]:
    # A copy of the weights for each class makes per-class gradients out of one backward pass; torch.func.grad would do
    # without the copies, but imports torch's compiler when first used: seconds in every process.
    copies = {name: w.detach().expand(len(x), *w.shape).clone().requires_grad_() for name, w in weights.items()}
    logits = vmap(lambda theta, of_class: functional_call(network, theta, (of_class,)), randomness="error")(copies, x)
    loss = cross_entropy(logits.flatten(0, 1), y.repeat_interleave(x.shape[1]), reduction="sum") / x.shape[1]
    return list(torch.autograd.grad(loss, list(copies.values()), create_graph=graph))
