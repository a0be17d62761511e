"""Contract tests of estimators: inherit `EstimatorContract` in a pytest module and name the estimator.

class TestMine(EstimatorContract):
    estimator = "mine"         # the entry point's name, or the class
    args = {"depth": 3}        # as in a suite file
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from ddbench import registry
from ddbench.errors import SpecError
from ddbench.interfaces.estimator import Estimator

N_CLASSES = 3
PER_CLASS = 12


class EstimatorContract:
    """What every estimator keeps, whoever wrote it."""

    estimator: ClassVar[str | type[Estimator]]
    """Entry-point name or class."""
    args: ClassVar[dict[str, Any]] = {}
    """Arguments, as in a suite file."""
    shape: ClassVar[tuple[int, ...]] = (6,)
    """A signal shape that it takes."""

    def estimator_class(self) -> type[Any]:
        return registry.load("network", self.estimator) if isinstance(self.estimator, str) else self.estimator

    def build(self) -> Estimator:
        plugin = self.estimator_class()
        return plugin(plugin.Config(**self.args))

    def items(self, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Three classes that lie apart in every value, class after class."""
        y = torch.arange(N_CLASSES).repeat_interleave(PER_CLASS)
        noise = torch.randn(len(y), *self.shape, generator=torch.Generator().manual_seed(seed))
        return 4.0 * y.reshape(-1, *(1,) * len(self.shape)) + noise, y

    def scores(self, x: Tensor, y: Tensor, weight: Tensor | None = None, seed: int = 0) -> Tensor:
        """Of new items, by an estimator fitted on (x, y)."""
        weight = torch.ones(len(y), dtype=torch.float64) if weight is None else weight
        return self.build().fit(x, y, weight, N_CLASSES, seed)(self.items(1)[0])

    def test_declares_itself(self) -> None:
        faults = registry.contract_faults("network", self.estimator_class())
        assert not faults, f"the estimator breaks the plug-in contract: {'; '.join(faults)}"

    def test_is_no_match_network_and_says_so(self) -> None:
        with pytest.raises(SpecError):
            self.build().build(self.shape, N_CLASSES)

    def test_learns_classes_that_lie_apart(self) -> None:
        found = self.scores(*self.items())
        assert found.shape == (N_CLASSES * PER_CLASS, N_CLASSES), "a score for each item and class"
        assert not found.isnan().any()
        right = (found.argmax(1) == self.items(1)[1]).float().mean()
        assert right > 0.8, f"{right:.0%} of well separated items are right"

    def test_the_same_seed_gives_the_same_scores(self) -> None:
        state = torch.get_rng_state()
        first, again = self.scores(*self.items(), seed=5), self.scores(*self.items(), seed=5)
        assert torch.equal(first, again), "two fits of one seed differ"
        assert torch.equal(state, torch.get_rng_state()), "the global generator was used"

    def test_leaves_what_it_is_given_alone(self) -> None:
        x, y = self.items()
        weight = torch.ones(len(y), dtype=torch.float64)
        before = x.clone(), y.clone(), weight.clone()
        self.scores(x, y, weight)
        assert all(torch.equal(a, b) for a, b in zip((x, y, weight), before)), "fit changes its items in place"

    def test_weights_count(self) -> None:
        x, y = self.items()
        other = torch.cat([y, (y + 1) % N_CLASSES])
        weight = torch.cat([torch.full((len(y),), 0.01), torch.full((len(y),), 0.99)]).double()
        found = self.scores(torch.cat([x, x]), other, weight).argmax(1)
        right = (found == (self.items(1)[1] + 1) % N_CLASSES).float().mean()
        assert right > 0.8, "of two labels of an item the one of more weight should win"

    def test_a_class_without_items_is_not_in_the_way(self) -> None:
        x, y = self.items()
        for kept in (y != 1, y == 2):
            found = self.scores(x[kept], y[kept])
            assert found.shape[1] == N_CLASSES
            assert set(found.argmax(1).tolist()) <= set(y[kept].tolist())

    def test_one_item_a_class_is_enough(self) -> None:
        x, y = self.items()
        assert not self.scores(x[::PER_CLASS], y[::PER_CLASS]).isnan().any()
