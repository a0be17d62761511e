"""LaTeX, Markdown and Parquet: hostile names are shown, structure holds, numbers are exact."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up_results import made_up_cell, made_up_folder, made_up_result, quickstart_like

from ddbench.cli.main import execute
from ddbench.errors import ArtifactError
from ddbench.report import latex, text
from ddbench.report.published import published
from ddbench.report.table import FORMATS, Collection, collect, parquet, render
from ddbench.report.view import View, view
from ddbench.result.io import write_result

HOSTILE = r"<script>a_b|c & 100% #1 $x$ ^~{}\ [*] -- é 中 '' `" + '"\x1b[31m'
PIVOT = view(rows="method,codec", cols="dataset,budget", scores=True)


def hostile() -> Collection:
    results = [made_up_result(made_up_cell(c, m, s), (0.5 + s / 99,) * 2)
               for c in (HOSTILE, "identity") for m in ("random", "[x]", "*y") for s in (0, 1)]  # fmt: skip
    return Collection((*results, made_up_result(made_up_cell("z"), status="failed")), (HOSTILE,))


@pytest.mark.parametrize("asked", [View(), PIVOT], ids=["long", "pivot"])
def test_latex_is_balanced_ascii_and_has_equal_lines(asked: View) -> None:
    made = render(hostile(), "latex", asked)
    assert made.isascii()
    assert "\\usepackage{booktabs}" in made.splitlines()[0]
    bare = re.sub(r"\\[{}$%&#_\\]", "", "\n".join(line for line in made.splitlines() if not line.startswith("%")))
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not set("%#_~^") & set(re.sub(r"\\[\^~]\{", "", bare))
    assert not [line for line in made.splitlines() if re.match(r"\s*[\[*]", line)]
    for columns, rows in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", made, re.DOTALL):
        lines = [line for line in rows.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex on this machine")
def test_latex_compiles_as_pasted(tmp_path: Path) -> None:
    if not subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).stdout:
        pytest.skip("this TeX has no booktabs")
    shown = view(rows="method,codec", cols="dataset,budget", scores=True, reported=True)
    body = render(hostile(), "latex", View()) + render(hostile(), "latex", shown)
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{body}\\end{{document}}\n"
    (tmp_path / "x.tex").write_text(document)
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_markdown_shows_names_as_they_are() -> None:
    made = render(hostile(), "markdown")
    assert "<script>" not in made
    assert "\x1b" not in made
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in made.splitlines() if line.startswith("|")}) == 1
    assert text.escaped("_a_b_ c|d *e*") == r"\_a_b\_ c\|d \*e\*"
    assert "\x1b" not in render(hostile(), "terminal")
    assert latex.escaped("--é中") == r"-{}-\'{e}{[}U+4E2D{]}"


def test_parquet_holds_what_json_holds(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    found = Collection(tuple(quickstart_like()))
    for asked in (View(), PIVOT, view(scores=True, reported=True)):
        out = tmp_path / "x.parquet"
        out.write_bytes(parquet(found, asked))
        read = pq.read_table(out)
        (table,) = json.loads(render(found, "json", asked))["tables"]
        rows = table.get("cells", table.get("rows"))
        assert read.num_rows == len(rows)
        said = json.loads(read.schema.metadata[b"ddbench"])
        assert said["tables"][0]["headings"] == table["headings"]
        name, value = ("accuracy", rows[0]["accuracy"]) if "cells" in table else (
            "scores.equal_steps/auto.accuracy", rows[0]["scores"]["equal_steps/auto"]["accuracy"])  # fmt: skip
        assert read.column(name)[0].as_py() == value


def test_the_command_writes_by_suffix_and_says_what_csv_cannot(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = str(made_up_folder(tmp_path / "runs", [r for r in quickstart_like() if r.cell.codec.name != "jpeg"]))
    starts = {".md": "## ", ".tex": "% Made", ".csv": "dataset,", ".json": "{", ".txt": "fashion", ".parquet": "PAR1"}
    for suffix, start in starts.items():
        out = tmp_path / f"x{suffix}"
        assert execute(["table", runs, "--out", str(out)]) == 0
        assert out.read_bytes().startswith(start.encode())
    capsys.readouterr()
    assert execute(["table", runs, runs, "--format", "csv"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1 + 13
    assert "absent mandatory rows" in told.err
    assert execute(["table", runs, "--format", "parquet"]) == 2
    assert execute(["table", runs, "--out", str(tmp_path / "none" / "x.md")]) == 3
    assert execute(["table"]) == 2


def test_folders_that_overlap_count_once_and_contradictions_are_named(tmp_path: Path) -> None:
    result = made_up_result(made_up_cell())
    made_up_folder(tmp_path / "a", [result])
    made_up_folder(tmp_path / "b", [result])
    assert collect(tmp_path / "a", tmp_path, tmp_path / "b") == Collection((result,))
    (other,) = (tmp_path / "b").rglob("result.json")
    write_result(other, made_up_result(made_up_cell(), (0.9, 0.9)))
    found = collect(tmp_path / "a", tmp_path / "b")
    assert found.results == (result,)
    assert "says something else" in found.unreadable[0]
    with pytest.raises(ArtifactError, match="no folder"):
        collect(tmp_path / "a", tmp_path / "c")


def test_reported_figures_stand_apart_and_are_never_marked() -> None:
    results = tuple(made_up_result(made_up_cell(dataset="fashion_mnist", seed=s)) for s in (0, 1))
    asked = view(reported=True)
    for form in FORMATS:
        made = render(Collection(results), form, asked)
        assert "reported" in made
        assert "84.6" in made or "0.846" in made
        assert "83.6" not in made  # DC at 50 images a class, a budget that no row has
    block = render(Collection(results), "markdown", asked).partition("reported figures")[2]
    assert "**" not in block
    assert len(json.loads(render(Collection(results), "json", asked))["tables"][0]["rows"]) == 1
    nothing = Collection((made_up_result(made_up_cell(dataset="other")),))
    assert "reported" not in render(nothing, "terminal", asked)


def test_files_of_reported_figures_are_checked(tmp_path: Path) -> None:
    assert all(0 < f.accuracy < 1 and f.source and f.method for f in published())
    file = tmp_path / "x.csv"
    head = "paper,method,codec_or_space,dataset,resolution,ipc_or_budget,train_net,eval_net,accuracy,std,source\n"
    good = "p,DC,pixel,mnist,28,ipc=1,ConvNetD3,ConvNetD3,91.7,0.5,here\n"
    file.write_text(head + good)
    (figure,) = published(file)
    assert (figure.accuracy, figure.sd, figure.ipc) == (pytest.approx(0.917), pytest.approx(0.005), 1)
    bad = good.replace("91.7", "nan") + good.replace("28", "x") + good.replace("here", "") + "p,DC\n"
    file.write_text(head + bad)
    with pytest.raises(ArtifactError, match=r"line 2: accuracy nan.*line 3: resolution.*line 4: source.*line 5: "):
        published(file)
    file.write_text(head + good.replace("91.7", "0.917").replace("0.5", ""))
    with pytest.raises(ArtifactError, match="fractions"):
        published(file)
    file.write_text("a,b\n")
    with pytest.raises(ArtifactError, match="lacks the columns"):
        published(file)
