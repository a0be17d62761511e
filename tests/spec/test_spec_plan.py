"""Plans: bytes and items by hand, and the rows that a table needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench import registry
from ddbench.budget import reference_slots
from ddbench.cost import cost_of
from ddbench.leaf import Leaf
from ddbench.planning.expand import expand
from ddbench.planning.mandatory import missing_mandatory
from ddbench.planning.plan import plan


def one(suite_of, entry: str):
    (planned,) = plan(expand(suite_of(f"grid: {{datasets: pictures, {entry}}}")))
    return planned


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        # a picture is 16 float32 = 64 bytes, 3 classes
        ("codecs: identity, methods: random, budgets: {ipc: 2}", (384, 384, 2, 2)),
        ("codecs: identity, methods: random, budgets: {ipc: 2}, storage: float16", (384, 384, 4, 2)),
        ("codecs: half, methods: learn, budgets: {ipc: 1}", (192, 192, 4, 1)),
        # 4 float32 an item, 2 bytes of mask a class, which may stand over the cap
        ("codecs: masked, methods: learn, budgets: {bytes_per_class: 160}", (480, 486, 10, 2)),
        ("codecs: masked, methods: learn, budgets: {bytes_per_class: 64}", (192, 150, 3, 1)),
        # 30 training pictures of 16 bytes; a class has 10, so a selector stores no more
        ("codecs: identity, methods: random, budgets: {fraction: 1}", (480, 384, 2, 2)),
        ("codecs: half, methods: random, budgets: {ipc: 100}", (19200, 480, 10, 100)),
        ("codecs: half, methods: learn, budgets: {ipc: 100}", (19200, 19200, 400, 100)),
        ("codecs: half, methods: learn, budgets: {bytes_per_class: 32}", (96, 96, 2, 1)),
        ("codecs: jpeg, methods: random, budgets: {ipc: 1}", (192, None, None, 1)),
        ("methods: full", (None, None, None, None)),
    ],
)
def test_bytes_and_items_by_hand(suite_of, entry, wanted):
    planned = one(suite_of, entry)
    assert (planned.cap_bytes, planned.used_bytes, planned.slots, planned.n0) == wanted
    assert planned.disk_bytes > (planned.used_bytes or 0)


def test_checkpoints_are_on_the_disk_too(suite_of):
    learned = one(suite_of, "codecs: identity, methods: learn, budgets: {ipc: 10}")
    picked = one(suite_of, "codecs: identity, methods: random, budgets: {ipc: 10}")
    assert learned.disk_bytes - picked.disk_bytes == 4 * learned.used_bytes


@given(st.integers(1, 10**7), st.integers(1, 50), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_reference_slots(cap_bytes, n_classes, shape):
    item = 4
    for size in shape:
        item *= size
    fitting = [n for n in range(1, 3) if n * n_classes * item <= cap_bytes]
    n0 = reference_slots(tuple(shape), n_classes, cap_bytes)
    assert n0 >= 1
    assert fitting == [n for n in (1, 2) if n <= n0 and (n > 1 or n_classes * item <= cap_bytes)]
    assert n0 == 1 or n0 * n_classes * item <= cap_bytes < (n0 + 1) * n_classes * item


leaves = st.builds(
    Leaf,
    name=st.just("x"),
    scope=st.sampled_from(["item", "class", "set"]),
    shape=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    dtype=st.sampled_from(["float32", "float64", "int16", "bool"]),
    side=st.booleans(),
    quantise=st.booleans(),
)


@given(
    st.lists(leaves, max_size=4), st.sampled_from(["float32", "float16", "bfloat16", "uint8"]), st.integers(1, 4),
    st.integers(1, 6),
)  # fmt: skip
def test_the_cost_is_what_the_tensors_weigh(some, storage, n_classes, n):
    import torch

    items = n * n_classes
    total = payload = 0
    for leaf in some:
        shape = {"item": (items, *leaf.shape), "class": (n_classes, *leaf.shape), "set": leaf.shape}[leaf.scope]
        floats = leaf.dtype.startswith("float")
        stored = storage if floats and leaf.quantise else leaf.dtype
        weight = torch.empty(shape, dtype=getattr(torch, stored)).nbytes
        ranges = 0
        if stored == "uint8" and floats:
            rows = shape[0] if leaf.scope != "set" or len(shape) > 1 else 1
            ranges = torch.empty(rows, 2).nbytes
        total += weight + ranges
        payload += 0 if leaf.side else weight
    cost = cost_of(some, storage)
    assert cost.total(items, n_classes) == total
    assert cost.payload(items, n_classes) == payload


def test_offsets_of_ragged_rows_are_side_information():
    cost = cost_of([Leaf("z", "item", None, "uint8")], "float32")
    assert (cost.item, cost.item_side) == (0, 4)


COMPLETE = """
grid:
  - datasets: pictures
    codecs: [identity, half, downsample]
    methods: [random, learn]
    budgets: {ipc: 1}
    seeds: [0, 1]
    include: [{codec: jpeg, method: random, seed: [0, 1]}]
    %s
"""


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", None),
        ("exclude: {method: learn}", None),
        ("exclude: {codec: half, method: learn}", None),
        ("exclude: {codec: identity, method: random}", "no random × identity for seed 0, 1"),
        ("exclude: {codec: half, method: random}", "no random × half factor=2 mode=area for seed 0, 1"),
        ("exclude: {codec: half, method: random, seed: 1}", "no random × half factor=2 mode=area for seed 1."),
        ("exclude: {codec: downsample}", "no row with downsample for seed 0, 1."),
    ],
)
def test_mandatory_rows(suite_of, rule, words):
    missing = missing_mandatory(expand(suite_of(COMPLETE % rule)))
    assert len(missing) == (words is not None)
    assert not words or words in missing[0]


def test_mandatory_rows_by_dataset_and_budget(suite_of):
    rows = (
        "grid: {datasets: [pictures, rows], codecs: identity, methods: [random, learn], budgets: [{ipc: 1}, {ipc: 2}]}"
    )
    missing = missing_mandatory(expand(suite_of(rows)))
    assert len(missing) == 4, "rows are no pictures: neither JPEG nor down-sampling is asked for"
    assert all(m.startswith("pictures at") for m in missing)
    assert sum("1 ipc" in m for m in missing) == sum("random × jpeg" in m for m in missing) == 2


def test_mandatory_rows_of_other_protocols_do_not_count(suite_of):
    """The same name or not: tables of different protocols are different tables."""
    rows = """
    protocols: {a: {name: x, epochs: 1}, b: {name: x, epochs: 2}}
    protocol: a
    grid:
      - {datasets: rows, codecs: identity, methods: learn, budgets: {ipc: 1}}
      - {datasets: rows, codecs: identity, methods: random, budgets: {ipc: 1}, protocol: b}
    """
    assert len(missing_mandatory(expand(suite_of(rows)))) == 1
    assert missing_mandatory(expand(suite_of(rows.replace("epochs: 2", "epochs: 1")))) == []


def test_a_yardstick_that_is_not_installed_is_not_asked_for(suite_of, monkeypatch):
    cells = expand(suite_of("grid: {datasets: pictures, codecs: half, methods: [random, learn], budgets: {ipc: 1}}"))
    assert sum("jpeg" in m for m in missing_mandatory(cells)) == 1
    monkeypatch.delitem(registry._found("codec"), "jpeg")
    registry._load.cache_clear()
    assert not any("jpeg" in m for m in missing_mandatory(cells))
