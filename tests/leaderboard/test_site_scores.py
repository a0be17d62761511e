"""Scores on the site: gains, recovery, areas and the three intervals, against figures worked out otherwise."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hostile_results import write_results
from made_up_results import made_up_cell, made_up_result, quickstart_like

from ddbench.budget import Budget
from ddbench.leaderboard.build import build
from ddbench.result.schema import Result
from ddbench.result.verification import Comparison, Verdict, Verification, claim_digest
from ddbench.spec.cell import EvaluationProtocol

RESULTS = quickstart_like()


def accuracies(codec: str, method: str, ipc: int | None) -> list[float]:
    """Means of seeds in equal steps, of the results themselves."""
    found = [r for r in RESULTS if (r.cell.codec.name, r.cell.method.name) == (codec, method)]
    chosen = [r for r in found if (r.cell.budget and r.cell.budget.ipc) == ipc]
    return [sum(x.accuracy for x in r.runs if x.column == "equal_steps") / 2 for r in chosen]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    build(write_results(folder / "results", RESULTS), folder)
    return folder / "site"


def lines(html: str, caption: str) -> dict[str, list[str]]:
    """The rows of the table under a caption: heading → cells."""
    table = next(t for t in re.findall(r"<table.*?</table>", html, re.DOTALL) if caption in t)
    found = {}
    for line in re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", table):
        head, *cells = re.split(r"</th><td>|</td><td>|</td>", line)
        found[unescape(re.sub("<.*?>", "", head))] = cells[:-1]
    return found


def page(site: Path, title: str) -> str:
    return next(t for p in sorted((site / "rows").glob("*.html")) if f"<h1>{title}</h1>" in (t := p.read_text()))


def test_a_row_page_has_gains_recovery_and_the_intervals(site: Path) -> None:
    html = next(
        t
        for p in sorted((site / "rows").glob("*.html"))
        if "<h1>dct × dm</h1>" in (t := p.read_text()) and ", 1 ipc," in t
    )
    asked = {"row": ("dct", "dm", 1), "plain": ("identity", "random", 1), "same": ("dct", "random", 1)}
    asked["full"] = ("identity", "full", None)
    values = {name: accuracies(*which) for name, which in asked.items()}
    mean = {name: sum(found) / len(found) for name, found in values.items()}
    gains = lines(html, "Beside random")["equal steps, auto"]
    assert gains[0].startswith(f"+{100 * (mean['row'] - mean['plain']):.1f} ± ")
    assert gains[1].startswith(f"+{100 * (mean['row'] - mean['same']):.1f} ± ")
    assert gains[2] == f"{100 * (mean['row'] - mean['plain']) / (mean['full'] - mean['plain']):.1f}"
    shown = lines(html, "with 95 % intervals")["equal steps, auto"]
    assert shown[0] == f"{100 * mean['row']:.1f}"
    seeds, items, both = map(float, shown[1:4])
    assert both >= max(seeds, 0.0)
    assert 3 < items < 7  # 200 test items, six students of nearly independent answers
    assert shown[4:] == ["3", "6"]


def test_a_board_has_a_table_of_scores_that_is_closed_at_first(site: Path) -> None:
    html = next((site / "boards").glob("*.html")).read_text()
    assert "<details><summary>Gains over random" in html
    found = lines(html, "Gains in percent points")
    assert found["jpeg × random"][1] == "–"
    assert all(len(cells) == 6 for cells in found.values())  # two columns of accuracies
    table = next(t for t in re.findall(r"<table.*?</table>", html, re.DOTALL) if "Gains in percent points" in t)
    assert "full" not in table
    areas = lines(html, "Area under accuracy")
    expected = (sum(accuracies("dct", "dm", 1)) + sum(accuracies("dct", "dm", 10))) / 6
    assert areas["dct × dm"][0].startswith(f"{100 * expected:.1f} ± ")


def test_without_a_yardstick_nothing_is_claimed(tmp_path: Path) -> None:
    results = [made_up_result(made_up_cell("dct", "dm", s)) for s in range(2)]
    build(write_results(tmp_path / "results", results), tmp_path)
    html = next((tmp_path / "site" / "rows").glob("*.html")).read_text()
    assert "Beside random" not in html
    assert '<h2 id="scores">' not in next((tmp_path / "site" / "boards").glob("*.html")).read_text()


def test_random_on_codes_is_a_yardstick_where_there_is_no_other(tmp_path: Path) -> None:
    protocol = EvaluationProtocol(students=1, columns=("equal_steps",))

    def scored(method: str, accuracy: float) -> list[Result]:
        cells = [made_up_cell("dct", method, s, Budget(ipc=1), space="code", protocol=protocol) for s in range(2)]
        return [made_up_result(c, (accuracy,)) for c in cells]

    build(write_results(tmp_path / "results", [*scored("random", 0.4), *scored("dm", 0.6)]), tmp_path)
    html = next(t for p in (tmp_path / "site" / "rows").glob("*.html") if "<h1>dct × dm (code)" in (t := p.read_text()))
    assert lines(html, "Beside random")["equal steps, auto"] == ["–", "+20.0 ± 0.0", "–"]


def test_every_mark_of_a_chart_is_a_link_with_a_name(site: Path) -> None:
    html = next((site / "boards").glob("*.html")).read_text()
    marks = re.findall(r'<a class="point c\d" href="([^"]+)" data-row="\w+"><title>([^<]+)</title>', html)
    assert len(marks) == 2 * 14  # two charts
    assert all((site / "boards" / href).resolve().is_file() and " %" in title for href, title in marks)


def test_a_check_that_disagrees_is_named_in_the_table(tmp_path: Path) -> None:
    result = made_up_result(made_up_cell("dct", "dm"))
    (tmp_path / "verifications").mkdir()
    checked = verification_of(result, "disagrees")
    (tmp_path / "verifications" / checked.file_name).write_text(checked.model_dump_json())
    build(write_results(tmp_path / "results", [result]), tmp_path)
    assert "self-reported, a check disagrees" in next((tmp_path / "site" / "boards").iterdir()).read_text()
    assert "self-reported, a check disagrees" in (tmp_path / "README.md").read_text()


def verification_of(result: Result, verdict: Verdict) -> Verification:
    run = result.runs[0]
    compared = Comparison(
        column=run.column, network=run.network, labels="hard", space="signal", claimed=0.6, found=0.5,
        students_claimed=2, students_found=2, half_width=0.05, verdict=verdict,
    )  # fmt: skip
    return Verification(
        key=result.key, run_id=result.run_id, claim=claim_digest(result), sha256=None, independent=True,
        confidence=0.99, comparisons=(compared,), runs=(run,), verdict=verdict, ddbench="0.1.0", device="cpu",
        by="us", started="2026-01-01T00:00:00Z", finished="2026-01-01T00:00:02Z",
    )  # fmt: skip
