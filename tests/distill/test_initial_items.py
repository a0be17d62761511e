"""First items: nested, without replacement, the same for every row of a dataset, budget and seed."""

from __future__ import annotations

import torch
from distill_helpers import CPU, SIZES, LinearNetwork, Plain, Tiles, data_of, other_revision, target_of
from hypothesis import given
from hypothesis import strategies as st

from ddbench.budget import Budget
from ddbench.distill.initial import draw
from ddbench.distill.space import match_space
from ddbench.distill.task import Selection, Streams

DATA = data_of()
BUDGET = Budget.model_validate({"ipc": 3})


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_draws_are_nested_and_without_replacement(a, b, seed):
    a, b = sorted((a, b))
    short, long = (draw(DATA, BUDGET, seed, n) for n in (a, b))
    assert torch.equal(long[:, :a], short)
    for k, size in enumerate(SIZES):
        row = long[k].tolist()
        assert {int(DATA.train.labels[i]) for i in row} == {k}
        for start in range(0, b, size):
            part = row[start : start + size]
            assert len(set(part)) == len(part)
        assert row[size:] == row[: max(0, b - size)] or b <= size


def test_draws_depend_on_dataset_budget_and_seed():
    found = {
        tuple(draw(data, Budget.model_validate(budget), seed, 7).flatten().tolist())
        for data in (DATA, other_revision(DATA))
        for budget in ({"ipc": 3}, {"ipc": 4}, {"bytes_per_class": 3})
        for seed in (0, 1)
    }
    assert len(found) == 12
    assert torch.equal(draw(DATA, BUDGET, 0, 7), draw(data_of(), Budget(ipc=3.0), 0, 7))
    assert draw(DATA, None, 0, 7).shape == (3, 7)


def test_selectors_are_given_the_draws_that_initialise_learned_rows():
    for codec in (Plain(None, target_of(DATA)), Tiles(target_of(DATA))):
        task = Selection(
            DATA, lambda c=codec: match_space("signal", DATA, c, {}, CPU), LinearNetwork(), BUDGET, Streams("rev-1", 4)
        )
        assert torch.equal(task.draw(5), draw(DATA, BUDGET, 4, 5))
        assert [m.tolist() for m in map(task.members, range(3))] == [m.tolist() for m in DATA.members]


def test_a_random_choice_makes_no_match_space():
    def fails():
        raise AssertionError("not needed")

    Selection(DATA, fails, LinearNetwork(), BUDGET, Streams("rev-1", 4)).draw(2)


def test_features_are_those_of_an_untrained_network_of_this_seed():
    def task(seed: int) -> Selection:
        space = match_space("signal", DATA, Plain(None, target_of(DATA)), {}, CPU)
        return Selection(DATA, lambda: space, LinearNetwork(), BUDGET, Streams("rev-1", seed))

    index = torch.tensor([3, 0, 9])
    features = task(0).embed(index)
    assert torch.equal(features, task(0).embed(index))
    assert torch.equal(features[1:], task(0).embed(index[1:]))
    assert not torch.equal(features, task(1).embed(index))
    assert features.shape == (3, 6)
    assert torch.equal(task(0).values(index), DATA.signals(index).flatten(1))
