"""Rows and tables: what is put together, what is kept apart, in which order."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from made_up_results import made_up_cell, made_up_result, quickstart_like

from ddbench.budget import Budget
from ddbench.report.mandatory import absent
from ddbench.report.rows import tables
from ddbench.result.schema import Result
from ddbench.spec.cell import EvaluationProtocol


def one_row(results: list[Result]):
    ((row,),) = [t.rows for t in tables(results)]
    return row


def test_a_row_is_a_cell_but_for_its_seed() -> None:
    row = one_row([made_up_result(made_up_cell(seed=s), (0.5 + s / 10, 0.6 + s / 10)) for s in (0, 1)])
    found = row.accuracy(("equal_steps", "auto"))
    assert found is not None
    assert found.mean == pytest.approx((0.55 + 0.65) / 2)
    assert found.half_width == pytest.approx(math.tan(math.pi * 0.475) * 0.1 / 2)
    assert (found.n_seeds, found.n_students) == (2, 4)
    assert (row.steps("equal_steps"), row.samples_seen("equal_epochs"), row.seconds) == (1000, 4000, 2.0)


def test_replications_are_students_not_seeds() -> None:
    cell = made_up_cell()
    again = made_up_result(cell, (0.7, 0.7)).model_copy(update={"run_id": "other"})
    found = one_row([made_up_result(cell, (0.5, 0.5)), again]).accuracy(("equal_steps", "auto"))
    assert found is not None
    assert (found.n_seeds, found.n_students, found.half_width) == (1, 4, None)
    assert found.mean == pytest.approx(0.6)


def test_failures_do_not_count_but_are_kept() -> None:
    row = one_row([made_up_result(made_up_cell(seed=0)), made_up_result(made_up_cell(seed=1), status="diverged")])
    assert [r.cell.seed for r in row.ok] == [0]
    assert [r.cell.seed for r in row.failed] == [1]


@pytest.mark.parametrize(
    "other",
    [
        made_up_cell("dct", protocol=EvaluationProtocol(students=2, evaluate_on="validation")),
        made_up_cell("dct", protocol=EvaluationProtocol(students=3)),
        made_up_cell("dct", dataset="mnist"),
        made_up_cell(codec_version="2"),
        made_up_cell("dct").model_copy(
            update={"versions": made_up_cell().versions.model_copy(update={"semantics": "0"})}
        ),
        made_up_cell("dct").model_copy(
            update={"versions": made_up_cell().versions.model_copy(update={"dataset": "b"})}
        ),
    ],
    ids=["validation", "protocol", "dataset", "codec version", "semantics", "revision"],
)
def test_what_is_not_comparable_is_another_table(other) -> None:
    made = tables([made_up_result(made_up_cell()), made_up_result(other)])
    assert [len(t.rows) for t in made] == [1, 1]


def test_other_codecs_may_have_other_versions() -> None:
    made = tables([made_up_result(made_up_cell()), made_up_result(made_up_cell("dct", codec_version="2"))])
    assert [len(t.rows) for t in made] == [2]


def test_an_old_version_is_dealt_out_alone() -> None:
    cells = [
        made_up_cell(c, m, codec_version=v) for c, v in (("dct", "1"), ("dct", "2"), ("pca", "1")) for m in ("dm",)
    ]
    made = tables([made_up_result(c) for c in cells])
    versions = [{(r.cell.codec.name, r.cell.versions.codec) for r in t.rows} for t in made]
    assert {("dct", "2"), ("pca", "1")} in versions
    assert {("dct", "1")} in versions


def test_order_is_budget_then_accuracy_with_the_ceiling_last() -> None:
    (table,) = tables(quickstart_like())
    caps = [row.allowed_bytes for row in table.rows]
    assert caps == [*sorted(c for c in caps if c), None]
    assert table.rows[-1].is_ceiling
    for group in table.groups:
        scores = [row.accuracy(("equal_steps", "auto")) for row in group]
        assert all(a.mean >= b.mean for a, b in pairwise(s for s in scores if s))


def test_a_row_without_results_stands_with_its_budget() -> None:
    results = [made_up_result(made_up_cell(budget=Budget(ipc=n)), used=n, allowed=n) for n in (10, 2)]
    results.append(made_up_result(made_up_cell("dct", budget=Budget(ipc=2)), status="failed"))
    (table,) = tables(results)
    assert [[r.cell.codec.name for r in g] for g in table.groups] == [["identity", "dct"], ["identity"]]


def test_networks_are_columns() -> None:
    (table,) = tables([made_up_result(made_up_cell(), networks=("convnet", "resnet18"))])
    assert table.scores == tuple((c, n) for c in ("equal_steps", "equal_epochs") for n in ("convnet", "resnet18"))


def test_only_arguments_in_which_rows_differ_are_named() -> None:
    cells = [made_up_cell(method="dm", method_args={"lr": x, "batch": 8}) for x in (1.0, 2.0)]
    (table,) = tables([made_up_result(c) for c in [*cells, made_up_cell("dct", "dm", method_args={"lr": 9.0})]])
    differing = {str(r.cell.codec): table.differing(r) for r in table.rows}
    assert differing == {"identity": ["lr"], "dct": []}


def test_absent_mandatory_rows_are_named() -> None:
    (full,) = tables(quickstart_like())
    assert absent(full) == []
    for codec, method, said in (
        ("identity", "random", "random × identity"),
        ("jpeg", "random", "random × jpeg"),
        ("dct", "random", "random × dct"),
        ("downsample", "random", "random × downsample factor=2"),
    ):
        fewer = [r for r in quickstart_like() if (r.cell.codec.name, r.cell.method.name) != (codec, method)]
        (table,) = tables(fewer)
        lines = absent(table)
        assert [line.split(":")[0] for line in lines] == ["1 ipc", "10 ipc"]
        assert all(line.endswith(f": {said} for seed 0, 1, 2") for line in lines)
        assert all(("where the codec takes these data" in line) == (codec == "jpeg") for line in lines)
    (table,) = tables([r for r in quickstart_like() if r.cell.codec.name != "downsample"])
    assert all(line.endswith("takes these data: row with downsample for seed 0, 1, 2") for line in absent(table))


def test_mandatory_rows_cover_the_seeds_of_the_learned_rows() -> None:
    def results(gone: tuple[str, str], seed: int) -> list[Result]:
        return [
            r
            for r in quickstart_like()
            if (r.cell.codec.name, r.cell.method.name) != gone or r.cell.seed != seed or str(r.cell.budget) != "1 ipc"
        ]

    (table,) = tables(results(("jpeg", "random"), 1))
    assert absent(table) == ["1 ipc: absent mandatory rows: random × jpeg for seed 1"]
    (table,) = tables(results(("dct", "random"), 2))
    assert absent(table) == ["1 ipc: absent mandatory rows: random × dct for seed 2"]
    (table,) = tables(results(("dct", "dm"), 2))
    assert absent(table) == []


def test_learned_is_what_a_matching_loss_moved() -> None:
    unmoved = made_up_result(made_up_cell(method="dm", method_args={"iterations": 0})).model_copy(update={"losses": ()})
    assert not one_row([unmoved]).is_learned
    assert not one_row([made_up_result(made_up_cell(method="herding", method_args={"iterations": 9}))]).is_learned
    assert one_row([made_up_result(made_up_cell(method="dm"))]).is_learned
    assert absent(tables([unmoved])[0]) == []


def test_a_failed_mandatory_row_is_absent_and_selectors_ask_for_none() -> None:
    results = [made_up_result(r.cell, status="failed") if r.cell.codec.name == "jpeg" else r for r in quickstart_like()]
    assert all(line.endswith(": random × jpeg for seed 0, 1, 2") for line in absent(tables(results)[0]))
    assert absent(tables([made_up_result(made_up_cell(method="herding"))])[0]) == []
