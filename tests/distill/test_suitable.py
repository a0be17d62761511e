"""First items that suit a matcher: the draws of the row `random`, in their order, without the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from distill_helpers import CPU, LinearNetwork, MeanMatcher, Plain, data_of, target_of
from torch import Tensor

from ddbench.budget import Budget
from ddbench.distill import initial, suitable
from ddbench.distill.prepare import Preparation
from ddbench.distill.space import SignalSpace
from ddbench.interfaces.method import MatcherConfig

BUDGET = Budget(ipc=1)


class Choosy(MeanMatcher):
    """Takes values whose mean lies above `least`; notes how many it was shown."""

    def __init__(self, least: float) -> None:
        super().__init__(MatcherConfig(iterations=1, lr=1.0))
        self.least, self.shown = least, 0

    def suits(self, task: Any, prepared: Any, x: Tensor, y: Tensor) -> Tensor:
        assert prepared == {"p": 1}
        self.shown += len(x)
        return x.flatten(1).mean(1) - y / 2 > self.least


def chosen(matcher: MeanMatcher, n: int, sizes: tuple[int, ...] = (30, 20, 25)):
    data = data_of(sizes)
    task = Preparation(data, SignalSpace(data, Plain(None, target_of(data)), CPU), LinearNetwork(), {})
    index = initial.draw(data, BUDGET, 1, n)
    return data, index, suitable.suitable(matcher, task, {"p": 1}, index, BUDGET, 1)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n", [1, 4, 9])
@pytest.mark.parametrize("least", [-9.0, 0.0, 0.03, 9.0])
def test_they_are_the_first_draws_that_suit_then_the_others(n: int, least: float) -> None:
    matcher = Choosy(least - 0.25)
    data, index, found = chosen(matcher, n)
    assert found is not None
    for k in range(3):
        order = initial.draw(data, BUDGET, 1, len(data.members[k]))[k].tolist()[: len(data.members[k])]
        mean = {i: float(data.signals(torch.tensor([i])).mean()) - k / 2 for i in order}
        good = [i for i in order if mean[i] > matcher.least]
        bad = [i for i in order if i not in good]
        assert found[k].tolist() == (good + bad)[:n]
    assert torch.equal(found, index) == (least == -9.0 or least == 9.0)


def test_a_class_with_too_few_items_starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    _, index, found = chosen(Choosy(-9.0), 40)
    assert found is not None
    assert torch.equal(found, index)


def test_no_more_are_judged_than_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suitable, "JUDGED", 2)
    matcher = Choosy(-9.0)
    chosen(matcher, 2)
    assert matcher.shown == 1 + 3 * 2


def test_a_matcher_without_a_say_takes_all() -> None:
    assert chosen(MeanMatcher(MatcherConfig(iterations=1, lr=1.0)), 3)[2] is None


def test_the_note_counts_what_random_does_not_hold() -> None:
    index = torch.tensor([[1, 2, 3], [7, 8, 9]])
    assert "2 of 6" in suitable.not_random(index, torch.tensor([[2, 3, 5], [9, 4, 7]]))
