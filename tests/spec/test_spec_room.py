"""What a matcher is told of a cell while it is planned, and what becomes of its answer."""

from __future__ import annotations

import pytest
import spec_fakes

from ddbench.planning.expand import expand
from ddbench.planning.facts import parts_of
from ddbench.planning.plan import kept_bytes, plan
from ddbench.planning.room import room_of
from ddbench.planning.shared import shared_work
from ddbench.spec.suite import Suite


def suite(suite_of, entry: str, dataset: str = "pictures", head: str = "") -> Suite:
    return suite_of(f"{head}\ngrid: {{datasets: {dataset}, {entry}}}")


def room(suite_of, entry: str, **more: str):
    (cell,) = expand(suite(suite_of, entry, **more))
    found = room_of(cell, parts_of(cell))
    return found.items, found.values, found.shape, found.network.weights, found.smallest_class, found.train_size


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        # a picture is 64 bytes, and so is the method's own leaf of a class
        ("codecs: identity, methods: {picky: {most: 99}}, budgets: {ipc: 3}", (2, 2, (1, 4, 4), 48, 10, 30)),
        ("codecs: identity, methods: learn, budgets: {ipc: 3}", (3, 3, (1, 4, 4), 48, 10, 30)),
        ("codecs: half, methods: {picky: {most: 99}}, budgets: {ipc: 2}", (4, 4, (1, 4, 4), 48, 10, 30)),
        ("codecs: half, methods: {picky: {most: 99}}, budgets: {ipc: 2}, spaces: code", (4, 4, (1, 2, 2), 12, 10, 30)),
        ("codecs: identity, methods: learn, budgets: {ipc: 2}, storage: float16", (4, 4, (1, 4, 4), 48, 10, 30)),
    ],
)
def test_the_room_by_hand(suite_of, entry, wanted):
    assert room(suite_of, entry) == wanted


def test_an_item_of_two_signals_gives_two_values(suite_of, monkeypatch):
    monkeypatch.setattr(spec_fakes.Half, "signals_per_item", 2)
    assert room(suite_of, "codecs: half, methods: learn, budgets: {ipc: 1}")[:2] == (4, 8)


def test_what_is_held_out_is_no_training_item(suite_of):
    found = room(
        suite_of, "codecs: identity, methods: learn, budgets: {ipc: 1}", head="protocol: {evaluate_on: validation}"
    )
    assert found[-2:] == (9, 27)


REFUSED = """
grid:
  - datasets: pictures
    codecs: [identity, half]
    methods:
      - random
      - picky: {most: 6}
    budgets: [{ipc: 3}, {ipc: 4}]
    exclude: {codec: half, budget: {ipc: 4}}
"""


def test_a_refusal_names_the_line_of_the_method_and_every_cell_that_it_concerns(mistakes):
    found = mistakes(REFUSED)
    assert [line.split(" takes 6")[0] for line in found] == [
        "s.yaml:9: half × picky on pictures at 3 ipc:",
        "s.yaml:9: identity × picky on pictures at 4 ipc:",
    ]


def test_a_refusal_of_settings_and_a_check_that_breaks(mistakes):
    found = mistakes(
        REFUSED.replace("most: 6", "most: 99") + "    settings: {method_args: {most: 1}, when: {method: picky}}"
    )
    assert len(found) == 3
    assert all("takes 1, got" in line for line in found)
    (broken,) = mistakes(REFUSED.replace("picky: {most: 6}", "faulty").replace(", half", "").replace(", {ipc: 4}", "")
                         .replace("    exclude: {codec: half, budget: {ipc: 4}}\n", ""))  # fmt: skip
    assert "The method 'faulty" in broken
    assert "ZeroDivisionError: oops" in broken


def test_the_check_is_not_asked_of_a_cell_that_is_wrong_already(mistakes):
    (found,) = mistakes(
        REFUSED.replace("[identity, half]", "stiff").replace("    exclude: {codec: half, budget: {ipc: 4}}\n", "")
    )
    assert "gradient" in found


SHARED = """
grid:
  - datasets: [pictures, rows]
    codecs: [identity, half]
    methods: [random, full, {picky: {most: 400}}, learn]
    spaces: [signal, code]
    budgets: [{ipc: 5}, {ipc: 6}]
    seeds: [0, 1, 2]
    exclude: {codec: half, dataset: rows}
  - {datasets: pictures, codecs: identity, methods: {picky: {most: 390, lr: 7.0}}, budgets: {ipc: 3}}
"""


def test_work_and_bytes_that_cells_share_are_counted_once(suite_of):
    cells = expand(suite_of(SHARED))
    # entries of a byte a weight: pictures have 48 weights and half-size codes 12, rows have 15
    signal, code, rows = 400 * 48, 400 * (48 + 12), 400 * (15 + 15)
    assert kept_bytes(plan(cells)) == signal + code + rows
    shares = shared_work(cells)
    found = [(s.kind, s.cells[0].dataset.name, len(s.cells)) for s in shares]
    learned = 2 * 3  # budgets and seeds
    assert found == [
        ("data", "pictures", sum(c.dataset.name == "pictures" for c in cells)),
        ("prepare", "pictures", 2 * learned),
        ("prepare", "pictures", learned),
        ("prepare", "pictures", learned),
        ("prepare", "pictures", 1),
        ("data", "rows", sum(c.dataset.name == "rows" for c in cells)),
        ("prepare", "rows", learned),
        ("prepare", "rows", learned),
    ]


def test_a_fit_is_shared_by_cells_of_one_target(suite_of, monkeypatch):
    monkeypatch.setattr(spec_fakes.Half, "fit", lambda self, train, generator: {}, raising=False)
    cells = expand(
        suite_of("grid: {datasets: pictures, codecs: half, methods: [random, learn], budgets: [{ipc: 1}, {ipc: 2}], "
                 "seeds: [0, 1], storage: [float32, uint8]}")
    )  # fmt: skip
    assert [(s.kind, len(s.cells)) for s in shared_work(cells)] == [("data", 16), *[("codec", 4)] * 4]
