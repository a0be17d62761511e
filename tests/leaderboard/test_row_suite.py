"""The suite file of a row: `ddbench run` makes from it the very cells of the row."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from made_up_results import made_up_cell, made_up_result

from ddbench.leaderboard.build import build
from ddbench.leaderboard.suite_file import flow, suite_text
from ddbench.planning.expand import expand
from ddbench.planning.load import load_suite
from ddbench.spec.cell import Cell, Training


@pytest.mark.parametrize("name", ["smoke"])
def test_it_expands_to_the_cells_of_the_row(tmp_path: Path, name: str) -> None:
    rows: dict[str, list[Cell]] = defaultdict(list)
    for cell in expand(load_suite(name)):
        rows[cell.unseeded].append(cell)
    assert len(rows) > 1
    for i, cells in enumerate(rows.values()):
        path = tmp_path / f"{i}.yaml"
        path.write_text(suite_text(cells[0], [c.seed for c in cells], f"row-{i}"))
        assert {c.key for c in expand(load_suite(str(path)))} == {c.key for c in cells}


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": [1, 2.5, 1e-05, True, None]}, "yes": "no"},
        {"x": ["null", "", "1", "1e-3", "a: b", "{", "'", '"', "—é😀", "line\nbreak", "<script>", "y", "-"]},
        {"model": "shipped:grey_f4", "key with space": "#", "a,b": "&x *y"},
    ],
)
def test_what_is_written_is_what_yaml_reads(value: object) -> None:
    from ddbench.spec.yaml import parse

    assert parse(f"top: {flow(value)}\n", "x").data == {"top": value}
    assert yaml.safe_load(flow(list(str(value)))) == list(str(value))


@pytest.mark.parametrize("kind", ["made elsewhere", "with a recipe of its own"])
def test_a_row_that_no_suite_makes_names_the_command_that_does(tmp_path: Path, kind: str) -> None:
    cell = made_up_cell(method="imported", method_args={"digest": "0" * 64})
    if kind == "with a recipe of its own":
        cell = made_up_cell().model_copy(update={"own_recipe": Training(epochs=3)})
    at = tmp_path / "results" / "a b"
    at.mkdir(parents=True)
    (at / "result.json").write_text(made_up_result(cell).model_dump_json(indent=1) + "\n")
    built = build(tmp_path / "results", tmp_path)
    assert (built.rows, built.left_out) == (1, [])
    (page,) = (tmp_path / "site" / "rows").iterdir()
    text = page.read_text()
    assert "<code>ddbench evaluate &#39;a b&#39; --out runs/" in text
    assert "ddbench run " not in text


def test_a_row_of_a_suite_has_its_file_and_says_where_its_picture_is_lacking(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "result.json").write_text(made_up_result(made_up_cell()).model_dump_json(indent=1) + "\n")
    build(tmp_path / "results", tmp_path)
    names = {p.suffix: p for p in (tmp_path / "site" / "rows").iterdir()}
    assert set(names) == {".html", ".yaml"}
    text = names[".html"].read_text()
    assert f"ddbench run {names['.yaml'].name} --out" in text
    assert "No picture of this row" in text
