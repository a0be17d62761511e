"""Students that are no neural networks: each is fitted once on the whole set, to its own end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ddbench.evaluate.schedule import Schedule
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Student
from ddbench.evaluate.trainingset import TrainingSet
from ddbench.interfaces.estimator import Estimator, Scores


class Fitted(nn.Module):
    """A fitted estimator as a module without weights, so that it is tested like every student."""

    def __init__(self, scores: Scores) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        return self.scores(x.cpu()).to(x.device)


def whole(items: int) -> Schedule:
    """The one schedule of estimators: all items at once. Every training column asks for the same student."""
    return Schedule(steps=1, batch=items, epoch_items=items)


def told_once(y: Tensor, n_classes: int) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"], Float[Tensor, " m"]]:
    """(item, class, weight) of everything that the labels `[n]` or `[n, K]` say; probabilities of 0 say nothing."""
    if y.dim() == 1:
        return torch.arange(len(y)), y.long(), torch.ones(len(y), dtype=torch.float64)
    item, label = y.nonzero(as_tuple=True)
    return item, label, y[item, label].double()


def fit_in_turn(
    estimator: Estimator,
    n_classes: int,
    train: TrainingSet,
    streams: StudentStreams,
    indices: Sequence[int],
    progress: Callable[[float], None],
    device: str | torch.device = "cpu",
) -> Iterator[dict[int, Student]]:
    """Students by index, one after another; `device` is where `train` lies.

    They count no updates, and each has seen every item once; `train_loss` is the cross-entropy on the whole set.
    """
    x, y = (part.cpu() for part in train.batch(torch.arange(len(train), device=device)))
    item, label, weight = told_once(y, n_classes)
    for done, index in enumerate(indices, 1):
        scores = estimator.fit(x[item], label, weight, n_classes, streams.init(index))
        losses = F.cross_entropy(scores(x).double()[item], label, reduction="none")
        loss = float((losses * weight).sum() / weight.sum())
        progress(done / len(indices))
        yield {index: Student(Fitted(scores), 0, len(train), loss if isfinite(loss) else None)}
