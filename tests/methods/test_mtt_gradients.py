"""MTT's loss and its three gradients against slow loops and finite differences, in float64."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ddbench_methods.mtt import STEP_SIZE, TrajectoryMatching
from ddbench_methods.mtt_adjoint import matching_loss
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_steps import chunks_of, draw_steps
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_match import assert_near
from slow_mtt import SHAPES, Problem, drawing_task
from torch import Generator, Tensor

from ddbench.testing.method_case import Ground

WAYS = ("adjoint", "unroll", "tesla")


def gradients(problem: Problem, how: str, weight: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """(loss, gradient of the items, gradient of the step size)."""
    x, alpha = problem.leaves()
    loss = matching_loss(problem.path, x, problem.y, alpha, how)  # pyright: ignore[reportArgumentType]
    return loss.detach(), *torch.autograd.grad(loss * weight, (x, alpha))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("batch", [None, 4])
def test_loss_and_exact_gradients_are_those_of_the_slow_loop(kind: str, batch: int | None) -> None:
    problem = Problem(kind, steps=4, batch=batch)
    x, alpha = problem.leaves()
    expected = problem.slow(x, alpha)
    slopes = torch.autograd.grad(expected, (x, alpha))
    assert float(slopes[0].abs().max()) > 1e-6
    for how in ("adjoint", "unroll"):
        loss, d_x, d_alpha = gradients(problem, how)
        assert_near(loss, expected, rtol=1e-9)
        assert_near(d_x, slopes[0], rtol=1e-7, atol=1e-9 * float(slopes[0].abs().max()))
        assert_near(d_alpha, slopes[1], rtol=1e-8)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_adjoint_is_unroll(norm: str) -> None:
    problem = Problem("maps", steps=5, n=3, batch=5, norm=norm)
    exact, unrolled = gradients(problem, "adjoint", 2.5), gradients(problem, "unroll", 2.5)
    for found, expected in zip(exact, unrolled):
        assert_near(found, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(sorted(SHAPES)), steps=st.integers(1, 4), batch=st.integers(1, 6), seed=st.integers(0, 2**20)
)
def test_adjoint_is_unroll_for_any_steps_and_chunks(kind: str, steps: int, batch: int, seed: int) -> None:
    problem = Problem(kind, steps, batch=batch, seed=seed)
    for found, expected in zip(gradients(problem, "adjoint"), gradients(problem, "unroll")):
        assert_near(found, expected, rtol=1e-8, atol=1e-9 * float(expected.abs().max()))


def test_gradients_are_those_of_finite_differences() -> None:
    problem, h = Problem("maps", steps=3, batch=4), 1e-6
    _, d_x, d_alpha = gradients(problem, "adjoint")

    def loss(x: Tensor, alpha: Tensor) -> float:
        return float(problem.slow(x, alpha, graph=False).detach())

    rise = (loss(problem.x, problem.alpha + h) - loss(problem.x, problem.alpha - h)) / (2 * h)
    assert float(d_alpha) == pytest.approx(rise, rel=1e-5)
    for place in d_x.abs().flatten().topk(3).indices.tolist():
        move = torch.zeros_like(problem.x)
        move.view(-1)[place] = h
        rise = (loss(problem.x + move, problem.alpha) - loss(problem.x - move, problem.alpha)) / (2 * h)
        assert float(d_x.flatten()[place]) == pytest.approx(rise, rel=1e-4)


@pytest.mark.parametrize("kind", SHAPES)
def test_tesla_has_the_loss_of_mtt_but_not_its_gradient(kind: str) -> None:
    problem = Problem(kind, steps=3)
    exact, approximate = gradients(problem, "adjoint"), gradients(problem, "tesla")
    assert float(approximate[0]) == pytest.approx(float(exact[0]), rel=1e-12)
    assert float((approximate[1] - exact[1]).norm() / exact[1].norm()) > 1e-3
    assert float(approximate[2]) != pytest.approx(float(exact[2]), rel=1e-3)


@pytest.mark.parametrize("kind", SHAPES)
def test_tesla_is_exact_for_one_step(kind: str) -> None:
    problem = Problem(kind, steps=1, batch=4)
    for found, expected in zip(gradients(problem, "tesla"), gradients(problem, "unroll")):
        assert_near(found, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


def test_tesla_is_its_published_formula_with_the_factor_two() -> None:
    """(2/D)·[α(θ*_{t+M} − θ*_t) + α²G]ᵀ ∂g_i/∂x_i at the student's own weights; α by G held fast."""
    problem = Problem("rows", steps=3)
    start, target, student = problem.start, problem.target, problem.student
    scale, theta, total = ((start - target) ** 2).sum(), start.clone(), torch.zeros_like(start)
    x, alpha = problem.leaves()
    maps = []
    for step in problem.steps:
        leaf = theta.detach().requires_grad_()
        (g,) = torch.autograd.grad(
            step.loss(student, leaf, x[step.rows], problem.y[step.rows]), leaf, create_graph=True
        )
        maps.append(g)
        total = total + g.detach()
        theta = theta - problem.alpha * g.detach()
    along = 2 / scale * (problem.alpha * (target - start) + problem.alpha**2 * total)
    expected = sum(torch.autograd.grad(g @ along, x)[0] for g in maps)
    (rise,) = torch.autograd.grad((start - alpha * total - target).square().sum() / scale, alpha)
    _, d_x, d_alpha = gradients(problem, "tesla")
    assert_near(d_x, torch.as_tensor(expected), rtol=1e-9, atol=1e-14)
    assert float(d_alpha) == pytest.approx(float(rise), rel=1e-10)


