"""Options of MTT: the start window that grows, the step size that is held up, arguments that do not go together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ddbench_methods.mtt import STEP_SIZE, TrajectoryMatching
from ddbench_methods.mtt_config import MttConfig
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Generator

from ddbench.testing.method_case import Ground, learned

GROWING = {"min_start": 2, "first_max_start": 4, "max_start": 9, "grow_until": 20}


def config(**args: Any) -> MttConfig:
    return MttConfig.model_validate(args)


def test_the_window_grows_evenly_and_stays() -> None:
    c = config(**GROWING)
    assert [c.starts_below(step) for step in range(20)] == [4] * 4 + [5] * 4 + [6] * 4 + [7] * 4 + [8] * 4
    assert {c.starts_below(step) for step in (20, 21, 10**6)} == {9}


@given(low=st.integers(1, 30), more=st.integers(0, 30), until=st.integers(1, 50), step=st.integers(0, 200))
def test_the_window_never_shrinks_nor_passes_its_end(low: int, more: int, until: int, step: int) -> None:
    c = config(first_max_start=low, max_start=low + more, grow_until=until, expert_epochs_total=100)
    assert low <= c.starts_below(step) <= c.starts_below(step + 1) <= low + more
    assert (c.starts_below(0), c.starts_below(until)) == (low, low + more)


def test_starts_are_drawn_from_the_window_of_their_update() -> None:
    method = TrajectoryMatching(config(**GROWING))
    weights = torch.arange(100 * 11).reshape(100, 11, 1)
    seen: dict[int, set[int]] = {}
    for draw in range(300):
        for step in (0, 8, 30):
            task: Any = SimpleNamespace(
                prepared={"experts": weights}, generator=lambda name, d=draw: Generator().manual_seed(d), step=step
            )
            start, target = method.window(task)
            assert int(target) == int(start) + 2
            seen.setdefault(step, set()).add(int(start) % 11)
    assert seen == {0: {2, 3}, 8: {2, 3, 4, 5}, 30: set(range(2, 9))}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"first_max_start": 4}, "only first_max_start is given"),
        ({"grow_until": 4}, "only grow_until is given"),
        (
            {"first_max_start": 21, "grow_until": 4},
            "first_max_start 21 is not above min_start 0 and up to max_start 20",
        ),
        ({"min_start": 3, "first_max_start": 3, "grow_until": 4}, "is not above min_start 3"),
        ({"min_step_size": 0.01}, "lr_teacher 0.001, below min_step_size 0.01"),
        ({"loss_threshold": 0.0}, "loss_threshold"),
        ({"ema": 1.0}, "ema"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(args: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(**args)


@pytest.mark.parametrize(("floor", "lowest"), [(None, -1e9), (0.04, 0.04)])
def test_the_step_size_is_held_up(floor: float | None, lowest: float) -> None:
    args = {
        "iterations": 1, "lr": 1e-3, "lr_lr": 5.0, "lr_teacher": 0.05, "syn_steps": 2, "max_start": 1, "experts": 1,
        "expert_epochs": 1, "expert_epochs_total": 1, "expert_lr": 1e-4, "min_step_size": floor,
    }  # fmt: skip
    method = TrajectoryMatching(config(**args))
    task = Ground((6,), "signal").matching(method)
    learned(task, method)
    alpha = float(task.extra(STEP_SIZE).detach())
    assert (alpha < 0.04) if floor is None else (alpha == pytest.approx(lowest))


def test_a_loss_is_accepted_up_to_the_threshold() -> None:
    limited = TrajectoryMatching(config(loss_threshold=1.1))
    assert [limited.accepts(loss) for loss in (0.3, 1.1, 1.1001)] == [True, True, False]
    assert TrajectoryMatching(config()).accepts(1e30)


def test_without_labels_nothing_more_is_stored_or_held() -> None:
    method = TrajectoryMatching(config())
    assert method.label_leaf is None
    assert [leaf.name for leaf in method.extra_leaves(10)] == [STEP_SIZE]
    small = {"experts": 2, "max_start": 1, "expert_epochs": 1, "expert_epochs_total": 1}
    assert set(Ground((6,), "signal").matching(TrajectoryMatching(config(**small))).prepared) == {"experts"}
