"""Old results read for ever: golden files of every shape that was ever written, and the steps between schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_up_results import made_up_cell, made_up_result

from ddbench.errors import ArtifactError, VersionError
from ddbench.result import migrations
from ddbench.result.io import read_result
from ddbench.result.schema import SCHEMA_VERSION

GOLDEN = {
    "1_first_published": ("f2242c6bcebf", 0.441, "fashion_mnist"),
    "1_plain": ("9ea35c0ec6af", 0.102506, "clipart10"),
    "1_recipe_own_labels": ("d87aa470523d", 0.695517, "fashion_mnist"),
    "1_student_spaces": ("1f48cad7144e", 0.60425, "fashion_mnist"),
}
"""Written by the releases of their day and never edited: (key, mean accuracy, dataset) as they were then."""


@pytest.fixture
def two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if schema −1 had called the key `digest`, and schema 0 had accuracies in percent."""

    def named(data: dict[str, Any]) -> dict[str, Any]:
        return {**{k: v for k, v in data.items() if k != "digest"}, "key": data["digest"]}

    def fractions(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "runs": [{**run, "accuracy": run["accuracy"] / 100} for run in data["runs"]]}

    monkeypatch.setattr(migrations, "MIGRATIONS", {-1: named, 0: fractions})


def old(version: int) -> dict[str, Any]:
    data = json.loads(made_up_result(made_up_cell()).model_dump_json())
    data["schema_version"] = version
    if version < 1:
        for run in data["runs"]:
            run["accuracy"] *= 100
    if version < 0:
        data["digest"] = data.pop("key")
    return data


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_files_read_with_the_key_and_figures_of_their_day(name: str) -> None:
    file = Path(__file__).parent / "golden" / f"{name}.json"
    key, accuracy, dataset = GOLDEN[name]
    result = read_result(file)
    mean = sum(run.accuracy for run in result.runs) / len(result.runs)
    assert (result.key[:12], round(mean, 6), result.cell.dataset.name) == (key, accuracy, dataset)
    assert result.cell.key == result.key
    assert result.model_dump_json(indent=1) + "\n" == file.read_text(), "an old file keeps its text"


def test_every_golden_file_is_tested() -> None:
    assert {f.stem for f in (Path(__file__).parent / "golden").glob("*.json")} == set(GOLDEN)


@pytest.mark.parametrize("version", [-1, 0, 1])
@pytest.mark.usefixtures("two_steps")
def test_steps_lead_from_any_old_version_to_todays(tmp_path: Path, version: int) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps(old(version)))
    assert read_result(file) == made_up_result(made_up_cell())


@pytest.mark.usefixtures("two_steps")
def test_steps_leave_what_they_are_given_alone() -> None:
    for version in (-1, 0):
        data = old(version)
        before = json.dumps(data)
        assert migrations.migrated(data, "x")["schema_version"] == SCHEMA_VERSION
        assert json.dumps(data) == before


@pytest.mark.usefixtures("two_steps")
def test_versions_out_of_reach_and_files_that_only_say_they_are_old(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps(old(1) | {"schema_version": -2}))
    with pytest.raises(VersionError, match=r"version -2; this ddbench knows -1, 0, 1\."):
        read_result(file)
    for broken in (old(1) | {"schema_version": -1}, old(0) | {"runs": 7}, old(0) | {"runs": [{}]}):
        file.write_text(json.dumps(broken))
        with pytest.raises(ArtifactError, match=r"says that it is of result schema .*does not have its shape"):
            read_result(file)
