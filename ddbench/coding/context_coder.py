"""Indices on a grid, written together: a context model says how likely each is, rANS makes bytes of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ddbench.coding import rans
from ddbench.coding.context import ContextModel, walk

Cost = Callable[[Int[np.ndarray, " b"], int], Float[np.ndarray, "b s"]]
"""What each symbol costs at a place of these rows, apart from its bits."""


@dataclass(frozen=True)
class ContextCoder:
    """The coder of a uint8 leaf `[t]` whose rows are grids of indices below `symbols`."""

    grid: tuple[int, ...]
    symbols: int
    n_classes: int

    def pack(self, values: UInt8[Tensor, "m t"], y: Int[Tensor, " m"]) -> bytes:
        given = values.cpu().numpy().astype(np.int64)
        starts, lengths = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]

        def choose(rows: np.ndarray, place: int, p: np.ndarray) -> np.ndarray:
            ends, symbols = rans.frequencies(p).cumsum(1), given[rows, place]
            at = np.arange(len(rows))
            before = np.where(symbols > 0, ends[at, symbols - 1], 0)
            starts.append(before)
            lengths.append(ends[at, symbols] - before)
            return symbols

        walk(self._model(), y.cpu().numpy(), choose)
        return rans.encode(np.concatenate(starts), np.concatenate(lengths))

    def unpack(self, data: bytes, y: Int[Tensor, " m"]) -> UInt8[Tensor, "m t"]:
        """Raises: ValueError for bytes that `pack` does not give for so many rows."""
        reader = rans.Reader(data)
        items = walk(self._model(), y.cpu().numpy(), lambda _, place, p: reader.read(rans.frequencies(p).cumsum(1)))
        reader.close()
        return torch.from_numpy(items.astype(np.uint8))

    def cheapest(self, y: Int[Tensor, " m"], cost: Cost, per_bit: float) -> UInt8[Tensor, "m t"]:
        """Rows that are chosen place by place for the least cost, bits included, as the model counts them then."""

        def choose(rows: np.ndarray, place: int, p: np.ndarray) -> np.ndarray:
            return (cost(rows, place) - per_bit * np.log2(p)).argmin(1)

        return torch.from_numpy(walk(self._model(), y.cpu().numpy(), choose).astype(np.uint8))

    def _model(self) -> ContextModel:
        return ContextModel(self.grid, self.symbols, self.n_classes)
