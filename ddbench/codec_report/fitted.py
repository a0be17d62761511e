"""A codec made ready as a row of a benchmark would: fitted on a training set, begun on a row's first items."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ddbench import rng
from ddbench.budget import Budget
from ddbench.data import Data
from ddbench.distill.initial import order_of, repeated
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.run.cell import fit_on
from ddbench.spec.cell import Choice


def check_same_signals(reported: DatasetCard, other: DatasetCard) -> None:
    """Raises: SpecError where a codec fitted on the other dataset's signals cannot take the reported one's."""
    for what, mine, theirs in (
        ("shape", reported.signal.shape, other.signal.shape),
        ("raw range", (reported.signal.low, reported.signal.high), (other.signal.low, other.signal.high)),
    ):
        if mine != theirs:
            raise SpecError(
                f"--fit-on: the signals of {other.name!r} have the {what} {theirs}, those of {reported.name!r} {mine}. "
                "A codec is fitted on signals of the same shape and range as those that it is reported on."
            )


def as_signals_of(reported: DatasetCard, other: Data) -> Data:
    """The other dataset as if its signals were the reported one's: the same normalisation, so codecs see one scale.

    Its classes have no meaning here; their numbers stand for the reported ones', starting over where there are more.
    """
    K = reported.n_classes

    def seen(split: Split) -> Split:
        return Split(split.signals, split.labels % K)

    card = replace(other.card, signal=reported.signal, class_names=reported.class_names)
    return Data(card, seen(other.train), seen(other.held_out))


def made_ready(
    codec: Codec, choice: Choice, dataset: Choice, evaluate_on: str, data: Data, budget: Budget, items: int, seed: int,
    device: torch.device,
) -> Codes:  # fmt: skip
    """Class and set leaves. `items` a class are the first items of a row with this budget and seed.

    `data` is what the codec is fitted on, `dataset` its name. What is fitted comes from the cache where a row, or an
    earlier report, left it.
    """
    fitted = {
        name: leaf.to(device) if isinstance(leaf, Tensor) else leaf
        for name, leaf in fit_on(dataset, evaluate_on, choice, codec, data).items()
    }
    s = codec.signals_per_item
    index = torch.cat(
        [repeated(order_of(data, budget, seed, k), items * s) for k, m in enumerate(data.members) if len(m)]
    )
    x, y = data.signals(index).to(device), data.train.labels[index].to(device)
    stream = rng.generator("codec-begin", dataset=data.card.revision, seed=seed)
    with torch.no_grad():
        return fitted | codec.begin(x, y, stream)
