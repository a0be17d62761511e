"""`ddbench compare`: figures against ones worked out by hand, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_up_results import made_up_cell, made_up_folder, made_up_result, quickstart_like
from scipy.stats import ttest_rel

from ddbench.budget import Budget
from ddbench.cli.compare import compare as command
from ddbench.errors import SpecError
from ddbench.report.compare.comparison import Comparison, compare
from ddbench.report.compare.render import render, sentence
from ddbench.report.compare.selection import Sides
from ddbench.result.schema import Result
from ddbench.spec.cell import Training

A, B = (0.60, 0.65, 0.64), (0.50, 0.51, 0.58)


def side(codec: str, by_seed: tuple[float, ...], ipc: int = 1, students: int = 2) -> list[Result]:
    cells = (made_up_cell(codec, seed=s, budget=Budget(ipc=ipc)) for s in range(len(by_seed)))
    return [made_up_result(cell, [x] * students) for cell, x in zip(cells, by_seed)]


def found(a: list[Result], b: list[Result], column: str = "equal_steps") -> Comparison:
    (only,) = compare(Sides("a", "b", tuple(a), tuple(b)), column).found
    return only


def test_one_cell_is_a_paired_t_test() -> None:
    c = found(side("dct", A), side("identity", B))
    test = ttest_rel(A, B).confidence_interval()
    d = c.difference
    assert d.half_width is not None
    assert (d.mean - d.half_width, d.mean + d.half_width) == pytest.approx((test.low, test.high))
    assert (d.p_value, d.least_p, d.n_pairs) == (0.25, 0.25, 3)
    (line,) = c.cells
    assert (line.a, line.b, line.seeds) == (pytest.approx(0.63), pytest.approx(0.53), (0, 1, 2))


def test_cells_are_pooled_and_seeds_without_partner_left_out() -> None:
    a = side("dct", A) + side("dct", (0.8, 0.9, 0.8, 0.1), 10)
    b = side("identity", B) + side("identity", (0.7, 0.8, 0.7), 10)
    c = found(a, b)
    assert c.difference.mean == pytest.approx(0.1)
    assert (c.difference.n_cells, c.difference.n_pairs, c.difference.least_p) == (2, 6, 2.0**-5)


def test_students_pair_by_index() -> None:
    c = found(side("dct", (0.6, 0.6), students=3), side("identity", (0.5, 0.5), students=2))
    assert c.difference.mean == pytest.approx(0.1)
    said = compare(Sides("a", "b", tuple(side("dct", A, students=3)), tuple(side("identity", B))), "equal_steps").alone
    assert said[0] == (
        "A: fashion_mnist_small · 1 ipc · dct × random (signal), seed 0: 1 of 3 students have no partner."
    )


def test_codecs_of_one_seed_are_one_pair() -> None:
    """`random` through several codecs holds the same images: their differences are not independent."""
    a, b = ([made_up_result(made_up_cell(codec, method, seed), [0.5 + up] * 2)
             for codec in ("identity", "dct", "jpeg") for seed in (0, 1)]
            for method, up in (("dm", 0.1), ("random", 0.0)))  # fmt: skip
    c = found(a, b)
    assert (c.difference.n_cells, c.difference.n_pairs, len(c.rows)) == (1, 2, 3)


def test_a_set_against_itself_does_not_differ() -> None:
    c = found(side("dct", A), side("dct", A))
    assert (c.difference.mean, c.difference.p_value, c.difference.half_width, c.half_width_test) == (0, 1, 0, 0)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(
        SpecError, match=r"no pair of students in the column 'equal_steps_on_codes'.*A has: equal_epochs"
    ):
        found(side("dct", A), side("identity", B), "equal_steps_on_codes")


def test_sentence() -> None:
    text = sentence(found(side("dct", A), side("identity", B)), "mine", "theirs")
    assert text.startswith(
        "A (mine) is 10.0 points above B (theirs) in equal_steps: 3 pairs over 1 cell, 95 % interval"
    )
    assert "p = 0.25, where these pairs could give 0.25 at best (too few for less than 0.05: run more seeds)." in text
    assert "nothing about the spread" in sentence(found(side("dct", A[:1]), side("identity", B[:1])))
    assert "10.0 points below" in sentence(found(side("identity", B), side("dct", A)))


def test_hostile_names_are_harmless() -> None:
    told = compare(Sides("<script>|`x`\x1b[31m", "b", tuple(side("dct", A)), tuple(side("identity", B))), "equal_steps")
    markdown = render(told, "markdown")
    assert "<script>" not in markdown
    assert "&lt;script>\\|\\`x\\`" in markdown
    for form in ("terminal", "markdown"):
        assert "\x1b" not in render(told, form)


def test_command(tmp_path: Path) -> None:
    folder = str(made_up_folder(tmp_path, quickstart_like(3)))
    run = CliRunner().invoke(command, [folder, "dct × dm", "identity × dm"])
    assert run.exit_code == 0, run.output
    assert "6 pairs over 2 cells" in run.output
    assert "all 2 cells" in run.output
    run = CliRunner().invoke(command, [folder, "× dm", "× random", "--only", "1 ipc", "--format", "json"])
    data = json.loads(run.output)
    (only,) = data["comparisons"]
    assert len(only["rows"]) == 3
    assert only["difference"]["n_pairs"] == 3
    assert "jpeg" in data["without_partner"][0]
    run = CliRunner().invoke(command, [folder, folder, "--format", "markdown", "--column", "equal_epochs"])
    assert "| all " in run.output
    assert "A − B" in run.output


def test_unreadable_files_are_named_and_the_rest_compared(tmp_path: Path) -> None:
    made_up_folder(tmp_path, [*side("dct", A), *side("identity", B)])
    (tmp_path / "cells" / "broken").mkdir()
    (tmp_path / "cells" / "broken" / "result.json").write_text('{"schema_version": 1')
    run = CliRunner().invoke(command, [str(tmp_path), "dct", "identity"])
    assert run.exit_code == 3
    assert "10.0 points above" in run.output
    assert "Unreadable:" in run.output


def declared(codec: str, lr: float, by_seed: tuple[float, ...]) -> list[Result]:
    """Rows whose students were trained by a recipe of the set's own as well."""
    results = []
    for result, accuracy in zip(side(codec, (0.5,) * len(by_seed)), by_seed):
        cell = result.cell.model_copy(update={"own_recipe": Training(lr=lr)})
        run = made_up_result(cell, (accuracy,)).runs[0].model_copy(update={"column": "own_recipe"})
        results.append(result.model_copy(update={"cell": cell, "key": cell.key, "runs": (*result.runs, run)}))
    return results


def test_own_recipes_are_compared_and_their_difference_is_said(tmp_path: Path) -> None:
    a, b = declared("dct", 0.1, (0.7, 0.8)), declared("identity", 0.02, (0.5, 0.6))
    c = found(a, b, "own_recipe")
    assert c.difference.mean == pytest.approx(0.2)
    assert any("lr 0.1 " in note and "lr 0.02 " in note for note in c.notes)
    assert not any("recipes of their own" in note for note in found(a, b).notes)
    assert found(declared("dct", 0.02, (0.7, 0.8)), b, "own_recipe").notes == ()
    made_up_folder(tmp_path, [*a, *b])
    done = CliRunner().invoke(command, [str(tmp_path), "dct", "identity", "--column", "own_recipe"])
    assert done.exit_code == 0, done.output
    assert "20.0 points above" in done.output
