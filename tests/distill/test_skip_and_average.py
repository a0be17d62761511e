"""Updates that are not taken leave all as it was; the running average of codes is what is stored, and resumes."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
import torch
from distill_helpers import MeanMatcher, Plain, Tiles, data_of, target_of, task_of

from ddbench.distill.checkpoint import read_checkpoint, write_checkpoint
from ddbench.distill.loop import Progress, learn
from ddbench.errors import Divergence
from ddbench.interfaces.method import MatcherConfig
from ddbench.sealed import read_sealed, write_sealed

KEY = "k" * 64


class Picky(MeanMatcher):
    """Takes the losses that are not in `refused`, counted from 0 in the order in which it is asked."""

    def __init__(self, config: MatcherConfig, refused: tuple[int, ...] = ()) -> None:
        super().__init__(config)
        self.refused, self.step = refused, 0

    def loss(self, task, state):
        self.step = task.step
        return super().loss(task, state)

    def accepts(self, loss: float) -> bool:
        return self.step not in self.refused


def ignore(progress: Progress) -> None:
    pass


def run(refused: tuple[int, ...] = (), iterations: int = 6, resume: Progress | None = None, stop: int = -1, **args):
    """(task, progress, values of params, momentum and average after every update)."""
    data = data_of(augmentation="crop_flip")
    matcher = Picky(MatcherConfig(iterations=iterations, lr=0.3, **args), refused)
    task, progress, history = task_of(data, Plain(None, target_of(data)), matcher=matcher), resume or Progress(), []

    def keep(progress: Progress) -> None:
        groups = {"p": progress.params, "v": progress.momentum, "a": progress.average, "s": progress.state}
        history.append({f"{g}/{n}": t.detach().clone() for g, part in groups.items() for n, t in part.items()})
        if progress.step == stop:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        learn(task, matcher, progress, keep)
    return task, progress, history


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def test_an_update_that_is_not_accepted_changes_nothing() -> None:
    _, progress, history = run(refused=(2, 3, 5), ema=0.7)
    assert progress.skipped == 3
    assert progress.step == 6
    assert [step for step, _ in progress.losses] == list(range(6)), "the losses are recorded all the same"
    moved = [not same(_items(b), _items(a)) for a, b in pairwise(history)]
    assert moved == [True, False, False, True, False]
    still = {n for n in history[1] if not n.startswith("s/mean")}
    assert all(torch.equal(history[1][n], history[3][n]) for n in still)
    assert int(history[-1]["s/count"]) == 3, "after_update is not called"


def _items(values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n: t for n, t in values.items() if n.startswith("p/")}


def test_all_refused_leaves_the_first_items() -> None:
    data = data_of(augmentation="crop_flip")
    first = task_of(data, Plain(None, target_of(data)), matcher=MeanMatcher(MatcherConfig(iterations=1, lr=0.3)))
    task, progress, _ = run(refused=tuple(range(6)))
    assert progress.skipped == 6
    assert progress.momentum == {}
    assert all(torch.equal(p, first.params[n]) for n, p in task.params.items())


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_the_average_is_its_formula_and_leaves_the_way_of_the_items_alone(decay: float) -> None:
    task, progress, history = run(ema=decay)
    _, _, plain = run()
    data = data_of(augmentation="crop_flip")
    first = task_of(data, Plain(None, target_of(data)))
    assert set(progress.average) == {"x", "offset"}, "codes, not the matcher's own leaves"
    for name, found in progress.average.items():
        expected = first.params[name].detach().double()
        for values in history:
            expected = decay * expected + (1 - decay) * values[f"p/{name}"].double()
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(found, task.params[name])
    for a, b in zip(history, plain):
        assert same(_items(a), _items(b))
    stored = task.export(progress.average)
    assert torch.equal(stored["x"], progress.average["x"])  # pyright: ignore[reportArgumentType]
    assert torch.equal(stored["weight"], task.params["weight"].detach())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_average_and_count_resume_bit_for_bit(tmp_path, stop: int) -> None:
    path, refused = tmp_path / "checkpoint.safetensors", (0, 3)
    _, whole, ways = run(refused, ema=0.9)
    _, half, _ = run(refused, stop=stop, ema=0.9)
    write_checkpoint(path, half, KEY, 1.0)
    found = read_checkpoint(path, KEY)
    assert found is not None
    _, again, rest = run(refused, resume=found[0], ema=0.9)
    assert same(again.average, whole.average)
    assert (again.skipped, again.losses) == (whole.skipped, whole.losses) == (2, whole.losses)
    for a, b in zip(rest, ways[stop:], strict=True):
        assert same(a, b)


def test_a_checkpoint_from_before_averages_is_read(tmp_path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    _, half, _ = run(stop=3)
    write_checkpoint(path, half, KEY, 1.0)
    tensors, note = read_sealed(path, KEY) or ({}, {})
    assert not any(name.startswith("average/") for name in tensors)
    old = {"step": note["step"], "losses": note["losses"], "seconds": note["seconds"]}
    write_sealed(path, KEY, tensors, old)
    found = read_checkpoint(path, KEY)
    assert found is not None
    assert (found[0].skipped, found[0].average) == (0, {})
    _, again, _ = run(resume=found[0])
    _, whole, _ = run()
    assert same(_named(again), _named(whole))


def _named(progress: Progress) -> dict[str, torch.Tensor]:
    return {n: p.detach() for n, p in progress.params.items()}


def test_divergence_keeps_the_last_good_average() -> None:
    class Lost(MeanMatcher):
        def loss(self, task, state):
            return super().loss(task, state) * (float("nan") if task.step == 2 else 1.0)

    data = data_of()
    matcher, progress = Lost(MatcherConfig(iterations=5, lr=0.3, ema=0.5)), Progress()
    task = task_of(data, Tiles(target_of(data)), matcher=matcher)
    kept: list[dict[str, torch.Tensor]] = []
    with pytest.raises(Divergence):
        learn(task, matcher, progress, lambda p: kept.append({n: a.clone() for n, a in p.average.items()}))
    assert same(kept[-1], progress.average)
    assert len(kept) == 2


def test_a_skipped_loss_that_is_not_finite_is_still_divergence() -> None:
    class Lost(MeanMatcher):
        def loss(self, task, state):
            return super().loss(task, state) * float("inf")

        def accepts(self, loss: float) -> bool:
            return False

    data = data_of()
    matcher = Lost(MatcherConfig(iterations=5, lr=0.3))
    with pytest.raises(Divergence, match="matching loss became inf"):
        learn(task_of(data, Plain(None, target_of(data)), matcher=matcher), matcher, Progress(), ignore)
