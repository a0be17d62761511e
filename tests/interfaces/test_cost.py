"""What leaves are said to cost is what their tensors take in a written file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_sets import card_for, sizes_on_disk, some_codes

from ddbench import artifact
from ddbench.budget import Cost, pack, slots
from ddbench.cost import cost_of
from ddbench.errors import BudgetError
from ddbench.interfaces.codec import Codes, Ragged
from ddbench.leaf import Leaf

DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
STORAGES = ("float32", "float16", "bfloat16", "uint8")


@st.composite
def leaf_sets(draw, ragged: bool) -> list[Leaf]:
    """Leaves of any scope, type and shape; the first has scope item; byte strings among them if `ragged`."""
    leaves = []
    for i in range(draw(st.integers(1, 4))):
        scope = "item" if i == 0 else draw(st.sampled_from(("item", "class", "set")))
        shape = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
        flags = {n: draw(st.booleans()) for n in ("side", "quantise")}
        leaves.append(Leaf(f"leaf{i}", scope, shape, draw(st.sampled_from(DTYPES)), **flags))
    if ragged:
        leaves += [Leaf(f"bytes{i}", "item", None, "uint8", quantise=False) for i in range(draw(st.integers(1, 2)))]
    return leaves


def written(leaves: list[Leaf], counts: tuple[int, ...], storage, codes: Codes) -> tuple[dict[str, int], int, int]:
    """(bytes of each tensor in the file, bytes used, bytes of side information) of a set that is really written."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.save(Path(folder), card_for(leaves, counts, storage), codes)
        found = artifact.load(Path(folder))
        on_disk = sizes_on_disk(Path(folder) / "distilled.safetensors")
    assert found.parts == on_disk
    return on_disk, found.used_bytes, found.side_bytes


def total_side(cost: Cost, items: int, K: int) -> int:
    return items * cost.item_side + K * cost.per_class_side + cost.per_set_side


@settings(max_examples=80, deadline=None)
@given(leaf_sets(ragged=False), st.sampled_from(STORAGES), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32))
def test_declared_bytes_are_measured_bytes(leaves, storage, K, n, seed):
    counts = (n,) * K
    codes = some_codes(leaves, counts, torch.Generator().manual_seed(seed))
    on_disk, used, side = written(leaves, counts, storage, codes)
    cost = cost_of(leaves, storage)
    assert used == sum(on_disk.values()) == cost.total(n * K, K)
    assert used - side == cost.payload(n * K, K)
    assert side == total_side(cost, n * K, K)


@settings(max_examples=40, deadline=None)
@given(
    leaf_sets(ragged=True), st.sampled_from(STORAGES), st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data()
)
def test_declared_bytes_of_uneven_sets_with_byte_strings(leaves, storage, counts, data):
    counts = (*counts, 1)
    draw = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    codes = some_codes(leaves, counts, draw)
    strings = sum(len(row) for c in codes.values() if isinstance(c, Ragged) for row in map(c.row, range(len(c))))
    _, used, side = written(leaves, counts, storage, codes)
    cost = cost_of(leaves, storage)
    assert used == cost.total(sum(counts), len(counts)) + strings
    assert side == total_side(cost, sum(counts), len(counts))


@settings(max_examples=50, deadline=None)
@given(leaf_sets(ragged=False), st.sampled_from(STORAGES), st.integers(1, 4), st.integers(1, 3000))
def test_a_written_set_keeps_the_cap_and_one_item_more_would_not(leaves, storage, K, cap):
    try:
        n = slots(cost_of(leaves, storage), K, cap)
    except BudgetError:
        n = 0
    draw, measured = torch.Generator().manual_seed(0), {}
    for items in (n - 1, n, n + 1):
        if items > 0:
            counts = (items,) * K
            _, used, side = written(leaves, counts, storage, some_codes(leaves, counts, draw))
            measured[items] = (used, used - side <= cap and 100 * used <= 102 * cap)
    if n:
        assert measured[n][1]
        assert n == 1 or measured[n - 1][0] <= cap, "only the last item may pass the cap"
    assert not measured[n + 1][1] or (n and measured[n][0] > cap)


@settings(max_examples=40, deadline=None)
@given(leaf_sets(ragged=True), st.sampled_from(STORAGES), st.integers(1, 3), st.integers(50, 1500), st.integers(0, 99))
def test_a_packed_set_keeps_the_cap_and_no_next_item_would(leaves, storage, K, cap, seed):
    most = 6
    codes = some_codes(leaves, (most,) * K, torch.Generator().manual_seed(seed))
    strings = [c for c in codes.values() if isinstance(c, Ragged)]
    sizes = [[sum(len(c.row(k * most + i)) for c in strings) for i in range(most)] for k in range(K)]
    try:
        counts = pack(sizes, cost_of(leaves, storage), cap)
    except BudgetError:
        counts = [0] * K

    def measured(counts: list[int]) -> tuple[int, bool]:
        """(bytes used, whether the cap and the side allowance are kept) of the set with these counts."""
        rows = [k * most + i for k, n in enumerate(counts) for i in range(n)]
        items = {leaf.name for leaf in leaves if leaf.scope == "item"}
        kept = {
            name: (c.take(rows) if isinstance(c, Ragged) else c[rows]) if name in items else c
            for name, c in codes.items()
        }
        _, used, side = written(leaves, tuple(counts), storage, kept)
        return used, used - side <= cap and 100 * used <= 102 * cap

    def changed(k: int, by: int) -> list[int]:
        return [n + by * (j == k) for j, n in enumerate(counts)]

    if min(counts):
        used, kept = measured(counts)
        assert kept
        if used > cap:
            assert any(measured(changed(k, -1))[0] <= cap for k in range(K)), "only the last item may pass the cap"
        else:
            assert all(counts[k] == most or not measured(changed(k, 1))[1] for k in range(K))
    else:
        assert measured([1] * K)[0] > cap


@pytest.mark.parametrize(
    ("leaf", "storage", "row"),
    [
        (Leaf("z", "item", (3, 5)), "float32", (60, 0)),
        (Leaf("z", "item", (3, 5)), "bfloat16", (30, 0)),
        (Leaf("z", "item", (3, 5)), "uint8", (15, 8)),
        (Leaf("z", "item", (3, 5), quantise=False), "uint8", (60, 0)),
        (Leaf("z", "item", (7,), "bool"), "uint8", (7, 0)),
        (Leaf("z", "set", (3, 5)), "uint8", (15, 24)),
        (Leaf("z", "set", (5,)), "uint8", (5, 8)),
        (Leaf("z", "set", ()), "uint8", (1, 8)),
        (Leaf("z", "item", None, "uint8"), "float16", (0, 4)),
    ],
)
def test_row_bytes(leaf, storage, row):
    assert leaf.row_bytes(storage) == row
