"""How likely each index of a grid is, given those that stand before it: counts that grow as items go by.

The encoder and the reader count alike, so nothing of it is stored. Items go round the classes, one of each in turn, in
blocks that grow; a block is told by the counts of the blocks before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

Grid = Int[np.ndarray, "m t"]

GROWTH = 4
"""A block is a GROWTH-th of the items before it; the first has one item of every class."""
WEIGHTS = {"place": 20.0, "class": 12.0, "left": 48.0, "corner": 8.0, "column": 6.0}
"""How many sightings the estimate of the context before weighs; the better of two settings on Fashion-MNIST's
training set (64 entries, 16.6 against 16.7 bytes an item)."""


class Counts:
    """Sightings of each symbol in each of many contexts; a context takes memory once it was met."""

    def __init__(self, contexts: int, symbols: int) -> None:
        self._row = np.full(contexts, -1, dtype=np.int64)
        self._counts = np.zeros((1, symbols))

    def of(self, context: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b s"]:
        """Zeros where a context was not met yet."""
        row = self._row[context]
        return np.where((row >= 0)[:, None], self._counts[row], 0.0)

    def add(self, context: Int[np.ndarray, " b"], symbol: Int[np.ndarray, " b"]) -> None:
        new = np.unique(context[self._row[context] < 0])
        if len(new):
            self._row[new] = np.arange(len(new)) + len(self._counts)
            self._counts = np.concatenate([self._counts, np.zeros((len(new), self._counts.shape[1]))])
        np.add.at(self._counts, (self._row[context], symbol), 1.0)


class ContextModel:
    """P(s | place, class, neighbours): each context corrects what the one before it says, by its sightings.

    `P₀ uniform → place → place and class → left → left and above → place, class and above`, each step
    P ← (counts + w·P) / (Σ counts + w). Neighbours beyond the edge count as an index of their own. Grids have one axis
    or two; in one there is nothing above.

    Source: interpolated context models with escape weights, as in Witten and Bell 1991 and PPM (Cleary and Witten
    1984); here with fixed weights.
    """

    def __init__(self, grid: Sequence[int], symbols: int, n_classes: int) -> None:
        self.rows, self.columns = (1, grid[0]) if len(grid) == 1 else (grid[0], grid[1])
        self.symbols, self.n_classes = symbols, n_classes
        places, near = self.rows * self.columns, symbols + 1
        sizes = {
            "place": places, "class": places * n_classes, "left": near, "corner": near * near,
            "column": places * n_classes * near,
        }  # fmt: skip
        self._counts = {name: Counts(size, symbols) for name, size in sizes.items()}

    def probabilities(self, items: Grid, y: Int[np.ndarray, " m"], place: int) -> Float[np.ndarray, "m s"]:
        """Of every symbol at a place of each item, whose places before it are filled."""
        p = np.full((len(items), self.symbols), 1 / self.symbols)
        for name, context in self._contexts(items, y, place).items():
            seen, weight = self._counts[name].of(context), WEIGHTS[name]
            p = (seen + weight * p) / (seen.sum(1, keepdims=True) + weight)
        return p

    def add(self, items: Grid, y: Int[np.ndarray, " m"]) -> None:
        """Counts whole items."""
        for place in range(self.rows * self.columns):
            for name, context in self._contexts(items, y, place).items():
                self._counts[name].add(context, items[:, place])

    def _contexts(self, items: Grid, y: Int[np.ndarray, " m"], place: int) -> dict[str, Int[np.ndarray, " m"]]:
        edge = np.full(len(items), self.symbols)
        left = items[:, place - 1] if place % self.columns else edge
        above = items[:, place - self.columns] if place >= self.columns else edge
        near, there = self.symbols + 1, place * self.n_classes + y
        return {
            "place": np.full(len(items), place), "class": there, "left": left, "corner": above * near + left,
            "column": there * near + above,
        }  # fmt: skip


def blocks(y: Int[np.ndarray, " m"], n_classes: int) -> Iterator[Int[np.ndarray, " b"]]:
    """Rows of the items, block by block: the first of every class, then the second of every class, …"""
    turn = np.zeros(len(y), dtype=np.int64)
    for k in range(n_classes):
        members = np.flatnonzero(y == k)
        turn[members] = np.arange(len(members))
    order, at = np.lexsort((y, turn)), 0
    while at < len(order):
        size = max(n_classes, at // GROWTH)
        yield order[at : at + size]
        at += size


Choose = Callable[[Int[np.ndarray, " b"], int, Float[np.ndarray, "b s"]], Int[np.ndarray, " b"]]
"""Symbols of these rows at a place, given the probability of each."""


def walk(model: ContextModel, y: Int[np.ndarray, " m"], choose: Choose) -> Grid:
    """Fills the items in the order of coding with what `choose` takes, and counts it."""
    places = model.rows * model.columns
    items = np.zeros((len(y), places), dtype=np.int64)
    for rows in blocks(y, model.n_classes):
        block = items[rows]
        for place in range(places):
            block[:, place] = choose(rows, place, model.probabilities(block, y[rows], place))
        model.add(block, y[rows])
        items[rows] = block
    return items
