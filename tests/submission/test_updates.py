"""Updates and samples that a result claims, against counting passes by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_submissions import edit, submit

from ddbench.cli.main import execute
from ddbench.result.io import read_result
from ddbench.submission.folder import check_folder
from ddbench.submission.updates import update_faults


def counted_by_hand(epochs: int, items: int, batch: int) -> tuple[int, int]:
    """(updates, samples) of so many passes, batch by batch."""
    updates = samples = 0
    for _ in range(epochs):
        left = items
        while left:
            taken = min(batch, left)
            updates, samples, left = updates + 1, samples + taken, left - taken
    return updates, samples


def told(folder: Path) -> list[str]:
    return [str(f) for f in check_folder(folder).findings if f.kind == "wrong"]


def test_a_sound_result_has_the_updates_of_its_columns(tmp_path: Path) -> None:
    result = submit(tmp_path / "a")
    epochs, batch = result.cell.protocol.epochs, result.cell.protocol.batch
    assert {(r.steps, r.samples_seen) for r in result.runs} == {counted_by_hand(epochs, 2, min(batch, 2))}
    assert told(tmp_path) == []


@pytest.mark.parametrize("field", ["steps", "samples_seen"])
def test_other_updates_are_refused(tmp_path: Path, field: str) -> None:
    submit(tmp_path / "a")
    edit(tmp_path / "a", **{f"runs__0__{field}": 7})
    (text,) = told(tmp_path)
    assert text.startswith("a/result.json: it claims ")
    assert "that column's schedule has " in text
    assert execute(["validate", str(tmp_path)]) == 3


def test_a_student_that_stopped_has_fewer(tmp_path: Path) -> None:
    submit(tmp_path / "a")
    edit(tmp_path / "a", runs__0__train_loss=None, runs__0__steps=3, runs__0__samples_seen=6)
    assert told(tmp_path) == []
    edit(tmp_path / "a", runs__0__samples_seen=7)
    assert len(told(tmp_path)) == 1


def test_an_estimator_counts_no_updates(tmp_path: Path) -> None:
    submit(tmp_path / "a")
    edit(tmp_path / "a", runs__0__steps=0, runs__0__samples_seen=2)
    assert told(tmp_path) == []
    edit(tmp_path / "a", runs__0__samples_seen=0)
    assert len(told(tmp_path)) == 1


def test_the_published_rows_are_sound() -> None:
    """Real rows: both columns, students on codes, ceilings, learned step sizes."""
    from ddbench.artifact.measure import measure

    files = sorted((Path(__file__).parents[2] / "leaderboard" / "results").glob("*/*/result.json"))
    assert files
    checked = 0
    for file in files[::5]:
        result = read_result(file)
        card = measure(file.parent).card if result.artifact is not None else None
        assert list(update_faults(result, card)) == [], file
        checked += bool(result.runs)
    assert checked
