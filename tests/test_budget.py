"""Budgets: what fits is counted again item by item, in whole bytes."""

from __future__ import annotations

import re
from dataclasses import astuple
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ddbench import registry
from ddbench.budget import Budget, Cost, allowed_with_side, fits, pack, reference_slots, slots
from ddbench.cost import cost_of
from ddbench.errors import BudgetError
from ddbench.interfaces.codec import Target
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf

small = st.integers(0, 60)
costs = st.builds(Cost, small, small, small, small, small, small).filter(lambda c: c.item + c.item_side > 0)


def keeps(cost: Cost, sizes: list[int], K: int, cap: int) -> bool:
    """The rule of DESIGN.md §5, part by part: items of the given sizes on top of what an item costs anyway."""
    item, item_side, per_class, per_class_side, per_set, per_set_side = astuple(cost)
    payload, side = per_set, per_set_side
    for _ in range(K):
        payload, side = payload + per_class, side + per_class_side
    for size in sizes:
        payload, side = payload + item + size, side + item_side
    return payload <= cap and 100 * (payload + side) <= 102 * cap


@st.composite
def tight(draw, costs=costs) -> tuple[Cost, int, int]:
    """(cost, classes, cap) with the cap within a few bytes of where a few items of each class begin to fit."""
    cost, K, n = draw(costs), draw(st.integers(1, 5)), draw(st.integers(0, 6))
    total, payload = cost.total(n * K, K), cost.payload(n * K, K)
    edge = draw(st.sampled_from((payload, total, total * 100 // 102)))
    return cost, K, max(1, edge + draw(st.integers(-3, 3)))


def numbers(error: pytest.ExceptionInfo[BudgetError]) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", str(error.value))]


def within(cost: Cost, sizes: list[int], K: int, cap: int) -> bool:
    """Everything counted stays within the cap, no allowance."""
    item, item_side, per_class, per_class_side, per_set, per_set_side = astuple(cost)
    everything = per_set + per_set_side + K * (per_class + per_class_side)
    return everything + sum(item + item_side + size for size in sizes) <= cap


@given(tight() | st.tuples(costs, st.integers(1, 5), st.integers(1, 1500)))
def test_as_many_items_a_class_as_fit_and_not_one_more(case):
    (cost, K, cap), wanted = case, 0
    while within(cost, [0] * K * (wanted + 1), K, cap):
        wanted += 1
    wanted += keeps(cost, [0] * K * (wanted + 1), K, cap)
    if wanted:
        assert slots(cost, K, cap) == wanted
    else:
        with pytest.raises(BudgetError):
            slots(cost, K, cap)


@given(tight() | st.tuples(costs, st.integers(1, 5), st.integers(1, 300)))
def test_the_error_names_the_bytes_that_one_item_a_class_needs(case):
    cost, K, cap = case
    if keeps(cost, [0] * K, K, cap):
        return
    with pytest.raises(BudgetError) as error:
        slots(cost, K, cap)
    found = numbers(error)
    assert found[0] == cap
    assert found[2] == sum(astuple(cost)[:2]) * K + sum(astuple(cost)[2:4]) * K + sum(astuple(cost)[4:])
    assert slots(cost, K, K * found[-1]) >= 1
    assert not keeps(cost, [0] * K, K, K * (found[-1] - 1))


@given(tight(), st.integers(0, 30))
def test_fits_is_the_same_rule(case, items):
    cost, K, cap = case
    assert fits(cost, items, K, cap) == keeps(cost, [0] * items, K, cap)


@given(st.integers(0, 10**30))
def test_side_information_may_pass_the_cap_by_two_percent_to_the_byte(cap):
    allowed = allowed_with_side(cap)
    assert 100 * allowed <= 102 * cap < 100 * (allowed + 1)


def test_payload_is_never_given_the_allowance():
    assert slots(Cost(item=100, item_side=2), 1, 1000) == 10
    assert slots(Cost(item=10, item_side=1), 1, 1000) == 91, "the allowance is for the last item only"
    assert slots(Cost(item=100), 1, 999) == 9
    assert slots(Cost(item=100, item_side=3), 1, 1000) == 9
    with pytest.raises(BudgetError):
        slots(Cost(item=0, item_side=4, per_set=10100), 2, 10000)


item_sizes = st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=9), min_size=1, max_size=4)


varying_costs = st.builds(Cost, st.integers(0, 9), *[small] * 5)


@given(item_sizes, varying_costs, st.data())
def test_items_of_varying_size_are_packed_in_turn_until_no_next_one_fits(sizes, cost, data):
    K = len(sizes)
    held = [s for row in sizes for s in row[: data.draw(st.integers(1, 9))]]
    payload, total = (count(len(held), K) + sum(held) for count in (cost.payload, cost.total))
    edge = data.draw(st.sampled_from((payload, total, total * 100 // 102)))
    cap = max(1, edge + data.draw(st.integers(-3, 3)))
    taken: list[list[int]] = [[] for _ in sizes]

    def following(k: int) -> list[int]:
        return sizes[k][len(taken[k]) : len(taken[k]) + 1]

    def with_next(k: int) -> list[int]:
        return [s for row in taken for s in row] + following(k)

    stopped: set[int] = set()
    turn = 0
    while len(stopped) < K:
        k, turn = turn % K, turn + 1
        if k not in stopped and following(k) and within(cost, with_next(k), K, cap):
            taken[k] += following(k)
        else:
            stopped.add(k)
    fewest_first = sorted((len(taken[k]), k) for k in range(K))
    last = [k for _, k in fewest_first if following(k) and keeps(cost, with_next(k), K, cap)]
    for k in last[:1]:
        taken[k] += following(k)
    if all(taken):
        counts = pack(sizes, cost, cap)
        assert counts == [len(row) for row in taken]
        held = [s for row in taken for s in row]
        assert keeps(cost, held, K, cap)
        for k, n in enumerate(counts):
            assert n == len(sizes[k]) or not within(cost, [*held, sizes[k][n]], K, cap)
    else:
        with pytest.raises(BudgetError) as error:
            pack(sizes, cost, cap)
        enough = numbers(error)[-1]
        assert min(pack(sizes, cost, K * enough)) >= 1


def test_an_item_is_not_passed_over_for_a_smaller_one():
    assert pack([[10, 90, 1, 1], [10, 10]], Cost(0), 60) == [1, 2]


def test_a_class_without_items_is_named():
    with pytest.raises(BudgetError, match="Class 1 has no item"):
        pack([[3], []], Cost(0), 100)


shapes = st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple)


@given(shapes, st.integers(1, 10), st.integers(1, 40), st.integers(1, 10**6))
def test_the_three_forms(shape, K, n, train_bytes):
    floats = prod(shape)
    assert Budget(ipc=n).cap_bytes(shape, K, train_bytes) == n * floats * 4 * K
    assert Budget(bytes_per_class=n).cap_bytes(shape, K, train_bytes) == n * K
    assert Budget(fraction=n / 100).cap_bytes(shape, K, train_bytes) == n * train_bytes // 100
    assert Budget(ipc=n / 10).cap_bytes(shape, K, train_bytes) == n * floats * 4 // 10 * K


@pytest.mark.parametrize("percent", [7, 14, 28, 29, 55, 56, 57, 58])
def test_decimal_shares_are_exact(percent):
    """0.29 · 100 is 28.999… in binary; the user asked for 29."""
    assert Budget(fraction=percent / 100).cap_bytes((1,), 3, 100) == percent
    assert Budget(ipc=percent / 100).cap_bytes((25,), 1, 0) == percent


@pytest.mark.parametrize(
    "bad",
    [
        {}, {"ipc": 1, "fraction": 0.1}, {"ipc": 0}, {"ipc": -1}, {"bytes_per_class": 0}, {"bytes_per_class": 1.5},
        {"fraction": 0}, {"fraction": 1.1}, {"ipc": float("inf")}, {"ipc": float("nan")}, {"bytes": 3},
        {"ipc": True}, {"ipc": "1"}, {"bytes_per_class": True}, {"bytes_per_class": "64"}, {"fraction": True},
    ],
)  # fmt: skip
def test_no_other_budget_is_one(bad):
    with pytest.raises(ValidationError):
        Budget.model_validate(bad)


@given(
    st.integers(1, 5), st.integers(1, 4), st.sampled_from([(4, 4), (8, 4), (4, 1), (8, 16), (2, 3)]), st.integers(1, 9)
)
def test_the_papers_rule_of_latents_per_class(n, K, autoencoder, multiple):
    """n images of 3 floats a pixel hold n·3f²/C codes of C channels at 1/f of the resolution, rounded down."""
    f, C = autoencoder
    side = f * multiple
    cap = Budget(ipc=n).cap_bytes((3, side, side), K, 0)
    code = Leaf("z", "item", (C, side // f, side // f))
    assert slots(cost_of([code], "float32"), K, cap) == n * 3 * f * f // C


@pytest.mark.parametrize(("factor", "ipc", "items"), [(2, 1, 4), (3, 1, 7), (2, 10, 40), (3, 10, 78)])
def test_downsampled_items_in_the_bytes_of_grey_images(factor, ipc, items):
    signal, cap = SignalSpec((1, 28, 28), (0.5,), (0.5,)), Budget(ipc=ipc).cap_bytes((1, 28, 28), 10, 0)
    codec = registry.build("codec", "downsample", {"factor": factor}, Target(signal, 10, cap))
    assert slots(cost_of(codec.leaves(), "float32"), 10, cap) == items


@given(shapes, st.integers(1, 10), st.integers(1, 10**6))
def test_the_reference_is_the_float32_identity_codec(shape, K, cap):
    fitting = [n for n in range(1, 5000) if n * K * prod(shape) * 4 <= cap]
    if len(fitting) < 4999:
        assert reference_slots(shape, K, cap) == max([1, *fitting])