@pytest.mark.parametrize("how", ["adjoint", "unroll"])
def test_soft_labels_are_learned_too(how: str) -> None:
    problem = Problem("rows", steps=3, batch=4)
    logits = torch.randn(len(problem.x), 3, generator=Generator().manual_seed(1), dtype=torch.float64)

    def slopes(loss_of) -> tuple[Tensor, ...]:
        (x, alpha), soft = problem.leaves(), logits.clone().requires_grad_()
        return torch.autograd.grad(loss_of(x, soft.softmax(1), alpha), (x, soft, alpha))

    found = slopes(lambda x, y, alpha: matching_loss(problem.path, x, y, alpha, how))  # pyright: ignore[reportArgumentType]
    expected = slopes(lambda x, y, alpha: problem.slow(x, alpha, y))
    for a, b in zip(found, expected):
        assert_near(a, b, rtol=1e-8, atol=1e-12)


class Noisy(torch.nn.Module):
    """A network that draws noise of its own while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_a_networks_own_noise_is_the_same_forwards_and_backwards() -> None:
    problem = Problem("rows", steps=3)
    torch.manual_seed(0)
    student = type(problem.student)(Noisy().double())  # pyright: ignore[reportArgumentType]
    start = student.weights()
    problem.student, problem.start, problem.target = student, start, start + 0.1
    before = torch.random.get_rng_state()
    for found, expected in zip(gradients(problem, "adjoint"), gradients(problem, "unroll")):
        assert_near(found, expected, rtol=1e-9, atol=1e-14)
    assert torch.equal(torch.random.get_rng_state(), before)


@settings(max_examples=30, deadline=None)
@given(items=st.integers(1, 9), batch=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_chunks_go_through_whole_permutations(items: int, batch: int, seed: int) -> None:
    chunks = chunks_of(items, batch, Generator().manual_seed(seed))
    for _ in range(3):
        seen: list[int] = []
        while len(seen) < items:
            chunk = next(chunks).tolist()
            assert len(chunk) == min(batch, items - len(seen))
            seen += chunk
        assert sorted(seen) == list(range(items))


def test_every_step_has_its_own_draw_and_repeats_it() -> None:
    x = Problem("maps", steps=1, n=4).x
    steps = draw_steps(drawing_task("maps"), len(x), 12, 6, torch.device("cpu"))
    assert [len(s.rows) for s in steps] == [6] * 12
    for step in steps:
        assert torch.equal(step.augment(x[step.rows]), step.augment(x[step.rows]))
    assert len({tuple(s.augment(x[:6]).sum((1, 2, 3)).tolist()) for s in steps}) > 6


def test_starts_and_targets_come_from_the_window() -> None:
    config = MttConfig.model_validate({"min_start": 1, "max_start": 4, "expert_epochs": 2, "experts": 3})
    weights = torch.arange(3 * 6).reshape(3, 6, 1).float()
    drawn = set()
    for step in range(200):
        stream = Generator().manual_seed(step)
        task = SimpleNamespace(prepared={"experts": weights}, generator=lambda name, stream=stream: stream, step=step)
        start, target = TrajectoryMatching(config).window(task)  # pyright: ignore[reportArgumentType]
        assert float(target) == float(start) + 2
        drawn.add(int(start))
    assert drawn == {6 * e + t for e in range(3) for t in (1, 2, 3)}


@pytest.mark.parametrize("how", WAYS)
def test_loss_on_the_frameworks_task_is_the_slow_loop(how: str) -> None:
    """In float32, from the task's own items, experts and streams."""
    args = {"syn_steps": 2, "max_start": 2, "expert_epochs": 1, "experts": 2, "expert_epochs_total": 2}
    method = TrajectoryMatching(MttConfig.model_validate({**args, "lr_teacher": 0.05, "differentiate": how}))
    ground = Ground((1, 8, 8), "signal")
    task = ground.matching(method)
    task.begin(1)
    found = method.loss(task, {})

    task.begin(1)
    problem = Problem("maps", steps=1)
    problem.model = task.network().double()
    problem.start, problem.target = (w.double() for w in method.window(task))
    x = task.synthetic().flatten(0, 1).detach().double()
    problem.y = torch.arange(3).repeat_interleave(2)
    problem.steps = draw_steps(task, len(x), 2, None, task.device)
    expected = problem.slow(x, task.extra(STEP_SIZE).detach().double())
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)


@pytest.mark.parametrize("kept", [1, 2, 3, 7])
@pytest.mark.parametrize("how", ["adjoint", "tesla"])
def test_weights_that_are_not_kept_are_worked_out_again(kept: int, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem("maps", steps=7, n=2, batch=3)
    whole = gradients(problem, how)
    monkeypatch.setattr("ddbench_methods.mtt_adjoint.KEPT", kept)
    assert all(torch.equal(a, b) for a, b in zip(gradients(problem, how), whole))
