"""The table in its four forms."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from made_up_results import made_up_cell, made_up_folder, made_up_result, quickstart_like
from small_cells import small_cell

from ddbench import registry
from ddbench.budget import Budget
from ddbench.data import load
from ddbench.distill.picking import Picking
from ddbench.distill.workshop import Workshop
from ddbench.errors import ArtifactError
from ddbench.interfaces.codec import Target
from ddbench.report.labels import count, percent, span
from ddbench.report.table import FORMATS, Collection, collect, failures, render
from ddbench.spec.cell import EvaluationProtocol


def lines_of(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if all(w in line for w in words)]


def test_a_terminal_table_says_what_matters() -> None:
    results = [made_up_result(made_up_cell(seed=s), (0.5 + s / 10,) * 2, used=31900) for s in (0, 1)]
    results.append(made_up_result(made_up_cell(method="full"), (0.9,), used=5_000_000))
    text = render(Collection(tuple(results)))
    assert "protocol dm, scored on the test set" in text
    (row,) = lines_of(text, "1 ipc", "identity")
    assert "31,900 (102 %)!" in row
    assert f"55.0 ± {100 * 12.7062 * 0.05:.1f}" in row
    assert "1000 / 400" in row
    (ceiling,) = lines_of(text, "none", "full")
    assert " 90.0 " in ceiling
    assert "±" not in ceiling
    assert lines_of(text, "! over the cap", "1.7 %")
    separators = [line for line in text.splitlines() if line.startswith("---")]
    assert len(separators) == 2


def test_one_seed_has_no_interval() -> None:
    text = render(Collection((made_up_result(made_up_cell(), (0.5, 0.6)),)))
    (row,) = lines_of(text, "1 ipc", "identity")
    assert " 55.0 " in row
    assert "±" not in row


def test_validation_is_labelled_and_apart() -> None:
    validation = made_up_cell("dct", protocol=EvaluationProtocol(students=2, evaluate_on="validation"))
    text = render(Collection((made_up_result(made_up_cell()), made_up_result(validation))))
    tables = text.split("fashion_mnist_small, protocol")[1:]
    assert len(tables) == 2
    assert ["VALIDATION" in t for t in tables] == [" dct " in t for t in tables]
    assert sum("VALIDATION" in t for t in tables) == 1


def test_failures_are_counted_and_listed() -> None:
    results = tuple(made_up_result(made_up_cell(seed=s), status="failed" if s == 1 else "ok") for s in range(3))
    found = Collection(results, ("x/result.json is empty.",))
    text = render(found)
    assert lines_of(text, "1 ipc", "2 of 3†")
    assert lines_of(text, "seed 1: failed in distill: RuntimeError: out of paper and ink")
    assert lines_of(text, "unreadable: x/result.json is empty.")
    assert len(failures(found)) == 2
    assert "absent" not in text


def test_rows_whose_classes_ran_out_are_marked() -> None:
    short = made_up_result(made_up_cell("downsample"), items=7).model_copy(update={"notes": notes_of_a_full_class()})
    results = (short, made_up_result(made_up_cell(), items=9), made_up_result(made_up_cell("dct"), items=8))
    text = render(Collection(results))
    assert lines_of(text, "downsample", " 7‡ ")
    assert lines_of(text, "‡ the budget holds more items than the rarest class has")
    assert len(lines_of(text, "‡")) == 2
    assert "‡" not in render(Collection(results[1:]))
    rows = json.loads(render(Collection(results), "json"))["tables"][0]["rows"]
    assert {r["codec"]: r["ran_out_of_items"] for r in rows} == {"downsample": True, "identity": False, "dct": False}


def notes_of_a_full_class() -> tuple[str, ...]:
    """What the framework itself notes of a selector that took every item of a class."""
    cell = small_cell(method="random", ipc=200)
    data = load(registry.build("dataset", "digits"))
    cap = Budget(ipc=200).cap_bytes(data.card.signal.shape, data.card.n_classes, 0)
    target = Target(data.card.signal, data.card.n_classes, cap)
    network = registry.build("network", "auto", {"width": 8})
    shop = Workshop(cell, data, registry.build("codec", "identity", {}, target), network, cap, torch.device("cpu"), {})
    notes = Picking(shop, registry.build("method", "random")).pick().notes
    assert notes
    return notes


def test_networks_make_columns() -> None:
    text = render(Collection((made_up_result(made_up_cell(), networks=("convnet", "vgg")),)), "markdown")
    assert "equal steps convnet" in text
    assert "equal epochs vgg" in text


def test_markdown_is_a_table_with_equal_cells() -> None:
    results = [*quickstart_like(), made_up_result(made_up_cell("a|b"))]
    rows = [line.replace("\\|", "") for line in render(Collection(tuple(results)), "markdown").splitlines()]
    assert len({line.count("|") for line in rows if line.startswith("|")}) == 1


def test_csv_and_json_hold_exact_numbers() -> None:
    results = tuple(quickstart_like())
    records = list(csv.DictReader(io.StringIO(render(Collection(results), "csv"))))
    (table,) = json.loads(render(Collection(results), "json"))["tables"]
    assert len(records) == len(table["rows"]) == 15
    for flat, row in zip(records, table["rows"]):
        own = [r for r in results if (r.cell.codec.name, r.cell.method.name, str(r.cell.budget)) ==
               (row["codec"], row["method"], str(row["budget"]))]  # fmt: skip
        runs = [x.accuracy for r in own for x in r.runs if x.column == "equal_steps"]
        assert row["scores"]["equal_steps/auto"]["accuracy"] == pytest.approx(sum(runs) / len(runs), abs=1e-12)
        assert float(flat["scores.equal_steps/auto.accuracy"]) == row["scores"]["equal_steps/auto"]["accuracy"]
        assert int(flat["used_bytes"]) == max(r.bytes.used for r in own)
        assert json.loads(flat["codec_args"]) == row["codec_args"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_takes_failures_only(form: str) -> None:
    assert render(Collection((made_up_result(made_up_cell(), status="out_of_memory"),)), form)
    assert render(Collection((), ("x is empty",)), form)


def test_collect_reads_what_is_below_and_names_what_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no folder"):
        collect(tmp_path / "none")
    with pytest.raises(ArtifactError, match="holds no result"):
        collect(tmp_path)
    results = quickstart_like(1)
    made_up_folder(tmp_path, results)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "result.json").write_text("{")
    found = collect(tmp_path)
    assert sorted(r.key for r in found.results) == sorted(r.key for r in results)
    assert len(found.unreadable) == 1


def test_small_words() -> None:
    assert [count(n) for n in (950, 9999, 12300, 256_000, 4_700_000, 2e9)] == [
        "950", "9999", "12.3k", "256k", "4.7M", "2G"]  # fmt: skip
    assert (percent(0.712, 0.013), percent(1.0)) == ("71.2 ± 1.3", "100.0")
    assert (span([4, 4]), span([5, 3, 4]), span([])) == ("4", "3–5", "–")
