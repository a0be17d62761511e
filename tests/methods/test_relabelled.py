"""Teacher's labels: mixed as a slow loop does, stored in few bits, read back, learned from; teachers that learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ddbench_methods.relabelled import LABELS, Relabelled, RelabelledConfig, mixed
from ddbench_methods.teacher import TeacherConfig, teacher_logits
from hypothesis import given, settings
from hypothesis import strategies as st
from small_cells import outcome, small_cell, small_folder
from torch import Generator

from ddbench.artifact import load
from ddbench.artifact.card import read_card
from ddbench.artifact.distilled import CARD, DistilledSet
from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError, Divergence, SpecError
from ddbench.evaluate import TensorSet, evaluate
from ddbench.interfaces.engine import Job
from ddbench.planning.plan import plan
from ddbench.result.schema import Result
from ddbench.run.cell import load_data
from ddbench.spec.cell import Cell
from ddbench.testing.method_case import Ground

TEACHER: dict[str, Any] = {"epochs": 2, "batch": 64}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))


def by_hand(p: list[float], y: int, levels: int) -> list[float]:
    """The label of one item, spelled out."""
    other = max((k for k in range(len(p)) if k != y), key=lambda k: p[k])
    share = round(levels * p[other] / (p[other] + p[y])) / levels
    label = [0.0] * len(p)
    label[y] += 1 - share
    label[other] += share
    return label


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), m=st.integers(1, 9), k=st.integers(2, 7), levels=st.integers(1, 12))
def test_labels_are_those_made_by_hand(seed: int, m: int, k: int, levels: int) -> None:
    draw = Generator().manual_seed(seed)
    p = (3 * torch.randn(m, k, generator=draw, dtype=torch.float64)).softmax(1)
    y = torch.randint(k, (m,), generator=draw)
    method = Relabelled(RelabelledConfig(levels=levels))
    labels = method.own_labels({LABELS: mixed(p, y, levels)}, y, k)
    wanted = torch.tensor([by_hand(row, int(c), levels) for row, c in zip(p.tolist(), y)])
    assert torch.allclose(labels, wanted, atol=1e-6)


def test_a_label_without_another_class_names_its_own() -> None:
    """Which is what costs the fewest bits, and what one class alone gets."""
    p = torch.tensor([[0.99, 0.006, 0.004], [0.2, 0.7, 0.1]])
    assert mixed(p, torch.tensor([0, 1]), 8).tolist() == [[0, 0], [2, 0]]
    assert mixed(torch.ones(2, 1), torch.tensor([0, 0]), 8).tolist() == [[0, 0], [0, 0]]


def test_more_classes_than_a_byte_names_are_refused() -> None:
    method = Relabelled(RelabelledConfig())
    assert len(method.extra_leaves(256)) == 1
    with pytest.raises(SpecError, match="256 classes at most; there are 257"):
        method.extra_leaves(257)


def test_an_item_of_several_values_has_the_mean_of_their_probabilities() -> None:
    p = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4], [0.5, 0.1, 0.4]])
    index, y = torch.tensor([[0, 1], [2, 3]]), torch.tensor([0, 2])
    rows = Relabelled(RelabelledConfig()).extra({"probabilities": p}, index, y)
    assert rows[LABELS].tolist() == [[4, 2], [4, 0]]  # means (.5, .1, .4) and (.4, .2, .4): 4/9 and 1/2 in eighths


class TestTeacher:
    def test_it_learns_and_depends_on_its_seed_alone(self) -> None:
        ground = Ground((1, 8, 8), "signal")
        task = ground.preparation(ground.selection().space)
        logits = teacher_logits(task, TeacherConfig(epochs=30, batch=8))
        torch.manual_seed(5)
        again = teacher_logits(ground.preparation(ground.selection().space), TeacherConfig(epochs=30, batch=8))
        other = teacher_logits(task, TeacherConfig(epochs=30, batch=8, teacher_seed=1))
        assert torch.equal(logits, again)
        assert not torch.equal(logits, other)
        assert (logits.argmax(1) == task.labels).float().mean() > 0.9

    def test_one_that_diverges_is_told(self) -> None:
        ground = Ground((6,), "signal")
        with pytest.raises(Divergence, match="which is 100000000"):
            teacher_logits(ground.preparation(ground.selection().space), TeacherConfig(epochs=40, lr=1e8))


def run(path: Path, cell: Cell) -> tuple[Result, DistilledSet]:
    folder = small_folder(path, [cell])
    Inline().run(Job(folder.path, folder.keys(), device="cpu", checkpoint_s=0.0), lambda event: None)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "ok", result.error
    return result, load(folder.cell_dir(cell.key))


@pytest.mark.parametrize(
    "how",
    [{}, {"codec": "downsample", "codec_args": {"factor": 2}}, {"codec": "jpeg", "ipc": 6}, {"space": "code"}],
    ids=["plain", "small items", "byte strings", "code space"],
)
def test_labels_are_stored_charged_and_learned_from(tmp_path: Path, how: dict[str, Any]) -> None:
    cell = small_cell(method="relabelled", **{"ipc": 4, **how}, **TEACHER)
    result, stored = run(tmp_path / "run", cell)
    stream, items = stored.parts[f"item/{LABELS}.stream"], sum(stored.card.counts)
    assert result.bytes is not None
    assert result.bytes.allowed is not None
    assert result.bytes.parts[f"item/{LABELS}.stream"] == stream <= result.bytes.side
    assert 0 < stream < items * 2, "two bytes an item is what the two numbers would take by themselves"
    assert result.bytes.used <= result.bytes.allowed
    assert {run.labels for run in result.runs} == {"hard", "own"}
    labels = Relabelled(RelabelledConfig(**TEACHER)).own_labels(stored.codes, stored.labels, 10)
    assert bool((labels.max(1).values < 1).any()), "the teacher is unsure of some"
    signals, source = stored.decode_items()
    train, data = TensorSet(signals, labels[source]), load_data(cell)
    (first, *_) = next(
        iter(evaluate(train, data, cell.protocol, seed=0, told="own", reference_items=cap_items(result)))
    )
    theirs = {(r.labels, r.column, r.student): r.accuracy for r in result.runs}
    assert first.accuracy == theirs["own", first.column, 0]


def cap_items(result: Result) -> int:
    """Float32 images that the budget holds."""
    assert result.bytes is not None
    assert result.bytes.allowed is not None
    return result.bytes.allowed // 256


def test_students_of_classes_see_the_items_of_the_random_row(tmp_path: Path) -> None:
    """As many as still fit."""
    told, first = run(tmp_path / "told", small_cell(method="relabelled", ipc=4, **TEACHER))
    alone, second = run(tmp_path / "alone", small_cell(method="random", ipc=4))
    n, m = first.card.counts[0], second.card.counts[0]
    a, b = first.decode()[0].unflatten(0, (10, n)), second.decode()[0].unflatten(0, (10, m))
    assert n == m - 1
    assert torch.equal(a, b[:, :n])
    assert told.bytes is not None
    assert alone.bytes is not None
    assert told.bytes.used <= alone.bytes.used


def test_cells_share_the_teacher_and_come_out_the_same(tmp_path: Path) -> None:
    cell = small_cell(method="relabelled", ipc=3, **TEACHER)
    first, _ = run(tmp_path / "a", cell)
    kept = [p for p in (tmp_path / "cache").glob("**/*") if "teacher" in str(p.relative_to(tmp_path)) and p.is_file()]
    assert kept, "the teacher is in the cache"
    changed = {p: p.stat().st_mtime_ns for p in kept}
    assert outcome(run(tmp_path / "b", cell)[0]) == outcome(first)
    run(tmp_path / "c", small_cell(method="relabelled", ipc=2, seed=1, **TEACHER))
    again = [p for p in (tmp_path / "cache").glob("**/*") if "teacher" in str(p.relative_to(tmp_path)) and p.is_file()]
    assert {p: p.stat().st_mtime_ns for p in again} == changed
    (planned,) = plan([cell])
    assert len(planned.kept) == 1
    assert planned.students == 2 * 2 * 2
    assert sum(planned.work.shared.values()) > 0


def test_a_card_that_does_not_name_the_method_is_refused(tmp_path: Path) -> None:
    cell = small_cell(method="relabelled", ipc=3, **TEACHER)
    _, stored = run(tmp_path / "run", cell)
    folder = stored.file.parent
    card = read_card(folder / CARD)
    for change, said in (
        ({"method": None}, "should name the method"),
        ({"method": cell.method.model_copy(update={"name": "no_such"})}, "no_such"),
        ({"method": cell.method.model_copy(update={"name": "random", "args": {}})}, "other leaves than the method"),
    ):
        (folder / CARD).write_text(card.model_copy(update=change).model_dump_json())
        with pytest.raises(ArtifactError, match=said):
            load(folder)
