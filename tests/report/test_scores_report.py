"""Gains, recovery and areas against figures worked out by hand."""

from __future__ import annotations

import math

import pytest
from made_up_results import made_up_cell, made_up_result

from ddbench.budget import Budget
from ddbench.report.filters import shown
from ddbench.report.rows import Table, tables
from ddbench.report.scores import areas, scores_of, sheets
from ddbench.report.view import view
from ddbench.result.schema import Result

STEPS = ("equal_steps", "auto")


def rows(codec: str, method: str, by_seed: tuple[float, ...], ipc: int = 1) -> list[Result]:
    cells = (made_up_cell(codec, method, s, Budget(ipc=ipc)) for s in range(len(by_seed)))
    return [made_up_result(c, (a, a), allowed=1000 * ipc, used=1000 * ipc) for c, a in zip(cells, by_seed)]


RESULTS = [*rows("identity", "random", (0.4, 0.5)), *rows("dct", "random", (0.5, 0.55)),
           *rows("dct", "dm", (0.7, 0.75)), made_up_result(made_up_cell(method="full"), (0.9, 0.9))]  # fmt: skip


def one(results: list[Result], where: tuple[str, ...] = ()) -> Table:
    (table,) = shown(tables(results), view(where=where))
    return table


@pytest.mark.parametrize("where", [(), ("method=dm,full",)], ids=["all", "yardsticks hidden"])
def test_gains_are_paired_and_recovery_is_the_share_of_the_gap(where: tuple[str, ...]) -> None:
    table = one(RESULTS, where)
    row = next(r for r in table.rows if r.cell.method.name == "dm")
    found = scores_of(table, row, STEPS)
    assert found.over_random is not None
    assert found.over_same_codec is not None
    assert found.over_random.mean == pytest.approx((0.3 + 0.25) / 2)
    assert found.over_random.half_width == pytest.approx(math.tan(math.pi * 0.475) * 0.025)
    assert found.over_same_codec.mean == pytest.approx(0.2)
    assert found.recovery == pytest.approx((0.725 - 0.45) / (0.9 - 0.45))


def test_beside_students_on_own_labels_stand_students_of_random_on_classes() -> None:
    soft = [
        r.model_copy(update={"runs": tuple(run.model_copy(update={"labels": "own"}) for run in r.runs)})
        if r.cell.method.name == "dm"
        else r
        for r in RESULTS
    ]
    table = one(soft)
    row = next(r for r in table.rows if r.cell.method.name == "dm")
    assert scores_of(table, row, STEPS).over_random is None, "it has no students on classes"
    own = ("equal_steps", "auto own labels")
    plain = scores_of(one(RESULTS), next(r for r in one(RESULTS).rows if r.cell.method.name == "dm"), STEPS)
    assert scores_of(table, row, own) == plain
    random = next(r for r in table.rows if r.cell.method.name == "random")
    assert scores_of(table, random, own).recovery is None, "it has no students on own labels"


def test_what_has_no_yardstick_has_no_score() -> None:
    table = one(rows("dct", "dm", (0.7, 0.75)))
    found = scores_of(table, table.rows[0], STEPS)
    assert (found.over_random, found.over_same_codec, found.recovery) == (None, None, None)
    table = one(RESULTS)
    plain = next(r for r in table.rows if r.cell.codec.name == "identity" and not r.is_ceiling)
    assert scores_of(table, plain, STEPS).over_random is None


def test_area_is_the_mean_over_log_bytes_between_the_extreme_budgets() -> None:
    results = [*rows("dct", "dm", (0.6, 0.7), 1), *rows("dct", "dm", (0.8, 0.8), 10),
               *rows("pca", "dm", (0.9, 0.9), 10), *rows("identity", "dm", (0.5, 0.5), 10),
               *rows("identity", "dm", (0.6, 0.6), 100)]  # fmt: skip
    table = one(results)
    found = {area.codec: area for area in areas(table, STEPS)}
    assert set(found) == {"dct", "identity"}  # one budget is no curve
    assert (found["dct"].low_bytes, found["dct"].high_bytes) == (1000, 100_000)
    by_seed = [((a + 0.8) / 2 + 0.8) / 2 for a in (0.6, 0.7)]
    assert found["dct"].area.mean == pytest.approx(sum(by_seed) / 2)
    assert found["identity"].area.mean == pytest.approx((0.1 + 0.55) / 2)  # chance of ten classes below 10 ipc
    assert found["identity"].budgets == ("10 ipc", "100 ipc")
    assert areas(one(RESULTS), STEPS) == []
    titles = [sheet.headings[0].split(",")[0] for sheet in sheets(table, 1)]
    assert titles == ["Scores", "Area under accuracy against log-bytes"] * 2
