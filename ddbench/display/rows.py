"""Table rows whose columns have names: colours in the picture, words in the listing. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from ddbench.display.tiles import TableRow
from ddbench.interfaces.signal import SignalSpec


class NamedRow(TableRow):
    """(d,): `told` says a row of raw values in words."""

    def __init__(self, told: Callable[[Sequence[float]], str], spec: SignalSpec, raw: Tensor) -> None:
        super().__init__(spec, raw)
        self.told = told

    def words(self, signal: Tensor) -> str:
        return self.told(signal.tolist())
