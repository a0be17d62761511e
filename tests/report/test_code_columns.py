"""Students on codes have columns of their own; rows with a free transform have a table of their own, not ranked."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from made_up_results import made_up_cell, made_up_result

from ddbench.report.mandatory import absent
from ddbench.report.rows import Table, tables
from ddbench.report.table import Collection, render
from ddbench.result.schema import Result
from ddbench.spec.cell import EvaluationProtocol, Space

SIGNAL = EvaluationProtocol(students=2)


def scored(spaces: dict[Space, float], method: str = "random", codec: str = "identity", **more: Any) -> Result:
    """A result whose students reach one accuracy in each space."""
    protocol = SIGNAL.model_copy(update={"student_spaces": tuple(spaces)})
    cell = made_up_cell(codec, method, protocol=protocol, **more)
    runs = [
        run.model_copy(update={"space": space})
        for space, accuracy in spaces.items()
        for run in made_up_result(cell, (accuracy,)).runs
    ]
    return made_up_result(cell).model_copy(update={"runs": tuple(runs)})


def refitted(result: Result, size: int = 2_000_000) -> Result:
    assert result.bytes is not None
    return result.model_copy(update={"bytes": result.bytes.model_copy(update={"refitted": size})})


def one(results: list[Result]) -> Table:
    (table,) = tables(results)
    return table


def test_scores_of_the_two_spaces_never_mix() -> None:
    table = one([scored({"signal": 0.4, "code": 0.8}), scored({"signal": 0.5}, "herding")])
    assert [column for column, _ in table.scores] == [
        "equal_steps", "equal_epochs", "equal_steps_on_codes", "equal_epochs_on_codes",
    ]  # fmt: skip
    best, second = table.rows
    assert (best.cell.method.name, second.cell.method.name) == ("herding", "random"), "ranked by students on signals"
    means = {c: found and found.mean for c, n in table.scores for found in [table.accuracy(second, (c, n))]}
    assert means == pytest.approx(
        {"equal_steps": 0.4, "equal_epochs": 0.39, "equal_steps_on_codes": 0.8, "equal_epochs_on_codes": 0.79}
    )
    assert table.accuracy(best, ("equal_steps_on_codes", "auto")) is None
    assert (second.steps("equal_epochs_on_codes"), second.steps("equal_epochs")) == (400, 400)


def test_rows_scored_on_codes_alone_stand_after_those_scored_on_signals() -> None:
    rows = [scored({"code": 0.9}, "kmeans"), scored({"signal": 0.4}), scored({"signal": 0.5}, "herding")]
    (table,) = tables(rows)
    assert [row.cell.method.name for row in table.rows] == ["herding", "random", "kmeans"]


def test_the_columns_are_told_apart_in_every_form() -> None:
    found = Collection((scored({"signal": 0.4, "code": 0.8}), scored({"signal": 0.5}, "herding")))
    text = render(found, "markdown")
    header = next(line for line in text.splitlines() if "equal steps" in line)
    assert header.index("equal steps ") < header.index("equal steps on codes")
    assert "not to be compared with students on signals" in text
    assert "80.0" in next(line for line in text.splitlines() if "random" in line)
    (row,) = [r for r in json.loads(render(found, "json"))["tables"][0]["rows"] if r["method"] == "random"]
    assert row["scores"]["equal_steps/auto"]["accuracy"] == pytest.approx(0.4)
    assert row["scores"]["equal_steps_on_codes/auto"]["accuracy"] == pytest.approx(0.8)
    flat = {r["method"]: r for r in csv.DictReader(io.StringIO(render(found, "csv")))}
    assert flat["herding"]["scores.equal_steps_on_codes/auto.accuracy"] == ""
    assert "on codes" not in render(Collection((scored({"signal": 0.5}),)), "markdown")


def test_rows_with_students_on_codes_alone() -> None:
    table = one([scored({"code": 0.3}), scored({"code": 0.6}, "herding")])
    assert [column for column, _ in table.scores] == ["equal_steps_on_codes", "equal_epochs_on_codes"]
    assert [row.cell.method.name for row in table.rows] == ["herding", "random"]
    assert "60.0" in render(Collection(tuple(r for row in table.rows for r in row.results)), "terminal")


def test_own_labels_and_codes_together_have_columns_of_their_own() -> None:
    two = [{"name": "auto"}, {"name": "mlp"}]
    protocol = EvaluationProtocol.model_validate({"networks": two, "columns": "equal_steps"})
    result = scored({"signal": 0.4, "code": 0.8}, "dm")
    cell = result.cell.model_copy(
        update={"protocol": protocol.model_copy(update={"student_spaces": ("signal", "code")})}
    )
    runs = [
        run.model_copy(update={"network": network, "labels": kind, "accuracy": run.accuracy + more})
        for network, kind, more in (("auto", "hard", 0.0), ("mlp", "hard", -0.1), ("auto", "own", 0.1))
        for run in result.runs
        if run.column == "equal_steps" and (run.space, kind) != ("signal", "own")
    ]
    table = one([result.model_copy(update={"cell": cell, "runs": tuple(runs)})])
    (row,) = table.rows
    means = {score: found and found.mean for score in table.scores for found in [table.accuracy(row, score)]}
    on_codes = {"auto": 0.8, "mlp": 0.7, "unseen": 0.7, "auto own labels": 0.9}
    assert means == pytest.approx(
        {("equal_steps", n): a for n, a in (("auto", 0.4), ("mlp", 0.3), ("unseen", 0.3))}
        | {("equal_steps_on_codes", n): a for n, a in on_codes.items()}
    )
    assert [label for _, label in table.scores] == ["auto", "mlp", "unseen", *on_codes], "own labels last of a column"
    assert "equal steps on codes auto own labels" in render(Collection(row.results), "markdown")


def test_protocols_that_differ_in_more_stand_apart() -> None:
    other = made_up_result(made_up_cell(protocol=EvaluationProtocol(students=3)))
    assert len(tables([scored({"signal": 0.4, "code": 0.8}), other])) == 2


def test_a_free_transform_is_not_ranked_beside_what_pays_for_it() -> None:
    free = [
        refitted(scored({"signal": 0.9}, codec="zca", codec_args={"refit": True})),
        refitted(scored({"signal": 0.95}, "dm", "zca", codec_args={"refit": True})),
    ]
    paid = [scored({"signal": 0.4}), scored({"signal": 0.5}, "herding")]
    ranked, apart = tables([*free, *paid])
    assert (ranked.is_ranked, apart.is_ranked) == (True, False)
    assert [row.cell.method.name for row in ranked.rows] == ["herding", "random"]
    assert [row.cell.method.name for row in apart.rows] == ["dm", "random"], "by name"
    assert apart.rows == tables(free)[0].rows
    text = render(Collection((*free, *paid)), "markdown")
    assert text.count("NOT RANKED") == 1
    assert text.index("NOT RANKED") > text.index("herding")
    records = [row for t in json.loads(render(Collection((*free, *paid)), "json"))["tables"] for row in t["rows"]]
    assert {(r["codec"], r["refitted_bytes"], r["is_ranked"]) for r in records} == {
        ("zca", 2_000_000, False),
        ("identity", 0, True),
    }


def test_names_order_what_is_not_ranked() -> None:
    args: dict[str, Any] = {"codec": "zca", "codec_args": {"refit": True}}
    rows = [refitted(scored({"signal": a}, m, **args)) for m, a in (("herding", 0.2), ("random", 0.9), ("dm", 0.1))]
    assert [row.cell.method.name for row in one(rows).rows] == ["dm", "herding", "random"]


def test_yardsticks_of_rows_that_are_not_ranked_stand_in_the_ranked_table() -> None:
    learned = refitted(scored({"signal": 0.9}, "dm", "zca"))
    own = refitted(scored({"signal": 0.8}, "random", "zca"))
    (alone,) = tables([learned, own])
    assert "random × identity" in absent(alone)[0]
    yardsticks = [scored({"signal": 0.4}, codec=codec) for codec in ("identity", "jpeg", "downsample")]
    _, apart = tables([learned, own, *yardsticks])
    assert absent(apart) == []


def test_a_decoder_that_does_not_say_what_it_was_trained_on_is_not_ranked() -> None:
    def decoded(result: Result, data: str) -> Result:
        assert result.bytes is not None
        more = {"decoder": 5, "decoder_training_data": data}
        return result.model_copy(update={"bytes": result.bytes.model_copy(update=more)})

    plain = scored({"signal": 0.9}, codec="taesd")
    rows = [decoded(plain, "not stated"), decoded(plain, ""), decoded(plain, "photographs"), plain]
    assert [tables([row])[0].is_ranked for row in rows] == [False, False, True, True]
    said = render(Collection((rows[0],))).replace("\n", " ")
    assert "NOT RANKED" in said
    assert "the decoder of taesd does not say what it was trained on" in said
