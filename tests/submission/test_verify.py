"""Verification of a cell that was really run: other students, the same ones, a changed claim, an interruption."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ddbench.cli.main import execute
from ddbench.errors import ArtifactError
from ddbench.result.io import read_result
from ddbench.result.labels import Labels
from ddbench.result.verification import read_verification
from ddbench.submission import verify as module
from ddbench.submission.verify import How, verify

SUITE = """
ddbench: 1
name: tiny
version: 1
protocol: {name: tiny, students: 2, epochs: 30, lr: 0.05, schedule: constant, networks: {mlp: {}}, columns: equal_steps}
grid:
  - datasets: digits
    codecs: identity
    methods: random
    budgets: {ipc: 5}
    seeds: 0
    network: {mlp: {}}
    include: [{method: full}]
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("ran")
    (at / "tiny.yaml").write_text(SUITE)
    assert execute(["run", str(at / "tiny.yaml"), "--out", str(at / "run"), "--no-report", "--engine", "inline"]) == 0
    return at / "run"


@pytest.fixture
def run(ran: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran, tmp_path / "run"))


@pytest.fixture
def file(run: Path) -> Path:
    return next(f for f in sorted(run.rglob("result.json")) if read_result(f).cell.budget is not None)


def test_other_students_than_the_claims(file: Path) -> None:
    result, found = read_result(file), verify(file, How(students=2, by="me"))
    assert [run.student for run in found.runs] == [2, 3]
    assert not {run.correct for run in found.runs} & {run.correct for run in result.runs}
    assert found.independent
    assert found == read_verification(file.with_name("verification.json"))
    assert (found.by, found.is_of(result), found.comparisons[0].students_claimed) == ("me", True, 2)
    assert sorted(p.name for p in file.parent.iterdir() if p.name.startswith(".")) == []


def test_the_same_students_reach_the_same_bits(file: Path) -> None:
    result, found = read_result(file), verify(file, How(same=True))
    assert [run.correct for run in found.runs] == [run.correct for run in result.runs]
    assert (found.verdict, found.independent) == ("agrees", False)


def test_a_claim_that_is_not_the_sets_disagrees(file: Path) -> None:
    data = json.loads(file.read_text())
    for run in data["runs"]:
        run["accuracy"], run["correct"] = 1.0, _all_right(run["n_test"])
    file.write_text(json.dumps(data))
    assert verify(file, How(students=3)).verdict == "disagrees"
    assert execute(["verify", str(file), "--students", "3"]) == 1


def _all_right(n: int) -> str:
    from ddbench.result.bits import pack_bits

    return pack_bits([True] * n)


def test_an_interrupted_verification_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = verify(file, How(students=3), file.with_name("whole.json"))
    write, written = module.write_atomic, []

    def stop(path: Path, data: str) -> None:
        write(path, data)
        if path.name == "students.json":
            written.append(json.loads(data))
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_atomic", stop)
    with pytest.raises(KeyboardInterrupt):
        verify(file, How(students=3))
    assert not file.with_name("verification.json").exists()
    monkeypatch.setattr(module, "write_atomic", write)
    trained = []
    evaluate = module.in_each_space
    monkeypatch.setattr(
        module, "in_each_space", lambda *a, **o: trained.append(len(o["done"])) or evaluate(*a, **o)
    )  # fmt: skip
    resumed = verify(file, How(students=3))
    assert trained == [2 + len(written[0]["runs"])]
    assert [run.correct for run in resumed.runs] == [run.correct for run in whole.runs]


def test_the_command_verifies_a_folder_the_ceiling_too_and_again_for_nothing(run: Path, capsys) -> None:
    execute(["verify", str(run), "--students", "1"])
    text = capsys.readouterr().out
    assert len(text.splitlines()) == len(list(run.rglob("verification.json"))) == 2
    before = {f: f.read_text() for f in run.rglob("verification.json")}
    execute(["verify", str(run), "--students", "1"])
    assert {f: f.read_text() for f in run.rglob("verification.json")} == before


def test_into_a_leaderboard_and_labelled(file: Path, tmp_path: Path, capsys) -> None:
    assert execute(["verify", str(file), "--into", str(tmp_path / "verifications")]) == 2
    assert "--by NAME" in capsys.readouterr().err
    code = execute(["verify", str(file), "--same-students", "--into", str(tmp_path / "verifications"), "--by", "a"])
    assert code == 0
    labels = Labels.read(tmp_path)
    assert (labels.label(read_result(file)), labels.unreadable) == ("verified", ())


def test_what_cannot_be_verified_is_told_and_the_rest_is_done(run: Path, file: Path, capsys) -> None:
    (file.parent / "distilled.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ArtifactError, match="is not sound"):
        verify(file, How())
    assert execute(["verify", str(run), "--students", "1"]) == 3
    text = capsys.readouterr().out
    assert text.count("failed") == 1
    assert len(text.splitlines()) == 2
    assert execute(["verify", str(run / "cells" / "nothing")]) == 3
