"""Published results may be added to, not taken away or changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_up_results import N_TEST, made_up_cell
from made_up_submissions import X, edit, rekey, submit

from ddbench.cli.main import execute
from ddbench.result.schema import pack_bits, unpack_bits
from ddbench.submission.against import changes
from ddbench.submission.folder import check_folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    submit(tmp_path / "old" / "a")
    submit(tmp_path / "old" / "b", made_up_cell(seed=1), (0.4, 0.55), X + 1)
    return tmp_path / "old"


@pytest.fixture
def new(old: Path) -> Path:
    return Path(shutil.copytree(old, old.parent / "new"))


def told(new: Path, old: Path, tolerance: float = 1e-9) -> list[str]:
    return [str(f) for f in changes(check_folder(new), check_folder(old, measured=False), tolerance)]


def test_additions_and_new_places_are_fine(new: Path, old: Path) -> None:
    submit(new / "c", made_up_cell(seed=2), (0.1, 0.2), X + 2)
    (new / "a").rename(new / "moved")
    edit(new / "b", notes=["a remark"])
    assert told(new, old) == []
    assert execute(["validate", str(new), "--against", str(old)]) == 0


def test_a_result_that_is_gone(new: Path, old: Path) -> None:
    shutil.rmtree(new / "a")
    (text,) = told(new, old)
    assert text.startswith("a/result.json: the published result ")
    assert text.endswith(" is gone. Flag it instead")


def test_another_accuracy_and_the_tolerance(new: Path, old: Path) -> None:
    submit(new / "a", None, (0.505, 0.6))
    (first, second) = told(new, old)
    assert "the accuracy of student 0 of auto (equal_epochs, hard labels, signal) changed from 0.49 to 0.495" in first
    assert "by more than 1e-09" in second
    assert told(new, old, 0.005001) == []
    assert execute(["validate", str(new), "--against", str(old)]) == 3
    assert execute(["validate", str(new), "--against", str(old), "--tolerance", "0.01"]) == 0


def test_other_items_right_at_the_same_accuracy(new: Path, old: Path) -> None:
    right = [bit for run in check_folder(new).entries[0].result.runs[:1] for bit in unpack_bits(run.correct, N_TEST)]
    edit(new / "a", runs__0__correct=pack_bits([bool(bit) for bit in right][::-1]))
    (text,) = told(new, old)
    assert text.endswith("the items that student 0 of auto (equal_steps, hard labels, signal) got right changed")


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        ({"phases__0__seconds": 0.001}, "phases of a published result changed"),
        ({"provenance__device": "another"}, "provenance of a published result changed"),
        ({"runs__0__train_loss": 0.5}, "train_loss of student 0 of auto (equal_steps, hard labels, signal) changed"),
        ({"losses": [{"step": 0, "loss": 1.0}]}, "losses of a published result changed"),
    ],
)
def test_whatever_else_pages_show_stays_as_it_was(new: Path, old: Path, change: dict, told_of: str) -> None:
    edit(new / "a", **change)
    for tolerance in (1e-9, 0.1):
        (text,) = told(new, old, tolerance)
        assert text.endswith(told_of)


def test_notes_may_be_added_but_not_taken_away(new: Path, old: Path) -> None:
    edit(old / "a", notes=["One.", "Two."])
    edit(new / "a", notes=["Three.", "Two."])
    assert told(new, old) == ["a/result.json: a note of a published result is gone: 'One.'"]


def test_changed_bytes_set_key_and_students(new: Path, old: Path) -> None:
    submit(new / "a", None, x=X * 2)
    assert told(new, old) == ["a/result.json: the distilled set of a published result changed"]
    shutil.rmtree(new / "a")
    shutil.copytree(old / "a", new / "a")
    edit(new / "a", bytes__decoder=5, runs__1__student=9)
    assert told(new, old) == [
        "a/result.json: the bytes of a published result changed in their parts",
        "a/result.json: student 1 of auto (equal_steps, hard labels, signal) of a published result is gone",
        "a/result.json: student 9 of auto (equal_steps, hard labels, signal) was added to a published result",
    ]
    edit(new / "a", run_id="another", cell__protocol__lr=0.5)
    rekey(new / "a")
    edit(new / "a", run_id="run-0")
    (text,) = told(new, old)
    assert "the key of a published result changed from " in text


@pytest.mark.parametrize("words", [["--tolerance", "0.1"], ["--against", "nowhere"]])
def test_what_is_asked_wrongly(new: Path, words: list[str]) -> None:
    assert execute(["validate", str(new), *words]) in (2, 3)


def test_only_folders_are_compared(new: Path, old: Path, capsys: pytest.CaptureFixture) -> None:
    assert execute(["validate", str(new / "a" / "result.json"), "--against", str(old)]) == 2
    assert "--against compares folders" in capsys.readouterr().out
