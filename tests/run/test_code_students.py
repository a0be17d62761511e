"""Students on codes: what they see, against a slow encoding; whole cells; and that nothing held out enters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ddbench_methods.mtt import LABELS
from small_cells import choice, outcome, small_cell, small_folder
from torch import Tensor

from ddbench import artifact
from ddbench.data import Data
from ddbench.distill.space import CodeSpace
from ddbench.engines.inline import Inline
from ddbench.errors import PluginError
from ddbench.evaluate import TensorSet, evaluate
from ddbench.interfaces.engine import Job
from ddbench.interfaces.signal import SignalSpec
from ddbench.planning.plan import plan
from ddbench.result.schema import Result
from ddbench.run.cell import load_data
from ddbench.run.code_students import as_codes
from ddbench.run.folder import RunFolder
from ddbench.spec.cell import Cell, Space

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))


def cell(*student_spaces: Space, rate: float = 0.01, **given: Any) -> Cell:
    made = small_cell(**given)
    protocol = made.protocol.model_copy(update={"student_spaces": student_spaces, "lr": rate})
    return made.model_copy(update={"protocol": protocol})


PCA: dict[str, Any] = {"codec": "pca", "method": "random", "ipc": 1, "codec_args": {"components": 5}}
DOWNSAMPLE: dict[str, Any] = {"codec": "downsample", "method": "dm", "space": "code"}


def run(path: Path, *cells: Cell) -> tuple[RunFolder, list[Result]]:
    folder = small_folder(path, list(cells))
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    results = [folder.result(c.key) for c in cells]
    for result in results:
        assert result is not None
        assert result.status == "ok", result.error
    return folder, [r for r in results if r is not None]


@pytest.mark.parametrize("given", [PCA, DOWNSAMPLE], ids=["random × pca", "dm × downsample in code space"])
def test_students_in_both_spaces(tmp_path: Path, given: dict[str, Any]) -> None:
    both, alone = cell("signal", "code", rate=0.2, **given, epochs=60), cell("signal", rate=0.2, **given, epochs=60)
    folder, (mine, before) = run(tmp_path / "run", both, alone)
    signal = [r for r in mine.runs if r.space == "signal"]
    code = [r for r in mine.runs if r.space == "code"]
    assert [*signal, *code] == list(mine.runs)
    assert tuple(signal) == before.runs, "students on signals are who they were"
    assert [(r.column, r.student, r.steps, r.samples_seen) for r in code] == [
        (r.column, r.student, r.steps, r.samples_seen) for r in signal
    ]
    assert min(r.accuracy for r in code) > 0.3, "ten classes: codes teach"
    assert {r.correct for r in code}.isdisjoint(r.correct for r in signal)

    stored, data = artifact.load(folder.cell_dir(both.key)), load_data(both)
    seen, train = slow(stored, data)
    again = [
        r for g in evaluate(train, seen, both.protocol, reference_items=slots(both), seed=0, space="code") for r in g
    ]
    assert {(r.column, r.student): r.correct for r in again} == {(r.column, r.student): r.correct for r in code}


def slots(cell: Cell) -> int:
    assert cell.budget is not None
    return 10 * int(cell.budget.ipc or 0)


def slow(stored: artifact.DistilledSet, data: Data) -> tuple[Data, TensorSet]:
    """What code students see, in small parts: standardised here, so that nothing is left for the SignalSpec to do."""
    codec = stored.codec()
    leaf = str(codec.code_leaf)
    shared = {n: c for n, c in stored.codes.items() if n != leaf}

    def encoded(split: Any) -> Tensor:
        rows = []
        for i in range(0, len(split), 7):
            x = data.card.signal.normalise(split.signals[i : i + 7])
            rows.append(codec.encode(x, split.labels[i : i + 7], shared)[leaf])
        return torch.cat(rows)  # pyright: ignore[reportArgumentType, reportCallIssue]

    real = encoded(data.train)
    channels = real.transpose(0, 1).flatten(1).double()
    shape = (-1, *(1,) * (real.dim() - 2))
    mean = torch.stack([c.sum() / len(c) for c in channels])
    std = torch.stack([((c - m).square().sum() / (len(c) - 1)).sqrt() for c, m in zip(channels, mean)])
    std = torch.where(std > 0, std, 1.0)

    def standard(z: Tensor) -> Tensor:
        return ((z.double() - mean.reshape(shape)) / std.reshape(shape)).float()

    c = real.shape[1]
    augmentation = codec.code_augmentation(data.card.signal.augmentation)
    spec = SignalSpec(tuple(real.shape[1:]), (0.0,) * c, (1.0,) * c, augmentation=augmentation)
    held_out = replace(data.held_out, signals=standard(encoded(data.held_out)))
    code = stored.codes[leaf]
    assert isinstance(code, Tensor)
    return Data(replace(data.card, signal=spec), data.train, held_out), TensorSet(standard(code), stored.labels)


@pytest.mark.parametrize("given", [PCA, {**PCA, "storage": "float16"}, DOWNSAMPLE], ids=["pca", "pca16", "downsample"])
def test_what_code_students_see(tmp_path: Path, given: dict[str, Any]) -> None:
    mine = cell("code", **given)
    folder, _ = run(tmp_path / "run", mine)
    stored, data = artifact.load(folder.cell_dir(mine.key)), load_data(mine)
    seen = as_codes(stored, data, CPU)
    expected, train = slow(stored, data)
    torch.testing.assert_close(seen.card.signal.normalise(seen.train.signals), train.x, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        seen.card.signal.normalise(seen.held_out.signals), expected.held_out.signals, rtol=1e-5, atol=1e-5
    )
    assert torch.equal(seen.train.labels, stored.labels)
    assert torch.equal(seen.held_out.labels, data.held_out.labels)


def test_constants_are_those_of_matching_and_of_the_training_set_alone(tmp_path: Path) -> None:
    mine = cell("code", **PCA)
    folder, _ = run(tmp_path / "run", mine)
    stored, data = artifact.load(folder.cell_dir(mine.key)), load_data(mine)
    seen = as_codes(stored, data, CPU).card.signal

    matched = CodeSpace(data, stored.codec(), CPU, stored.codes)
    assert (seen.mean, seen.std) == (tuple(matched.mean.tolist()), tuple(matched.std.tolist()))
    standard = matched.real(torch.arange(len(data.train))).double()
    torch.testing.assert_close(standard.mean(0), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(standard.std(0), torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-5)

    other = replace(data.held_out, signals=data.held_out.signals.flip(0) * 7)
    foreign = as_codes(stored, Data(data.card, data.train, other), CPU)
    assert foreign.card.signal == seen
    assert torch.equal(foreign.train.signals, as_codes(stored, data, CPU).train.signals)


def test_only_codes(tmp_path: Path) -> None:
    _, (result,) = run(tmp_path / "run", cell("code", **PCA))
    assert {r.space for r in result.runs} == {"code"}
    assert json.loads(result.cell.model_dump_json())["protocol"]["student_spaces"] == ["code"]


def test_an_interrupted_evaluation_goes_on_in_either_space(tmp_path: Path) -> None:
    both = cell("signal", "code", **PCA)
    folder, (whole,) = run(tmp_path / "run", both)
    where = folder.cell_dir(both.key)
    for done in (1, 4, 5, 7):
        (where / "result.json").unlink()
        kept = [r.model_dump(mode="json") for r in whole.runs[:done]]
        (where / "students.json").write_text(json.dumps(kept))
        _, (again,) = run(tmp_path / "run", both)
        assert outcome(again) == outcome(whole)


def test_a_checkpoint_of_a_student_on_signals_is_not_taken_for_one_on_codes() -> None:
    from ddbench import registry
    from ddbench.evaluate.schedule import equal_epochs
    from ddbench.evaluate.streams import StudentStreams
    from ddbench.evaluate.students import Lesson, _name

    protocol = small_cell().protocol
    train = TensorSet(torch.zeros(4, 3), torch.tensor([0, 0, 1, 1]))
    streams = StudentStreams("digits", "1", 0, "auto")
    network = registry.build("network", "auto", {"width": 4})
    named = [
        _name(network, Lesson(train, protocol, equal_epochs(protocol, 4), streams, space=space), [0])
        for space in ("signal", "code")
    ]
    assert named[0] != named[1]


def test_the_learned_step_size_is_used_where_space_and_network_are_the_match_ones(tmp_path: Path) -> None:
    mtt: dict[str, Any] = {
        "method": "mtt", "space": "code", "codec": "downsample", "iterations": 2, "lr": 1.0, "lr_lr": 1e-3,
        "lr_teacher": 0.05, "syn_steps": 2, "max_start": 1, "expert_epochs": 1, "experts": 2, "expert_epochs_total": 1,
    }  # fmt: skip
    in_code, other = cell("signal", "code", **mtt), cell("signal", "code", **mtt)
    narrow = other.protocol.model_copy(update={"networks": (choice("network", "auto", width=6),)})
    folder, (mine, unseen) = run(tmp_path / "run", in_code, other.model_copy(update={"protocol": narrow}))
    stored = artifact.load(folder.cell_dir(in_code.key))
    alpha = float(stored.codes["step_size"])  # pyright: ignore[reportArgumentType]
    told = [note for note in mine.notes if "brings along" in note]
    assert told == [f"Students of auto on codes are trained with what the set brings along: lr {alpha:.6g}."]
    assert not any("brings along" in note for note in unseen.notes)

    at = in_code.protocol.model_copy(update={"lr": alpha})
    seen, train = slow(stored, load_data(in_code))
    parts = evaluate(train, seen, at, reference_items=slots(in_code), seed=0, space="code")
    expected = {(r.column, r.student): r.correct for part in parts for r in part}
    assert {(r.column, r.student): r.correct for r in mine.runs if r.space == "code"} == expected


def test_a_set_with_labels_of_its_own_teaches_students_on_codes_both_ways(tmp_path: Path) -> None:
    """Four kinds of students, each the ones that its own set trains; killed in between, they are who they were."""
    mtt: dict[str, Any] = {
        "method": "mtt", "space": "code", "codec": "downsample", "iterations": 2, "lr": 1.0, "lr_lr": 1e-3,
        "lr_teacher": 0.05, "syn_steps": 2, "max_start": 1, "expert_epochs": 1, "experts": 2, "expert_epochs_total": 1,
        "soft_labels": True, "lr_label": 1e-3, "ipc": 4, "epochs": 2,
    }  # fmt: skip
    mine = cell("signal", "code", **mtt)
    folder, (whole,) = run(tmp_path / "run", mine)
    (planned,) = plan([mine])
    assert len(whole.runs) == planned.students == 16
    kinds = [("signal", "hard"), ("signal", "own"), ("code", "hard"), ("code", "own")]
    assert [(r.space, r.labels) for r in whole.runs] == [kind for kind in kinds for _ in range(4)]

    stored = artifact.load(folder.cell_dir(mine.key))
    seen, train = slow(stored, load_data(mine))
    logits = stored.codes[LABELS]
    assert isinstance(logits, Tensor)
    at = mine.protocol.model_copy(update={"lr": float(stored.codes["step_size"])})  # pyright: ignore[reportArgumentType]
    soft = TensorSet(train.x, logits.exp() / logits.exp().sum(1, keepdim=True))
    for kind, learned in (("hard", train), ("own", soft)):
        parts = evaluate(learned, seen, at, reference_items=slots(mine), seed=0, space="code")
        expected = {(r.column, r.student): r for part in parts for r in part}
        found = {(r.column, r.student): r for r in whole.runs if (r.space, r.labels) == ("code", kind)}
        assert found.keys() == expected.keys()
        for key, student in found.items():
            assert student.accuracy == pytest.approx(expected[key].accuracy, abs=0.02)
            assert student.train_loss == pytest.approx(expected[key].train_loss, rel=1e-3)

    where = folder.cell_dir(mine.key)
    for done in (slice(0, 5), slice(3, 13, 3)):
        (where / "result.json").unlink()
        kept = [r.model_dump(mode="json") for r in whole.runs[done]]
        (where / "students.json").write_text(json.dumps(kept))
        _, (again,) = run(tmp_path / "run", mine)
        assert again.runs == whole.runs


@pytest.mark.parametrize(("spoilt", "whose"), [("train", "training"), ("held_out", "held-out")])
def test_codes_that_are_no_numbers_are_refused(tmp_path: Path, spoilt: str, whose: str) -> None:
    mine = cell("code", **PCA)
    folder, _ = run(tmp_path / "run", mine)
    stored, data = artifact.load(folder.cell_dir(mine.key)), load_data(mine)
    split = getattr(data, spoilt)
    signals = split.signals.float().clone()
    signals[3] = torch.inf
    parts = {"train": data.train, "held_out": data.held_out, spoilt: replace(split, signals=signals)}
    with pytest.raises(PluginError, match=f"not finite for 1 of .* {whose} items of 'digits', the first at index 3"):
        as_codes(stored, Data(data.card, parts["train"], parts["held_out"]), CPU)
