"""The room of a cell: how many items its set holds and what they are learned from, known before any data are read."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.interfaces.network import Measures


@dataclass(frozen=True)
class Room:
    """What a matcher may look at when it is asked whether its arguments go with a cell."""

    n_classes: int
    items: int
    """Items a class, as many as the budget holds of codec's and matcher's leaves together."""
    values: int
    """Match-space values a class that those items give."""
    shape: tuple[int, ...]
    """Shape of one match-space value, channels first."""
    network: Measures
    """The match network on that shape."""
    smallest_class: int
    """Training items of the rarest class."""
    train_size: int
    """Training items in all; before the data are read, of a held-out part to within half an item a class."""

    @property
    def all_values(self) -> int:
        """Match-space values of the whole set."""
        return self.n_classes * self.values
