"""LRS and ARS in tables: check values, and what is said where results lack something."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest
from made_up_results import made_up_cell, made_up_folder, made_up_result

from ddbench.cli.main import execute
from ddbench.report.dd_ranking import ranking, sheets
from ddbench.report.rows import Table, tables
from ddbench.result.schema import Result
from ddbench.spec.cell import EvaluationProtocol, Training

STEPS = ("equal_steps", "auto")
RECIPE = Training(epochs=10, lr=0.02)


def scored(
    method: str,
    hard: float,
    own: float | None = None,
    augment: Literal["dataset", "none"] = "dataset",
    soft: bool = False,
    items: int = 1,
    codec: str = "identity",
) -> list[Result]:
    """Two seeds of a row; with `own`, students by a recipe of the set's own as well."""
    protocol = EvaluationProtocol(name=f"p-{augment}", students=1, columns=("equal_steps",), augment=augment)
    found = []
    for seed in range(2):
        cell = made_up_cell(codec, method, seed, protocol=protocol)
        if own is not None:
            cell = cell.model_copy(update={"own_recipe": RECIPE})
        result = made_up_result(cell, (hard + 0.02 * seed - 0.01,), items=items)
        if own is not None:
            (run,) = made_up_result(cell, (own,)).runs
            more: dict[str, Any] = {"column": "own_recipe", "labels": "own" if soft else "hard"}
            result = result.model_copy(update={"runs": (*result.runs, run.model_copy(update=more))})
        found.append(result)
    return found


def of(method: str, made: list[Table], at: int = 0) -> Any:
    row = next(r for r in made[at].rows if r.cell.method.name == method)
    return ranking(made[at], row, STEPS, made)


def squashed(alpha: float) -> float:
    return (math.exp(alpha) - math.exp(-1)) / (math.e - math.exp(-1))


@pytest.mark.parametrize("soft", [False, True], ids=["classes", "own labels"])
def test_lrs_of_a_recipe_of_its_own(soft: bool) -> None:
    made = tables([*scored("dm", 0.7, 0.8, soft=soft), *scored("random", 0.4, 0.3), *scored("full", 0.9)])
    found = of("dm", made)
    assert (found.hlr, found.ior) == (pytest.approx(0.2), pytest.approx(0.5))
    assert found.lrs == pytest.approx(squashed(0.5 * 0.5 - 0.5 * 0.2))
    assert found.lrs == pytest.approx(0.3378, abs=5e-5)  # between the check values of α = 0 and 0.25
    assert found.ars is None
    assert [why.partition(":")[0] for why in found.lacks] == ["ARS"]


@pytest.mark.parametrize(
    ("gain", "score"), [(0.0, 0.2689), (0.25, 0.3898), (0.5, 0.5449), (-0.5, 0.1015)]
)  # protocols.md §5.3
def test_ars_over_two_protocols(gain: float, score: float) -> None:
    """β is the mean of the gains with augmentation and without."""
    results = []
    for augment, more in (("dataset", 0.1), ("none", -0.1)):
        results += scored("dm", 0.5 + gain / 2 + more / 2, augment=augment)
        results += scored("random", 0.5 - gain / 2 - more / 2, augment=augment)
    made = tables(results)
    assert len(made) == 2
    for at in (0, 1):
        assert of("dm", made, at).ars == pytest.approx(score, abs=5e-5)


@pytest.mark.parametrize(
    ("results", "lacks"),
    [
        (lambda: [*scored("dm", 0.7, 0.8), *scored("random", 0.4, 0.3)], "LRS: no row of the whole dataset"),
        (lambda: [*scored("dm", 0.7), *scored("random", 0.4, 0.3), *scored("full", 0.9)], "LRS: no students by a"),
        (
            lambda: [*scored("dm", 0.7, 0.8), *scored("random", 0.4), *scored("full", 0.9)],
            "LRS: no random × identity with 1 items a class, evaluated by the same recipe",
        ),
        (
            lambda: [*scored("dm", 0.7, 0.8, items=4), *scored("random", 0.4, 0.3), *scored("full", 0.9)],
            "LRS: no random × identity with 4 items a class",
        ),
        (lambda: [*scored("dm", 0.7), *scored("random", 0.4)], "ARS: the row is not there under the same protocol"),
        (lambda: [*scored("dm", 0.7)], "ARS: no random × identity with 1 items a class, augment: dataset"),
    ],
)  # fmt: skip
def test_what_lacks_is_named_and_nothing_is_made_up(results: Any, lacks: str) -> None:
    found = of("dm", tables(results()))
    assert (found.lrs if lacks.startswith("LRS") else found.ars) is None
    assert any(why.startswith(lacks) for why in found.lacks), found.lacks


def test_another_protocol_is_not_the_other_augmentation() -> None:
    other = [
        r.model_copy(update={"cell": (c := r.cell.model_copy(update={"protocol": r.cell.protocol.model_copy(
            update={"epochs": 77})})), "key": c.key})
        for r in [*scored("dm", 0.7, augment="none"), *scored("random", 0.4, augment="none")]
    ]  # fmt: skip
    made = tables([*scored("dm", 0.7), *scored("random", 0.4), *other])
    assert all(of("dm", made, at).ars is None for at in (0, 1))


def test_the_command_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = [*scored("dm", 0.7, 0.8), *scored("random", 0.4, 0.3), *scored("full", 0.9)]
    made_up_folder(tmp_path, results)
    assert execute(["table", str(tmp_path), "--dd-ranking"]) == 0
    said = capsys.readouterr().out
    assert "DD-Ranking, equal steps, auto" in said
    assert "0.3378" in said
    assert "2 of 2 rows lack ARS" in said
    assert execute(["table", str(tmp_path), "--dd-ranking", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["tables"][0]["rows"]
    own = next(r for r in rows if r["method"] == "dm")["scores"]["equal_steps/auto"]
    assert own["lrs"] == pytest.approx(0.3378, abs=5e-5)
    assert own["ars"] is None
    for form in ("markdown", "latex", "csv"):
        assert execute(["table", str(tmp_path), "--dd-ranking", "--format", form]) == 0
    assert len(sheets(tables(results))) == 1
