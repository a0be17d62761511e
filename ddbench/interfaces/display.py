"""A display: how signals are shown to people, drawn into tiles of a picture and, where words say more, listed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    from torch import Tensor


class Display(ABC):
    """Shows raw signals: a tile is `width` wide and one high; axes count downwards."""

    width: float = 1.0

    def __init__(self, spec: SignalSpec, raw: Tensor) -> None:
        """`raw` are all signals `[P, *shape]` that are shown together: their tiles share one scale."""
        self.spec = spec
        values = raw[:, :-1] if spec.mask else raw
        self.low = spec.low if spec.low is not None else float(values.min())
        self.high = spec.high if spec.high is not None else float(values.max())

    @abstractmethod
    def __call__(self, ax: Any, signal: Tensor, left: float, top: float) -> None:
        """Draws the signal `[*shape]` into the tile whose upper left corner is (left, top)."""

    def words(self, signal: Tensor) -> str:
        """The signal in a line of plain text (a sentence, the columns of a row); '' where a picture says it all."""
        return ""


DisplayOf = Callable[[SignalSpec, "Tensor"], Display]
"""Makes the display of signals that are shown together: a class of displays, or a dataset's own function."""
