"""Leaves that all items share are learned beside the items: with each matcher, through a kill, within the bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_cells import small_cell
from torch import Tensor

from ddbench import artifact, registry
from ddbench.cost import cost_of
from ddbench.distill.build import learn_set
from ddbench.distill.checkpoint import read_checkpoint, write_checkpoint
from ddbench.distill.loop import Progress
from ddbench.distill.workshop import Workshop
from ddbench.errors import Divergence
from ddbench.interfaces.codec import Codes
from ddbench.planning.facts import cap_bytes
from ddbench.run.cell import card_of, load_data, workshop
from ddbench.run.storage import measure
from ddbench.spec.cell import Cell

BOTH: dict[str, Any] = {"codec": "pca", "codec_args": {"components": 3, "factor": 2, "learn": "both"}, "ipc": 2}
SHARED = ("basis", "mean")
DM: dict[str, Any] = {"method": "dm", "iterations": 6, "real_batch": 8, "lr": 10.0, "ema": 0.5}
MTT: dict[str, Any] = {
    "method": "mtt", "iterations": 4, "lr": 10.0, "lr_lr": 1e-3, "lr_teacher": 0.05, "syn_steps": 2, "max_start": 1,
    "expert_epochs": 1, "experts": 2, "expert_epochs_total": 1,
}  # fmt: skip


class Killed(Exception):
    """Stands for the signal."""


def shop_of(cell: Cell) -> Workshop:
    data = load_data(cell)
    return workshop(cell, data, cap_bytes(cell, data.card), torch.device("cpu"))


def matcher_of(cell: Cell):
    return registry.build("method", cell.method.name, cell.method.args)


def tensors(codes: Codes) -> dict[str, Tensor]:
    return {name: value for name, value in codes.items() if isinstance(value, Tensor)}


@pytest.mark.parametrize("given", [DM, MTT], ids=["dm", "mtt"])
def test_items_and_set_leaves_move_and_resume_holds_them(given: dict[str, Any], tmp_path: Path) -> None:
    cell = small_cell(**BOTH, **given)
    shop = shop_of(cell)
    still = learn_set(
        shop, registry.build("method", given["method"], {**cell.method.args, "iterations": 0}), None, kept
    )
    whole = learn_set(shop, matcher_of(cell), None, kept)
    assert whole.divergence is None
    before, after = tensors(still.codes), tensors(whole.codes)
    for name in ("z", *SHARED):
        moved = float((after[name] - before[name]).norm() / before[name].norm())
        assert 1e-6 < moved < 1, f"{name} moved by {moved} of its size"

    path = tmp_path / "checkpoint"

    def keep(progress: Progress) -> None:
        if progress.step == 2:
            write_checkpoint(path, progress, cell.key, 0.0)
            raise Killed

    with pytest.raises(Killed):
        learn_set(shop, matcher_of(cell), None, keep)
    found = read_checkpoint(path, cell.key)
    assert found is not None
    assert set(SHARED) <= set(found[0].params) & set(found[0].momentum)
    again = learn_set(shop_of(cell), matcher_of(cell), found[0], kept)
    assert all(torch.equal(value, after[name]) for name, value in tensors(again.codes).items())

    folder = tmp_path / "set"
    folder.mkdir()
    artifact.save(folder, card_of(cell, shop.data, shop.codec, whole, shop.cap_bytes), whole.codes)
    stored = artifact.load(folder)
    for name in SHARED:
        assert torch.equal(tensors(stored.codes)[name], after[name])
    cost = cost_of((*whole.leaves, *whole.extra), cell.storage)
    assert cost.per_set >= 4 * (3 + 1) * 16
    assert measure(stored, shop.cap_bytes).used == cost.total(sum(whole.counts), 10)


def test_in_code_space_what_networks_do_not_see_stays_as_it_was_fitted() -> None:
    cell = small_cell(**BOTH, **DM, space="code")
    shop = shop_of(cell)
    built = learn_set(shop, matcher_of(cell), None, kept)
    learned, fitted = tensors(built.codes), tensors(shop.fitted)
    assert all(torch.equal(learned[name], fitted[name]) for name in SHARED)
    start = learn_set(shop, registry.build("method", "dm", {**cell.method.args, "iterations": 0}), None, kept)
    assert not torch.equal(learned["z"], tensors(start.codes)["z"])


def test_a_step_that_spoils_a_set_leaf_leaves_everything_as_it_was() -> None:
    cell = small_cell(**BOTH, **{**DM, "lr": 1e38})
    shop = shop_of(cell)
    built = learn_set(shop, matcher_of(cell), None, kept)
    assert isinstance(built.divergence, Divergence)
    assert all(bool(value.isfinite().all()) for value in tensors(built.codes).values())


def kept(progress: Progress) -> None:
    """Keeps nothing."""
