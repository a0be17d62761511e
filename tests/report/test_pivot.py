"""Pivots and filters: where figures stand, what is marked, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up_results import made_up_cell, made_up_folder, made_up_result, quickstart_like

from ddbench.budget import Budget
from ddbench.cli.main import execute
from ddbench.errors import SpecError
from ddbench.report.filters import shown
from ddbench.report.pivot import Pivot, pivots
from ddbench.report.rows import tables
from ddbench.report.table import Collection, render
from ddbench.report.view import view
from ddbench.result.schema import Result
from ddbench.spec.cell import EvaluationProtocol

METHODS_BY_BUDGET = view(rows="method,codec", cols="dataset,budget", column="equal_steps")


def laid(results: list[Result], **asked: str) -> list[Pivot]:
    wanted = view(**asked)  # pyright: ignore[reportArgumentType]
    return pivots(shown(tables(results), wanted), wanted)


def test_every_cell_is_the_mean_of_its_own_runs_and_nothing_else() -> None:
    results = quickstart_like()
    (pivot,) = laid(results, rows="method,codec", cols="budget", column="equal_epochs")
    assert pivot.row_keys[0][0] in ("dm", "random")
    assert pivot.col_keys == [("1 ipc",), ("10 ipc",)]
    records = pivot.records()
    assert len(records) == 14
    for one in records:
        own = [r for r in results if r.cell.method.name == one["method"] and str(r.cell.budget) == one["budget"]
               and r.cell.codec.name == one["codec"].split()[0]]  # fmt: skip
        runs = [x.accuracy for r in own for x in r.runs if x.column == "equal_epochs"]
        assert one["accuracy"] == pytest.approx(sum(runs) / len(runs), abs=1e-12)
        assert (one["seeds"], one["students"]) == (3, 6)


def test_rows_that_meet_in_a_cell_are_refused_and_what_tells_them_apart_is_said() -> None:
    with pytest.raises(SpecError, match=r"never averaged.*sets them apart: method: .*dm.*random|random.*dm"):
        laid(quickstart_like(), rows="codec", cols="budget")
    with pytest.raises(SpecError, match="apart: budget: 1 ipc, 10 ipc"):
        laid(quickstart_like(), rows="method,codec")
    students = [made_up_result(made_up_cell(), networks=("convnet", "vgg"))]
    with pytest.raises(SpecError, match="apart: student: convnet, vgg"):
        laid(students, rows="student_spaces", where=("student=convnet,vgg",))  # pyright: ignore[reportArgumentType]
    assert len(laid(students, rows="student")[0].records()) == 2
    (first,) = laid(students, rows="codec")
    assert first.notes == ["Not shown: column equal epochs; student vgg."]


def test_datasets_share_a_pivot_protocols_and_versions_never() -> None:
    def at(dataset: str, version: str = "1", protocol: EvaluationProtocol | None = None) -> Result:
        return made_up_result(made_up_cell(dataset=dataset, codec_version=version, protocol=protocol))

    longer = EvaluationProtocol(students=2, epochs=9)
    for results, n in (
        ([at("a"), at("b")], 1),
        ([at("a"), at("b", version="2")], 2),
        ([at("a"), at("b", protocol=longer)], 2),
        ([at("a"), at("a", protocol=longer)], 2),
        ([at("a"), at("a", version="2")], 2),
    ):
        assert len(laid(results, rows="codec", cols="dataset,budget")) == n
        assert len(laid(results, rows="codec", cols="budget")) == 2
    text = render(Collection((at("a"), at("a", version="2"))), "terminal", METHODS_BY_BUDGET)
    assert "Versions: codec identity 2." in text
    assert "Versions: codec identity 1." in text


def test_best_and_ties_are_marked_in_text_the_ceiling_is_a_note() -> None:
    def row(codec: str, base: float, spread: float = 0.0) -> list[Result]:
        return [made_up_result(made_up_cell(codec, seed=s), (base + spread * (s - 1),) * 2) for s in range(3)]

    results = (*row("a", 0.7, 0.02), *row("b", 0.69, 0.1), *row("c", 0.5, 0.02), made_up_result(
        made_up_cell(method="full"), (0.9,), items=9))  # fmt: skip
    text = render(Collection(results), "terminal", view(rows="codec"))
    assert [("*" in line) for line in text.splitlines() if line[:2] in ("a ", "b ", "c ")] == [True, True, False]
    assert "full (the whole dataset): 90.0, equal steps." in text
    assert "* best of the rows of its budget" in text
    markdown = render(Collection(results), "markdown", view(rows="codec"))
    assert markdown.count("**") == 4
    (table,) = json.loads(render(Collection(results), "json"))["tables"]
    groups = {r["codec"]: r["scores"]["equal_steps/auto"]["tie_group"] for r in table["rows"] if r["method"] != "full"}
    assert groups == {"a": 1, "b": 1, "c": 2}


def test_one_seed_marks_nothing() -> None:
    results = tuple(made_up_result(made_up_cell(c), (a,)) for c, a in (("a", 0.9), ("b", 0.1)))
    assert "*" not in render(Collection(results))


def test_filters_take_labels_and_names_and_hide_no_fact() -> None:
    results = tuple(quickstart_like())
    for text in ("codec=identity,downsample", "codec=identity, downsample factor=2"):
        lines = render(Collection(results), "csv", view(where=[text, "budget=1ipc"])).splitlines()
        assert len(lines) == 1 + 4 + 1  # the ceiling has neither codec nor budget, so it stays
    said = render(Collection(results), "terminal", view(where=["codec=dct"]))
    assert "1 ipc: mandatory rows that the filter leaves out: random × identity for seed 0, 1, 2" in said
    assert "absent" not in said
    fewer = tuple(r for r in results if r.cell.codec.name != "downsample")
    assert "absent mandatory rows" in render(Collection(fewer), "terminal", view(where=["codec=dct"]))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"where": ["codek=dct"]}, "Did you mean 'codec'"),
        ({"where": ["codec"]}, "a filter is dimension=value"),
        ({"where": ["codec=idenity"]}, "No result has codec 'idenity'. Did you mean 'identity'"),
        ({"where": ["codec=jpeg", "method=dm"]}, "not together"),
        ({"rows": "methd"}, "Did you mean 'method'"),
        ({"rows": "method", "cols": "method"}, "given twice"),
        ({"cols": "budget"}, "--cols needs --rows"),
        ({"rows": "protocol"}, "never stand in one table"),
        ({"sort": "acuracy"}, "Did you mean 'accuracy'"),
        ({"column": "equal_step"}, "Did you mean 'equal_steps'"),
    ],
)
def test_mistakes_get_a_sentence(asked: dict[str, object], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        render(Collection(tuple(quickstart_like(1))), "terminal", view(**asked))  # pyright: ignore[reportArgumentType]


def test_all_mistakes_of_a_command_at_once() -> None:
    with pytest.raises(SpecError) as found:
        view(where=["x=1", "codec"], rows="y", cols="z", sort="w")
    assert len(str(found.value).splitlines()) == 5


def test_sorting() -> None:
    found = Collection(tuple(quickstart_like()))

    def codecs(sort: str) -> list[str]:
        rows = json.loads(render(found, "json", view(where=["budget=1 ipc"], sort=sort)))["tables"][0]["rows"]
        assert rows[-1]["method"] == "full"
        return [r["codec"] for r in rows[:-1]]

    assert codecs("codec") == sorted(codecs("codec"))
    assert codecs("-codec") == sorted(codecs("codec"), reverse=True)
    assert codecs("-accuracy") == codecs("accuracy")[::-1]
    (pivot,) = laid(list(found.results), rows="codec,method", cols="budget", sort="accuracy")
    means = [r["accuracy"] for r in pivot.records() if r["budget"] == "1 ipc"]
    assert means == sorted(means, reverse=True)


def test_budgets_stand_from_small_to_large() -> None:
    results = [made_up_result(made_up_cell("dct", dataset=d, budget=Budget(ipc=n)), allowed=n * 100, used=n * 100)
               for d, ns in (("a", (1, 50)), ("b", (1, 10))) for n in ns]  # fmt: skip
    (pivot,) = laid(results, rows="dataset", cols="budget")
    assert pivot.col_keys == [("1 ipc",), ("10 ipc",), ("50 ipc",)]


def test_only_the_pivot_that_collides_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two protocols are two pivots; in one of them two rows fall into a cell."""
    alone = EvaluationProtocol(name="alone", students=2)
    crowded = EvaluationProtocol(name="crowded", students=2)
    both = EvaluationProtocol(name="crowded", students=2, student_spaces=("signal", "code"))
    made_up_folder(tmp_path, [made_up_result(made_up_cell(protocol=p)) for p in (alone, crowded, both)])
    asked = ["table", str(tmp_path), "--rows", "method,codec", "--cols", "dataset,budget", "--column", "equal_steps"]
    assert execute(asked) == 2
    out, err = capsys.readouterr()
    assert "protocol alone" in out
    assert "55.0" in out
    assert "not laid out: fashion_mnist_small, protocol crowded" in out
    assert "sets them apart: student_spaces: signal" in out
    assert "Traceback" not in out + err
    for form, said in (("json", "out"), ("csv", "err"), ("markdown", "out"), ("latex", "out")):
        assert execute([*asked, "--format", form]) == 2
        assert "not laid out" in getattr(capsys.readouterr(), said), form
    assert execute([*asked, "--out", str(tmp_path / "t.md")]) == 2
    assert "not laid out" in capsys.readouterr().err
    asked[3] = "method,codec,student_spaces"
    assert execute(asked) == 0
    assert "not laid out" not in capsys.readouterr().out
