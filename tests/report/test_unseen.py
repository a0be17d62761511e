"""The mean over the architectures that matching did not use: which they are, and what the table says."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
from made_up_results import made_up_cell, made_up_result, made_up_run

from ddbench.report.rows import UNSEEN, tables
from ddbench.report.table import Collection, render
from ddbench.spec.cell import Choice, EvaluationProtocol
from ddbench.spec.networks import labels, unseen

POOL = ("convnet", "alexnet", "vgg11")
REACHED = {"convnet": (0.70, 0.72), "alexnet": (0.40, 0.50), "vgg11": (0.60, 0.65)}
"""Two students of each network."""


def protocol(*networks: str | dict) -> EvaluationProtocol:
    return EvaluationProtocol(students=2, networks=tuple(Choice.model_validate(n) for n in networks or POOL))


def scored(seed: int = 0, shift: float = 0.0, without: str = "", **cell):
    """A result whose students reach REACHED, more by `shift`."""
    made = made_up_result(made_up_cell(**{"protocol": protocol(), "network": "convnet", "seed": seed, **cell}))
    runs = [
        made_up_run(a + shift, column, i, network)
        for column in made.cell.protocol.columns
        for network in POOL
        if network != without
        for i, a in enumerate(REACHED[network])
    ]
    return made.model_copy(update={"runs": tuple(runs)})


@pytest.mark.parametrize(
    ("match", "expected"),
    [("convnet", ["alexnet", "vgg11"]), ("vgg11", ["convnet", "alexnet"]), ("mlp", list(POOL))],
)
def test_unseen_is_what_is_not_the_match_network(match, expected):
    result = scored(network=match)
    assert list(unseen(result.cell)) == expected
    (table,) = tables([result])
    found = table.accuracy(table.rows[0], ("equal_steps", UNSEEN))
    by_hand = sum(sum(REACHED[n]) / 2 for n in expected) / len(expected)
    assert found.mean == pytest.approx(by_hand, abs=1e-12)
    assert (found.n_seeds, found.n_students, found.half_width) == (1, 2 * len(expected), None)


def test_a_namesake_with_other_arguments_is_unseen():
    networks = ({"convnet": {"width": 8}}, {"convnet": {"width": 16}}, "mlp")
    cell = made_up_cell(protocol=protocol(*networks))
    cell = cell.model_copy(update={"network": Choice(name="convnet", args={"width": 16})})
    assert unseen(cell) == ("convnet(width=8)", "mlp")
    assert labels(cell.protocol.networks) == ["convnet(width=8)", "convnet(width=16)", "mlp"]


def test_the_interval_is_over_seeds():
    (table,) = tables([scored(seed=s, shift=0.1 * s) for s in (0, 1)])
    found = table.accuracy(table.rows[0], ("equal_epochs", UNSEEN))
    assert found.mean == pytest.approx((0.40 + 0.50 + 0.60 + 0.65) / 4 + 0.05)
    assert found.half_width == pytest.approx(12.706205 * 0.05, rel=1e-6)  # t with one degree of freedom
    assert (found.n_seeds, found.n_students) == (2, 8)


def test_columns_come_after_the_networks_and_only_where_there_are_several():
    (table,) = tables([scored()])
    assert table.scores == tuple((c, n) for c in ("equal_steps", "equal_epochs") for n in (*POOL, UNSEEN))
    one = made_up_cell(protocol=protocol("vgg11"), network="convnet")
    (alone,) = tables([made_up_result(one, networks=("vgg11",))])
    assert [network for _, network in alone.scores] == ["vgg11"] * 2


def test_rows_that_lack_a_network_have_no_mean():
    (table,) = tables([scored(), scored(without="vgg11", method="dm")])
    means = {r.cell.method.name: table.accuracy(r, ("equal_steps", UNSEEN)) for r in table.rows}
    assert means["random"] is not None
    assert means["dm"] is None


def test_rows_of_several_match_networks_have_each_their_own():
    (table,) = tables([scored(method="dm"), scored(method="dm", network="vgg11")])
    found = {r.cell.network.name: table.accuracy(r, ("equal_steps", UNSEEN)).mean for r in table.rows}
    assert found["convnet"] == pytest.approx((0.45 + 0.625) / 2)
    assert found["vgg11"] == pytest.approx((0.45 + 0.71) / 2)


def test_the_ceiling_has_the_networks_that_no_row_matched_with():
    full = scored(method="full", network="auto", shift=0.2)
    (table,) = tables([full, scored(method="dm")])
    assert table.rows[-1].is_ceiling
    assert table.unseen(table.rows[-1]) == ("alexnet", "vgg11")
    assert table.accuracy(table.rows[-1], ("equal_epochs", UNSEEN)).mean == pytest.approx((0.45 + 0.625) / 2 + 0.2)
    (table,) = tables([full, scored(method="dm"), scored(method="dm", network="vgg11")])
    assert table.unseen(table.rows[-1]) == ("alexnet",)


def test_every_form_has_the_column():
    found = Collection((scored(), scored(method="dm", shift=0.05)))
    text = render(found, "markdown")
    assert "equal steps unseen" in text
    assert "equal epochs unseen" in text
    assert "unseen: mean over the student networks that are not the row's match network" in text
    (row,) = [line for line in text.splitlines() if "| dm " in line]
    assert row.count("58.8") == 2  # (45 + 62.5) / 2 + 5 in both columns
    records = {r["method"]: r for r in json.loads(render(found, "json"))["tables"][0]["rows"]}
    assert records["dm"]["unseen_networks"] == ["alexnet", "vgg11"]
    assert records["dm"]["scores"]["equal_steps/unseen"]["accuracy"] == pytest.approx(0.5875)
    flat = {r["method"]: r for r in csv.DictReader(io.StringIO(render(found, "csv")))}
    assert float(flat["random"]["scores.equal_epochs/unseen.accuracy"]) == pytest.approx(0.5375)
    assert "unseen" not in render(Collection((made_up_result(made_up_cell()),)))


def test_labels_need_no_torch():
    code = "import sys, ddbench.spec.networks, ddbench.report.cells; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
