"""DM's variant with a pool of networks: its loss against a float64 loop, its cache, its label, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from ddbench_methods.dm import DistributionMatching, DmConfig
from torch import Generator, Tensor
from torch.nn.utils import vector_to_parameters

from ddbench import registry
from ddbench.augment import apply, draw
from ddbench.distill.prepare import Preparation
from ddbench.errors import SpecError
from ddbench.interfaces.network import fresh, measures
from ddbench.interfaces.room import Room
from ddbench.spec.cell import Cell
from ddbench.testing.method_case import Ground
from ddbench.testing.methods import MethodContract

SHAPE = (1, 8, 8)


class TestDmPool(MethodContract):
    method = "dm"
    args: ClassVar[dict[str, Any]] = {"pool": 2}


def pooled(pool: int = 3) -> DistributionMatching:
    return DistributionMatching(DmConfig.model_validate({"pool": pool}))


def preparation(ground: Ground, network: object, on_disk: bool = False) -> Preparation:
    space = ground.matching(DistributionMatching(DmConfig.model_validate({}))).space
    return Preparation(ground.data, space, network, {"ground": str(ground)}, on_disk=on_disk)  # type: ignore[arg-type]


def slow_loss(ground: Ground, items: Tensor, entry: dict[str, Tensor]) -> Tensor:
    """Σ_c ‖mean of all real items of c − mean of its items‖² of one entry, item by item in float64."""
    psi = fresh(ground.network, SHAPE, len(items), 0, "cpu")
    vector_to_parameters(entry["weights"], psi.parameters())
    psi, strategy = psi.double(), ground.data.card.signal.augmentation
    total = torch.zeros((), dtype=torch.float64)
    for k, members in enumerate(ground.data.members):
        means = []
        for batch in (ground.data.signals(members).double(), items[k]):
            running = torch.zeros(1, dtype=torch.float64)
            for x in batch:
                omega = draw(strategy, SHAPE, 1, Generator().manual_seed(int(entry["draws"][k])), per_row_op=True)
                running = running + psi.embed(apply(omega, x[None, None])[0]).flatten()
            means.append(running / len(batch))
        total = total + ((means[0] - means[1]) ** 2).sum()
    return total


def test_loss_and_gradient_are_those_of_the_slow_loop_over_whole_classes() -> None:
    ground, method = Ground(SHAPE, "signal"), pooled()
    task = ground.matching(method)
    used = set()
    for step in range(6):
        task.begin(step)
        loss = method.loss(task, {})
        task.backward(loss)
        items = task.synthetic().detach().double().requires_grad_()
        i = int(torch.randint(3, (1,), generator=task.generator("pool")))
        used.add(i)
        expected = slow_loss(ground, items, {n: t[i] for n, t in task.prepared.items()})
        (slope,) = torch.autograd.grad(expected, items)
        assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
        found = task.params["x"].grad
        assert found is not None
        assert torch.allclose(
            found.double(), slope.flatten(0, 1), rtol=1e-3, atol=1e-6 * float(slope.abs().max()) + 1e-7
        )
    assert len(used) > 1


def test_entries_differ_in_network_and_draws_and_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path))
    ground = Ground(SHAPE, "signal")
    first = pooled(2).prepare(preparation(ground, ground.network, on_disk=True))
    assert not torch.equal(first["weights"][0], first["weights"][1])
    assert not torch.equal(first["draws"][0], first["draws"][1])

    def fails(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("ddbench_methods.dm_pool.class_mean", fails)
    again = pooled(2).prepare(preparation(ground, ground.network, on_disk=True))
    assert all(torch.equal(first[n], again[n]) for n in first)
    with pytest.raises(AssertionError, match="computed again"):
        pooled(3).prepare(preparation(ground, ground.network, on_disk=True))


def test_means_are_those_of_plain_dm_over_many_draws_of_networks() -> None:
    """The expectation over the pool is DM's: over many pairs the mean losses agree within their spread."""
    ground, plain = Ground(SHAPE, "signal"), DistributionMatching(DmConfig.model_validate({"real_batch": 7}))
    many = 40
    task, losses = ground.matching(pooled(many)), {"pool": [], "plain": []}
    for step in range(many):
        for name, method in (("pool", pooled(many)), ("plain", plain)):
            task.begin(step)
            losses[name].append(float(method.loss(task, {}).detach()))
    a, b = (torch.tensor(x) for x in losses.values())
    # Plain DM adds the sampling noise of seven real items of each class: small beside the distance of the classes.
    spread = float((a.var() / many + b.var() / many).sqrt())
    assert abs(float(a.mean() - b.mean())) < 4 * spread + 0.1 * float(b.mean())


def test_the_row_says_that_it_is_a_variant() -> None:
    assert "variant of DM" in pooled(7).notes()[0]
    assert "7 networks" in pooled(7).notes()[0]
    assert DistributionMatching(DmConfig.model_validate({})).notes() == ()


def test_cells_that_do_not_ask_for_a_pool_keep_their_keys() -> None:
    results = Path(__file__).parents[2] / "leaderboard" / "results"
    rows = [json.loads(path.read_text()) for path in sorted(results.glob("*/*/result.json"))]
    learned = [row for row in rows if row["cell"]["method"]["name"] == "dm"]
    assert learned
    for row in learned:
        assert Cell.model_validate(row["cell"]).key == row["key"]
        args = row["cell"]["method"]["args"]
        assert registry.configure("method", "dm", args).model_dump(mode="json") == args


def room(norm: str) -> Room:
    network = registry.build("network", "auto", {"width": 8, "norm": norm})
    return Room(3, 2, 2, SHAPE, measures(network, SHAPE, 3), 5, 15)


def test_batch_norm_is_refused_while_planning() -> None:
    with pytest.raises(SpecError, match="batch norm"):
        pooled().check(room("batch"))
    pooled().check(room("instance"))
    DistributionMatching(DmConfig.model_validate({})).check(room("batch"))


def test_the_plan_knows_the_bytes_of_an_entry() -> None:
    ground = Ground(SHAPE, "signal")
    network = registry.build("network", "auto", {"width": 8, "norm": "instance"})
    kept = pooled().prepare(preparation(ground, network))
    entries = pooled().entries(room("instance"))
    assert sum(size for _, size in entries) == sum(t.numel() * t.element_size() for t in kept.values())
    assert pooled().prepares
    plain = DistributionMatching(DmConfig.model_validate({}))
    assert not plain.prepares
    assert plain.entries(room("instance")) == []
