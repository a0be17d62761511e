"""An estimator: a student that is no neural network. It is fitted in one go and has no weights to match."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.network import Classifier, Network

NO_MATCH = "it is fitted in one go, without weights or gradients that could be matched: it can only be a student"

Scores = Callable[[Float[Tensor, "b *shape"]], Float[Tensor, "b k"]]
"""A fitted estimator: log-probabilities (or logits) of the classes, on the CPU."""


class Estimator(Network):
    """A learner that trains to its own end, whatever the protocol says of updates, batches and learning rates.

    It is registered as a network and named among a protocol's networks. What it is told are normalised items without
    augmentation; where labels are soft, every item comes once for each class, weighted by that class's probability
    (for the log loss the same thing).
    """

    @abstractmethod
    def fit(
        self, x: Float[Tensor, "n *shape"], y: Int[Tensor, " n"], weight: Float[Tensor, " n"], n_classes: int, seed: int
    ) -> Scores:
        """Fitted on items on the CPU; the same numbers for the same seed. Some classes may have no item.

        Raises: SpecError where the estimator does not take the shape.
        """

    def work(self, items: int, values: int, n_classes: int) -> float:
        """A fit and its test, roughly, in the operations that a network would do meanwhile; 0 where that is not known.

        For plans; `values` is how many numbers an item has.
        """
        return 0.0

    def build(self, shape: tuple[int, ...], n_classes: int) -> Classifier:
        """Raises: SpecError, always: there is no module to build."""
        raise SpecError(f"{NO_MATCH}.")
