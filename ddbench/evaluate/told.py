"""Students on the labels that a protocol asks for: classes, the soft labels that a set stores, or some of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from ddbench.data import Data
from ddbench.evaluate.evaluation import evaluate
from ddbench.evaluate.trainingset import TensorSet
from ddbench.result.schema import StudentRun
from ddbench.spec.cell import EvaluationProtocol


def by_labels(
    x: Float[Tensor, "n *shape"],
    y: Int[Tensor, " n"],
    soft: Float[Tensor, "n k"] | None,
    data: Data,
    protocol: EvaluationProtocol,
    *,
    progress: Callable[[float], None] = lambda fraction: None,
    **options: Any,
) -> Iterator[list[StudentRun]]:
    """`evaluate` for each kind of label; `soft` are the set's own, as probabilities, None where it has none.

    Students of one index start from the same weights and meet the same draws whatever their labels.
    """
    kinds = protocol.labels_for(has_own=soft is not None)
    for i, told in enumerate(kinds):

        def share(fraction: float, i: int = i) -> None:
            progress((i + fraction) / len(kinds))

        train = TensorSet(x, soft if told == "own" and soft is not None else y)
        yield from evaluate(train, data, protocol, told=told, progress=share, **options)
