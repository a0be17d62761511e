"""Evaluation: fresh students trained on a set and tested once, at their last update, on what was held out.

Names are looked up when they are used, so that `ddbench.evaluate.schedule` stays free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.evaluate.evaluation import evaluate, evaluate_full, labels
    from ddbench.evaluate.trainingset import SplitSet, TensorSet, TrainingSet

__all__ = ["SplitSet", "TensorSet", "TrainingSet", "evaluate", "evaluate_full", "labels"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ddbench.evaluate import evaluation, trainingset

    return getattr(evaluation if hasattr(evaluation, name) else trainingset, name)
