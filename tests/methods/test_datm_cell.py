"""DATM from cell to result: labels stored, charged, read back; students on classes and on the set's own labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ddbench_methods.mtt import LABELS
from small_cells import choice, outcome, small_cell, small_folder

from ddbench.artifact import load
from ddbench.engines.inline import Inline
from ddbench.evaluate import TensorSet, evaluate
from ddbench.interfaces.engine import Job
from ddbench.planning.plan import plan
from ddbench.report.table import collect, render
from ddbench.result.schema import Result
from ddbench.run import cell as cell_module
from ddbench.run.cell import load_data
from ddbench.spec.cell import Cell, EvaluationProtocol

DATM: dict[str, Any] = {
    "iterations": 4, "lr": 1.0, "lr_lr": 1e-3, "lr_teacher": 0.05, "syn_steps": 2, "max_start": 2, "expert_epochs": 1,
    "experts": 2, "expert_epochs_total": 3, "soft_labels": True, "first_items": "correct", "first_max_start": 1,
    "grow_until": 3, "loss_threshold": 5.0, "ema": 0.5,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))


def run(path: Path, cell: Cell) -> Result:
    folder = small_folder(path, [cell])
    Inline().run(Job(folder.path, folder.keys(), device="cpu", checkpoint_s=0.0), lambda event: None)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "ok", result.error
    return result


@pytest.mark.parametrize(
    ("how", "slots", "label_bytes"),
    [
        # an item is 256 bytes of pixels and 40 of logits in a budget of 4 × 256: three and no fourth
        ({"ipc": 4}, 3, 30 * 40),
        # 64 and 40 bytes an item: nine and, since payload alone leaves room, a tenth that passes the cap by 164 bytes
        ({"ipc": 4, "codec": "downsample", "codec_args": {"factor": 2}}, 10, 100 * 40),
        ({"ipc": 4, "storage": "float16"}, 7, 70 * 20),
        ({"ipc": 4, "space": "code"}, 3, 30 * 40),
    ],
    ids=["plain", "small items", "float16", "code space"],
)
def test_labels_are_stored_charged_and_learned_from(
    tmp_path: Path, how: dict[str, Any], slots: int, label_bytes: int
) -> None:
    cell = small_cell(method="mtt", **{**DATM, "lr_label": 1e-3, **how})
    (planned,) = plan([cell])
    result = run(tmp_path / "run", cell)
    assert result.bytes is not None
    assert set(result.bytes.items) == {planned.slots} == {slots}
    assert result.bytes.parts[f"item/{LABELS}"] == label_bytes
    assert result.bytes.side == result.bytes.parts[f"item/{LABELS}"] + 4
    assert result.bytes.used == planned.used_bytes
    assert len(result.runs) == planned.students == 8

    stored = load(small_folder(tmp_path / "run", [cell]).cell_dir(cell.key))
    logits = stored.codes[LABELS]
    assert isinstance(logits, torch.Tensor)
    x, source = stored.decode_items()
    soft = torch.stack([logits[int(i)].exp() / logits[int(i)].exp().sum() for i in source])
    assert torch.equal(soft.argmax(1), stored.labels[source]), "they began right and moved little"
    alone = {"hard": stored.labels[source], "own": soft}
    rate = {}
    if cell.space == "signal":
        rate = {"lr": float(stored.codes["step_size"])}  # pyright: ignore[reportArgumentType]
    protocol = cell.protocol.model_copy(update=rate)
    for kind, y in alone.items():
        sets = evaluate(TensorSet(x, y), load_data(cell), protocol, reference_items=40, seed=0)
        expected = {(r.column, r.student): r for part in sets for r in part}
        found = {(r.column, r.student): r for r in result.runs if r.labels == kind}
        assert found.keys() == expected.keys()
        for at, run_ in found.items():
            assert run_.accuracy == pytest.approx(expected[at].accuracy, abs=0.02)
            assert run_.train_loss == pytest.approx(expected[at].train_loss, rel=1e-3)


def test_the_note_and_the_table_tell(tmp_path: Path) -> None:
    cell = small_cell(method="mtt", ipc=4, **{**DATM, "loss_threshold": 1e-6})
    result = run(tmp_path / "run", cell)
    assert any("4 of 4 updates were skipped" in note for note in result.notes)
    assert any("not those of the row `random`" in note for note in result.notes)
    text = render(collect(tmp_path / "run"), "markdown")
    assert "equal steps auto own labels" in text
    scores = json.loads(render(collect(tmp_path / "run"), "json"))["tables"][0]["rows"][0]["scores"]
    (hard, own) = (scores[f"equal_steps/auto{end}"] for end in ("", " own labels"))
    mean = {
        k: [r.accuracy for r in result.runs if r.labels == k and r.column == "equal_steps"] for k in ("hard", "own")
    }
    assert hard["accuracy"] == pytest.approx(sum(mean["hard"]) / 2)
    assert own["accuracy"] == pytest.approx(sum(mean["own"]) / 2)
    assert hard["students"] == own["students"] == 2


def test_a_protocol_may_ask_for_one_kind(tmp_path: Path) -> None:
    cell = small_cell(method="mtt", ipc=4, **DATM)
    protocol = EvaluationProtocol.model_validate({**cell.protocol.model_dump(), "labels": ["own"]})
    own = run(tmp_path / "own", cell.model_copy(update={"protocol": protocol}))
    both = run(tmp_path / "both", cell)
    assert own.runs == tuple(r for r in both.runs if r.labels == "own")
    assert {r.labels for r in both.runs} == {"hard", "own"}


def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = small_cell(method="mtt", ipc=4, **{**DATM, "loss_threshold": 0.65})
    whole = run(tmp_path / "whole", cell)
    folder, write = small_folder(tmp_path / "broken", [cell]), cell_module.write_checkpoint

    def killed(path: Any, progress: Any, *more: Any) -> None:
        write(path, progress, *more)
        if progress.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(cell_module, "write_checkpoint", killed)
    job = Job(folder.path, folder.keys(), device="cpu", checkpoint_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        Inline().run(job, lambda event: None)
    monkeypatch.setattr(cell_module, "write_checkpoint", write)
    again = run(tmp_path / "broken", cell)
    assert outcome(again) == outcome(whole)
    assert [n for n in again.notes if "skipped" in n] == [n for n in whole.notes if "skipped" in n]


def test_first_items_without_labels_are_another_draw_than_randoms(tmp_path: Path) -> None:
    """With no updates a row stores its first items: those of `random`, or those of them that the expert gets right."""
    args = {**DATM, "iterations": 0, "soft_labels": False, "ema": 0.0}
    stored = {}
    for name, cell in {
        "random": small_cell(method="random", ipc=3),
        "plain": small_cell(method="mtt", ipc=3, **{**args, "first_items": "random"}),
        "correct": small_cell(method="mtt", ipc=3, **args),
    }.items():
        run(tmp_path / name, cell)
        stored[name] = load(small_folder(tmp_path / name, [cell]).cell_dir(cell.key)).codes["x"]
    assert torch.equal(stored["random"], stored["plain"])
    same = (stored["random"] == stored["correct"]).flatten(1).all(1)
    assert 0 < int(same.sum()) < len(same)
    assert choice("method", "mtt").args == choice("method", "mtt", soft_labels=False).args
