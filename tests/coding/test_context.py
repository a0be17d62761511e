"""The context model against counting by hand, item by item, in dictionaries."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch

from ddbench.coding.context import GROWTH, WEIGHTS, ContextModel, blocks, walk
from ddbench.coding.context_coder import ContextCoder

S, K = 5, 3


def some_items(m: int, t: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, S, (m, t)), np.sort(draw.integers(0, K, m))


def slow(
    items: np.ndarray, y: np.ndarray, grid: tuple[int, ...], seen: np.ndarray, row: int, place: int
) -> list[float]:
    """P of each symbol at a place of an item, from the items `seen`, by the definition."""
    columns = grid[-1]

    def contexts(i: int) -> dict[str, tuple]:
        left = items[i, place - 1] if place % columns else "edge"
        above = items[i, place - columns] if len(grid) == 2 and place >= columns else "edge"
        return {"place": (), "class": (y[i],), "left": (left,), "corner": (above, left), "column": (y[i], above)}

    p = [1 / S] * S
    for name in ("place", "class", "left", "corner", "column"):
        everywhere = name in ("left", "corner")
        mine, counts = contexts(row)[name], defaultdict(float)
        for i in seen:
            for at in range(items.shape[1]) if everywhere else [place]:
                left = items[i, at - 1] if at % columns else "edge"
                above = items[i, at - columns] if len(grid) == 2 and at >= columns else "edge"
                context = {"place": (), "class": (y[i],), "left": (left,), "corner": (above, left)}
                context["column"] = (y[i], above)
                if context[name] == mine:
                    counts[items[i, at]] += 1
        total, w = sum(counts.values()), WEIGHTS[name]
        p = [(counts[s] + w * q) / (total + w) for s, q in enumerate(p)]
    return p


@pytest.mark.parametrize("grid", [(6,), (3, 2)])
def test_probabilities_are_those_of_the_definition(grid: tuple[int, ...]) -> None:
    items, y = some_items(12, 6)
    model, seen = ContextModel(grid, S, K), np.arange(8)
    model.add(items[:5], y[:5])
    model.add(items[5:8], y[5:8])
    for place in range(6):
        found = model.probabilities(items[8:], y[8:], place)
        for row in range(8, 12):
            np.testing.assert_allclose(found[row - 8], slow(items, y, grid, seen, row, place), rtol=1e-12)


def test_blocks_go_round_the_classes_and_grow() -> None:
    y = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    found = [b.tolist() for b in blocks(y, K)]
    assert found[0] == [0, 3, 5]
    assert [i for b in found for i in b] == [0, 3, 5, 1, 4, 6, 2, 7, 8]
    long = [len(b) for b in blocks(np.arange(3000) % K, K)]
    before = np.cumsum([0, *long[:-1]])
    assert all(n == max(K, b // GROWTH) for n, b in zip(long[:-1], before))


def test_a_longer_set_begins_as_a_shorter_one_with_the_same_choices() -> None:
    """What an item is written as depends on items before it only."""
    cost = np.random.default_rng(3).random((300, 6, S))
    y = torch.arange(300) % K
    coder = ContextCoder((3, 2), S, K)

    def chosen(m: int) -> torch.Tensor:
        return coder.cheapest(y[:m], lambda rows, place: cost[rows, place], 0.3)

    # 60 items end where a block does, or the block would know less of itself
    ends = np.cumsum([len(b) for b in blocks(y.numpy(), K)])
    m = int(ends[len(ends) // 2])
    assert torch.equal(chosen(300)[:m], chosen(m))


@pytest.mark.parametrize("grid", [(6,), (3, 2)])
@pytest.mark.parametrize("m", [0, 1, 40])
def test_what_is_packed_comes_back(grid: tuple[int, ...], m: int) -> None:
    items, y = some_items(m, 6, seed=m)
    coder, labels = ContextCoder(grid, S, K), torch.from_numpy(y)
    data = coder.pack(torch.from_numpy(items).to(torch.uint8), labels)
    assert coder.unpack(data, labels).tolist() == items.tolist()


def test_regular_items_take_few_bytes() -> None:
    y = torch.arange(600) % K
    items = (y[:, None] + torch.arange(16)) % S
    coder = ContextCoder((4, 4), S, K)
    assert len(coder.pack(items.to(torch.uint8), y)) < 0.1 * items.numel() * np.log2(S) / 8


def test_without_a_price_of_bits_the_nearest_is_chosen() -> None:
    cost = np.random.default_rng(4).random((50, 6, S))
    y = torch.arange(50) % K
    coder = ContextCoder((6,), S, K)
    found = coder.cheapest(y, lambda rows, place: cost[rows, place], 0.0)
    assert found.tolist() == cost.argmin(2).tolist()
    dear = coder.cheapest(y, lambda rows, place: cost[rows, place], 0.5)
    assert len(coder.pack(dear, y)) < len(coder.pack(found, y))


def test_walk_fills_every_place_once() -> None:
    y, filled = np.arange(20) % K, np.zeros((20, 6), dtype=int)

    def choose(rows: np.ndarray, place: int, p: np.ndarray) -> np.ndarray:
        filled[rows, place] += 1
        np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
        return rows % S

    assert (walk(ContextModel((3, 2), S, K), y, choose) == (np.arange(20) % S)[:, None]).all()
    assert (filled == 1).all()
