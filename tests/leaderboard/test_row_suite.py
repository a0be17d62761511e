"""The suite file of a row: `ddbench run` makes from it the very cells of the row."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from ddbench.leaderboard.suite_file import flow, suite_text
from ddbench.planning.expand import expand
from ddbench.planning.load import load_suite
from ddbench.spec.cell import Cell


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
