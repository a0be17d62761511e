"""The features on which selectors compare items, declared by name."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ddbench.interfaces.method import SelectTask
from ddbench.interfaces.plugin import PluginConfig

Features = Literal["values", "network"]


class FeatureConfig(PluginConfig):
    """Arguments of a selector that compares items."""

    features: Features = Field(
        "values",
        description="values: the match-space value, flattened; network: embedding of an untrained match network.",
    )


def features(task: SelectTask, kind: Features, index: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
    """Features of training items, float64 on the CPU."""
    found = task.values(index) if kind == "values" else task.embed(index)
    return found.double().cpu()
