"""Which signals are measured, how they are grouped into items, and how decoded ones find their originals again."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ddbench import rng
from ddbench.distill.initial import repeated
from ddbench.errors import PluginError
from ddbench.interfaces.codec import Decoded


def balanced(labels: Int[Tensor, " n"], n_classes: int, most: int | None, revision: str) -> Int[Tensor, " m"]:
    """Ascending indices of at most so many signals, the classes in turn, the same for all codecs; None: of all."""
    if most is None or most >= len(labels):
        return torch.arange(len(labels))
    turn = torch.empty(len(labels), dtype=torch.int64)
    for k in range(n_classes):
        members = (labels == k).nonzero().flatten()
        stream = rng.generator("codec-report-items", dataset=revision, label=k)
        turn[members] = torch.randperm(len(members), generator=stream)
    return (turn * n_classes + labels).argsort()[:most].sort().values


def grouped(labels: Int[Tensor, " n"], signals_per_item: int) -> tuple[Int[Tensor, " m_s"], Bool[Tensor, " m_s"]]:
    """(indices of signals, item after item; whether each stands there for the first time).

    Items hold signals of one class; where a class does not fill its last item, its first signals fill it once more.
    """
    if signals_per_item == 1:
        return torch.arange(len(labels)), torch.ones(len(labels), dtype=torch.bool)
    order, first = [], []
    for k in labels.unique().tolist():
        members = (labels == k).nonzero().flatten()
        whole = -(-len(members) // signals_per_item) * signals_per_item
        order.append(repeated(members, whole))
        first.append(torch.arange(whole) < len(members))
    return torch.cat(order), torch.cat(first)


def beside(
    decoded: Decoded, originals: Float[Tensor, "m_s *shape"], signals_per_item: int, codec: str
) -> Float[Tensor, "m_s *shape"]:
    """The decoded signals in the order of their originals.

    A codec gives an item's signals in any order: each is set beside the original that it is nearest to, one to one, so
    that the squared errors of the item are least. Raises: PluginError where signals are not what the codec declares.
    """
    items = len(originals) // signals_per_item
    signals, source = decoded.signals.detach().float().cpu(), decoded.source.cpu()
    found = torch.bincount(source, minlength=items).tolist()
    if tuple(signals.shape) != tuple(originals.shape) or found != [signals_per_item] * items:
        raise PluginError(
            f"The codec {codec} should decode {items} items to {signals_per_item} signals of shape "
            f"{tuple(originals.shape[1:])} each; it gave {len(signals)} of shape {tuple(signals.shape[1:])}."
        )
    if not bool(signals.isfinite().all()):
        raise PluginError(f"The codec {codec} decodes to signals that are not finite.")
    signals = signals[source.argsort(stable=True)]
    if signals_per_item == 1:
        return signals
    size = prod(originals.shape[1:])
    wanted, given = (t.double().reshape(items, signals_per_item, size) for t in (originals, signals))
    errors = torch.cdist(wanted, given).square()
    order = torch.stack([torch.from_numpy(linear_sum_assignment(e.numpy())[1]) for e in errors])
    return signals[(order + signals_per_item * torch.arange(items)[:, None]).flatten()]
