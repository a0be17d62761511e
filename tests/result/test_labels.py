"""Labels and flags: only the maintainers' files count, and every mistake in them is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_up_results import made_up_cell, made_up_result

from ddbench.errors import SpecError
from ddbench.result.labels import Labels
from ddbench.result.schema import Result
from ddbench.result.verification import claim_digest

RESULT = made_up_result(made_up_cell())
OTHER = made_up_result(made_up_cell(seed=1))


def verification(result: Result = RESULT, verdict: str = "agrees", **changes: Any) -> dict[str, Any]:
    comparison = {
        "column": "equal_steps", "network": "auto", "labels": "hard", "space": "signal", "claimed": 0.55, "found": 0.56,
        "students_claimed": 2, "students_found": 3, "half_width": 0.02, "verdict": verdict,
    }  # fmt: skip
    return {
        "verification_version": 1, "key": result.key, "run_id": result.run_id, "claim": claim_digest(result),
        "sha256": None, "independent": True, "confidence": 0.99, "comparisons": [comparison],
        "runs": [result.runs[0].model_dump(mode="json")], "verdict": verdict, "ddbench": "0", "device": "cpu",
        "by": "a maintainer", "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:00:01+00:00",
        **changes,
    }  # fmt: skip


def board(folder: Path, *found: dict[str, Any], flags: str = "") -> Path:
    (folder / "verifications").mkdir(exist_ok=True)
    for v in found:
        (folder / "verifications" / f"{v['key']}-{v['run_id']}.json").write_text(json.dumps(v))
    if flags:
        (folder / "flags.yaml").write_text(flags)
    return folder


def test_a_folder_without_labels_verifies_nothing(tmp_path: Path) -> None:
    labels = Labels.read(tmp_path)
    assert (labels.label(RESULT), labels.flag(RESULT), labels.verification(RESULT)) == ("self-reported", None, None)
    assert labels == Labels()


def test_a_verification_that_agrees_verifies_its_result_alone(tmp_path: Path) -> None:
    labels = Labels.read(board(tmp_path, verification()))
    assert (labels.label(RESULT), labels.label(OTHER)) == ("verified", "self-reported")


@pytest.mark.parametrize("verdict", ["disagrees", "inconclusive"])
def test_other_verdicts_do_not_verify_but_can_be_shown(tmp_path: Path, verdict: str) -> None:
    labels = Labels.read(board(tmp_path, verification(verdict=verdict)))
    found = labels.verification(RESULT)
    assert labels.label(RESULT) == "self-reported"
    assert found is not None
    assert found.verdict == verdict


def test_a_claim_that_changed_is_not_verified_any_more(tmp_path: Path) -> None:
    labels = Labels.read(board(tmp_path, verification()))
    better = made_up_result(made_up_cell(), (0.9, 0.9))
    assert (better.key, better.run_id) == (RESULT.key, RESULT.run_id)
    assert labels.label(better) == "self-reported"


def test_one_beside_the_result_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "results" / "x").mkdir(parents=True)
    (tmp_path / "results" / "x" / "verification.json").write_text(json.dumps(verification()))
    assert Labels.read(tmp_path).label(RESULT) == "self-reported"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"verdict": "disagrees"}, "is not what its comparisons come to"),
        ({"verification_version": 2}, "version 2"),
        ({"comparisons": []}, "comparisons"),
        ({"confidence": float("nan")}, "NaN"),
        ({"extra": 1}, "extra"),
    ],
)
def test_broken_verifications_are_told_and_the_others_count(tmp_path: Path, changes: dict, said: str) -> None:
    folder = board(tmp_path, verification(OTHER), verification() | changes)
    labels = Labels.read(folder)
    assert (labels.label(RESULT), labels.label(OTHER)) == ("self-reported", "verified")
    (told,) = labels.unreadable
    assert said in told
    assert RESULT.key in told


def test_a_file_under_another_name_does_not_count(tmp_path: Path) -> None:
    board(tmp_path)
    (tmp_path / "verifications" / "x.json").write_text(json.dumps(verification()))
    labels = Labels.read(tmp_path)
    assert labels.label(RESULT) == "self-reported"
    assert "should be called" in labels.unreadable[0]


def entry(kind: str, run_id: str | None = None, key: str = RESULT.key) -> str:
    own = f"run_id: {run_id}, " if run_id else ""
    return f"  - {{key: {key}, {own}kind: {kind}, reason: tested on the test set, date: 2026-02-03, by: me}}\n"


def test_flags_of_a_key_and_of_a_run(tmp_path: Path) -> None:
    text = "ddbench_flags: 1\nflags:\n" + entry("doubtful") + entry("withdrawn", "run-0")
    labels = Labels.read(board(tmp_path, flags=text))
    flag, again = labels.flag(RESULT), labels.flag(RESULT.model_copy(update={"run_id": "run-7"}))
    assert flag is not None
    assert again is not None
    assert (flag.kind, again.kind, flag.date, flag.reason) == (
        "withdrawn", "doubtful", "2026-02-03", "tested on the test set",
    )  # fmt: skip
    assert labels.flag(OTHER) is None
    assert labels.ranked([RESULT, OTHER]) == [OTHER]


def test_all_mistakes_of_the_flags_are_told_with_their_lines(tmp_path: Path) -> None:
    text = (
        "ddbench_flags: 1\nflags:\n"
        + entry("withdrawn", key="abc")
        + entry("wrong")
        + "  - {kind: doubtful, reson: x}\n"
    )
    with pytest.raises(SpecError) as error:
        Labels.read(board(tmp_path, flags=text))
    lines = str(error.value).splitlines()
    for line, said in ((3, "pattern"), (4, "'doubtful'"), (5, "'reson'"), (5, "'key' is missing"), (5, "'by'")):
        assert any(f"flags.yaml:{line}: " in told and said in told for told in lines), (line, said, lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "mapping"),
        ("flags: []", "ddbench_flags"),
        ("ddbench_flags: 2", "ddbench_flags"),
        ("ddbench_flags: 1\nflags:\n" + entry("doubtful") * 2, "on line 3 already"),
        ("ddbench_flags: 1\nflags:\n" + entry("doubtful").replace("2026-02-03", "2026-02-31"), "date"),
        ("ddbench_flags: 1\nflags: !!python/object/apply:os.system [ls]\n", "tag"),
    ],
)
def test_flags_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Labels.read(board(tmp_path, flags=text))
