"""Mean matching: items whose class mean is the mean of the real class, value by value. No network is asked."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from ddbench.interfaces.method import Matcher, MatcherConfig, MatchTask


class MeansConfig(MatcherConfig):
    """Arguments of `means`."""

    iterations: int = Field(100, ge=0, description="Updates of the codes.")
    lr: float = Field(0.1, gt=0, description="Learning rate of the codes, times each leaf's own lr_scale.")
    real_batch: int = Field(64, gt=0, description="Real items of each class an update.")


class Means(Matcher):
    """L = Σ_c ‖ mean of real values of c − mean of items of c ‖²."""

    version = "1"
    source = "ddbench-example"
    Config = MeansConfig

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        real, items = task.augment(task.real(self.config.real_batch), task.synthetic())
        return (real.mean(1) - items.mean(1)).square().sum()
