"""`ddbench.results`: reading, filtering, tables, HTML and pandas, on made-up results."""

from __future__ import annotations

import builtins
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_up_results import made_up_cell, made_up_folder, made_up_result, quickstart_like

import ddbench
from ddbench.api.results import Results
from ddbench.errors import ArtifactError, DdbenchError, SpecError
from ddbench.spec.cell import EvaluationProtocol


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made_up_folder(tmp_path, [*quickstart_like(2), made_up_result(made_up_cell("pca"), status="failed")])
    return ddbench.results(tmp_path)


def test_a_folder_is_read_and_what_cannot_be_is_told(results: Results, tmp_path: Path):
    (tmp_path / "cells" / "broken").mkdir()
    (tmp_path / "cells" / "broken" / "result.json").write_text("{")
    again = ddbench.results(str(tmp_path))
    assert len(again) == len(results) == 2 * 2 * 7 + 1 + 1
    (text,) = again.unreadable
    assert "cut short" in text
    assert repr(again) == f"<ddbench.Results: 30 results, 1 failed, 1 unreadable of {tmp_path}>"
    with pytest.raises(ArtifactError, match="There is no folder"):
        ddbench.results(tmp_path / "nowhere")


def test_it_is_a_sequence(results: Results):
    assert list(results[:3]) == [results[0], results[1], results[2]]
    assert isinstance(results[:3], Results)
    assert len(results.ok) + len(results.failures) == len(results)
    assert results[-1] in results


def test_coordinates_pick_results(results: Results):
    assert {r.cell.codec.name for r in results.where(codec="dct")} == {"dct"}
    assert len(results.where(codec={"downsample": {"factor": 2}}, budget={"ipc": 1}, seed=0)) == 2
    assert len(results.where(codec={"downsample": {"factor": 3}})) == 0
    assert len(results.where(budget="10 ipc", method=["dm", "random"])) == 14
    assert [r.cell.method.name for r in results.where(budget=None)] == ["full"]
    assert len(results.where(budget=["1 ipc", None])) == 14 + 1 + 1
    assert len(results.where(codec=[])) == 0
    assert results.where() == results


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        ({"codecs": "dct"}, "There is no coordinate 'codecs'. Did you mean 'codec'"),
        ({"seed": "zero"}, "seed: "),
        ({"space": "signals"}, "space: "),
        ({"budget": {"ipcs": 1}}, "budget: "),
    ],
)
def test_wrong_coordinates_are_told(results: Results, coordinates: dict[str, Any], said: str):
    with pytest.raises(SpecError, match=said):
        results.where(**coordinates)


def test_one_row_or_a_sentence(results: Results):
    row = results.row(codec="dct", method="dm", budget={"ipc": 1})
    found = row.accuracy(("equal_steps", "auto"))
    mine = [run.accuracy for r in row.ok for run in r.runs if run.column == "equal_steps"]
    assert found is not None
    assert found.mean == pytest.approx(sum(mine) / len(mine))
    with pytest.raises(SpecError, match=r"2 rows have codec='jpeg'\. Name more coordinates: jpeg × random at 1 ipc; "):
        results.row(codec="jpeg")
    with pytest.raises(SpecError, match=r"No row has codec='vq'\. There are: "):
        results.row(codec="vq")


def test_pandas_has_a_line_a_student(results: Results):
    frame = results.to_pandas()
    assert len(frame) == sum(max(1, len(r.runs)) for r in results)
    one = frame[(frame.codec == "dct") & (frame.method == "dm") & (frame.budget == "1 ipc") & (frame.seed == 1)]
    (result,) = results.where(codec="dct", method="dm", budget="1 ipc", seed=1)
    assert list(one.accuracy) == [run.accuracy for run in result.runs]
    assert set(one.used_bytes) == {31360.0}
    assert set(one["items"]) == {80}
    assert frame.accuracy.between(0, 1).sum() == len(frame) - 1
    (failed,) = frame[frame.status == "failed"].itertuples()
    assert failed.codec == "pca"
    assert "out of paper" in failed.error
    assert results.where(seed=frame.seed[0]) == results.where(seed=int(frame.seed[0]))


def test_pandas_missing_is_said(results: Results, monkeypatch: pytest.MonkeyPatch):
    whole = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return whole(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DdbenchError, match="to_pandas needs pandas"):
        results.to_pandas()


def test_none_at_all():
    nothing = Results([])
    assert list(nothing.to_pandas().columns)[:3] == ["dataset", "dataset_args", "codec"]
    assert nothing.rows == []
    assert "0 results" in nothing._repr_html_()
    with pytest.raises(SpecError, match="no rows at all"):
        nothing.row()


def test_html_is_balanced_and_escaped():
    protocol = EvaluationProtocol(name="<script>alert(1)</script>", students=2)
    cell = made_up_cell("<img src=x onerror=alert(2)>", protocol=protocol)
    failed = made_up_result(made_up_cell("</td>", protocol=protocol), status="failed")
    text = Results([made_up_result(cell), failed], ["<b>file</b> cannot be read"])._repr_html_()

    class Tags(HTMLParser):
        open: list[str] = []  # noqa: RUF012
        seen: set[str] = set()  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            if tag != "br":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    assert tags.seen <= {"div", "p", "code", "strong", "br", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert "&lt;script&gt;" in text
    assert "table" in Results([made_up_result(cell)]).table("json")
