"""Cells of a codec whose transform is not stored but fitted again: nothing is charged, nothing is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_cells import outcome, small_cell, small_folder

from ddbench import artifact
from ddbench.cli.validate import _artifact
from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError
from ddbench.interfaces.engine import Job
from ddbench.report.files import write_report
from ddbench.report.table import collect
from ddbench.result.schema import Result
from ddbench.run.cell import complete, load_data
from ddbench.run.folder import RunFolder
from ddbench.spec.cell import Cell

D = 64
TRANSFORM_BYTES = 4 * (D * D + 2 * D)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))


def cell(refit: bool = True, evaluate_on: str = "test", **given: Any) -> Cell:
    made = small_cell("zca", codec_args={"refit": refit}, **{"method": "random", "ipc": 2, **given})
    spaces = {"student_spaces": ("signal", "code"), "evaluate_on": evaluate_on}
    return made.model_copy(update={"protocol": made.protocol.model_copy(update=spaces)})


def run(path: Path, *cells: Cell) -> tuple[RunFolder, list[Result]]:
    folder = small_folder(path, list(cells))
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    found = [folder.result(c.key) for c in cells]
    for result in found:
        assert result is not None
        assert result.status == "ok", result.error
    return folder, [r for r in found if r is not None]


def test_what_is_not_stored_is_said(tmp_path: Path) -> None:
    free, held = cell(), cell(refit=False, ipc=9)
    folder, (result, paid) = run(tmp_path / "run", free, held)
    assert result.bytes is not None
    assert paid.bytes is not None
    assert result.bytes.parts == {"item/z": 20 * D * 4}
    assert (result.bytes.used, result.bytes.refitted, paid.bytes.refitted) == (20 * D * 4, TRANSFORM_BYTES, 0)
    assert paid.bytes.used - paid.bytes.parts["item/z"] == TRANSFORM_BYTES
    assert paid.bytes.items == (2,) * 10, "seven of the nine images a class pay for the transform"
    (told,) = [note for note in result.notes if "fitted again" in note]
    assert f"{TRANSFORM_BYTES:,} bytes" in told
    assert "not ranked" in told
    assert not any("fitted again" in note for note in paid.notes)

    stored = artifact.load(folder.cell_dir(free.key))
    assert stored.card.refitted_for == "test"
    assert stored.lacking == ("basis", "scale", "mean")
    with pytest.raises(
        ArtifactError, match=r"does not store basis, scale, mean: .* training set of 'digits', revision"
    ):
        stored.decode()
    with pytest.raises(ArtifactError, match="'basis' should have shape"):
        stored.completed({})
    assert "not decoded: basis, scale, mean are fitted again" in _artifact(stored.file)


def test_the_fitted_set_is_the_one_that_stores_its_transform(tmp_path: Path) -> None:
    """The same items: picked by the same draws, they decode to the real signals in either form."""
    cells = [cell(), cell(refit=False, ipc=9)]
    folder, (free, paid) = run(tmp_path / "run", *cells)
    signals = [complete(c, artifact.load(folder.cell_dir(c.key))).decode() for c in cells]
    real = load_data(cells[0]).card.signal.normalise(load_data(cells[0]).train.signals)
    for x, y in signals:
        assert len(y) == 20
        assert float(torch.cdist(x.flatten(1), real.flatten(1)).min(1).values.max()) < 1e-2
    assert {r.space for r in free.runs} == {r.space for r in paid.runs} == {"signal", "code"}


def test_matching_and_students_on_whitened_signals(tmp_path: Path) -> None:
    """MTT's use of ZCA, with DM: networks see whitened signals in matching, training and test."""
    _, (learned,) = run(tmp_path / "run", cell(method="dm", space="code"))
    assert learned.losses[-1].loss < learned.losses[0].loss
    assert len([r for r in learned.runs if r.space == "code"]) == 4


def test_interrupted_cells_fit_again(tmp_path: Path) -> None:
    folder, (whole,) = run(tmp_path / "run", cell())
    (folder.cell_dir(whole.key) / "result.json").unlink()
    _, (again,) = run(tmp_path / "run", cell())
    assert outcome(again) == outcome(whole)


def test_validation_fits_on_what_is_not_held_out(tmp_path: Path) -> None:
    held = cell(evaluate_on="validation")
    folder, _ = run(tmp_path / "run", cell(), held)
    stored = artifact.load(folder.cell_dir(held.key))
    assert stored.card.refitted_for == "validation"
    mean = complete(held, stored).codes["mean"]
    assert isinstance(mean, torch.Tensor)
    data = load_data(held)
    torch.testing.assert_close(
        mean, data.card.signal.normalise(data.train.signals).mean(0).flatten(), atol=1e-5, rtol=0
    )
    other = complete(cell(), artifact.load(folder.cell_dir(cell().key))).codes["mean"]
    assert not torch.equal(mean, other)  # pyright: ignore[reportArgumentType]


def test_the_report_draws_what_it_completes(tmp_path: Path) -> None:
    folder, _ = run(tmp_path / "run", cell(), cell(refit=False, ipc=9))
    written = write_report(folder, collect(folder.path))
    assert (len(written.pictures), written.troubles) == (2, [])
    text = written.table.read_text()
    assert text.count("NOT RANKED") == 1
    assert text.index("refit=false") < text.index("NOT RANKED") < text.index("refit=true")
