"""Expansion: which cells a suite has, in which order, with what spelled out."""

from __future__ import annotations

from itertools import product

import pytest

from ddbench.errors import SpecError
from ddbench.planning.expand import expand
from ddbench.spec.cell import Cell
from ddbench.spec.suite import Suite


def titles(cells: list[Cell]) -> list[tuple]:
    return [(str(c.budget), c.codec.name, c.method.name, c.space, c.storage, c.seed) for c in cells]


def test_a_grid_is_the_product_in_the_order_of_its_lists(suite_of):
    cells = expand(
        suite_of(
            """
            grid:
              - datasets: pictures
                codecs: [half, identity]
                methods: [random, learn]
                spaces: [signal, code]
                budgets: [{ipc: 2}, {ipc: 1}]
                storage: [float32, float16]
                seeds: [5, 3]
            """
        )
    )
    wanted = product(
        ["2 ipc", "1 ipc"],
        ["half", "identity"],
        ["random", "learn"],
        ["signal", "code"],
        ["float32", "float16"],
        [5, 3],
    )
    assert titles(cells) == list(wanted)


def test_everything_is_spelled_out(suite_of):
    (cell,) = expand(
        suite_of(
            """
            protocol: {students: 2, networks: maps}
            grid:
              - {datasets: pictures, codecs: half, methods: {learn: {iterations: 3}}, budgets: {ipc: 1}}
            """
        )
    )
    assert cell.codec.args == {"factor": 2, "mode": "area"}
    assert cell.method.args == {"iterations": 3, "lr": 1.0, "momentum": 0.5}
    assert cell.network.args == {"width": 8}
    assert cell.protocol.networks[0].args == {"width": 8}
    assert cell.protocol.name == "custom"
    v = cell.versions
    assert (v.dataset, v.codec, v.method, v.network, v.students) == ("rev-1", "3", "1", "7", ("7",))
    assert Cell.model_validate_json(cell.model_dump_json()).key == cell.key


def test_spelling_does_not_change_keys(suite_of):
    short = "grid: {datasets: pictures, codecs: half, methods: learn, budgets: {ipc: 1}}"
    long = """
    grid:
      - seeds: [0]
        budgets: [{ipc: 1.0}]
        methods: [{name: learn, args: {lr: 1, momentum: 0.5}}]
        codecs: [{half: {mode: area}}]
        datasets: [pictures]
        network: {auto: {width: 8}}
    """
    assert [c.key for c in expand(suite_of(short))] == [c.key for c in expand(suite_of(long))]


def test_cells_that_are_asked_for_twice_are_one(suite_of):
    codecs = "[half, {half: {factor: 2}}]"
    block = f"{{datasets: pictures, codecs: {codecs}, methods: random, budgets: {{ipc: 1}}, seeds: [0, 0, 1]}}"
    assert len(expand(suite_of(f"grid: [{block}, {block}]"))) == 2


RULES = """
grid:
  - datasets: pictures
    codecs: [identity, half, {{half: {{factor: 4}}}}]
    methods: [random, learn]
    budgets: [{{ipc: 1}}, {{ipc: 2}}]
    seeds: [0, 1]
    {rule}
"""


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ("{codec: half}", lambda c: c.codec.name == "half"),
        ("{codec: {half: {factor: 2}}}", lambda c: c.codec.args.get("factor") == 2),
        ("{codec: half, method: learn}", lambda c: (c.codec.name, c.method.name) == ("half", "learn")),
        ("{budget: {ipc: 2}, seed: [1, 7]}", lambda c: c.budget.ipc == 2 and c.seed == 1),
        ("[{seed: 0}, {method: random}]", lambda c: c.seed == 0 or c.method.name == "random"),
        ("{codec: [identity, {half: {factor: 4}}]}", lambda c: c.codec.args.get("factor") != 2),
    ],
)
def test_exclude_drops_what_has_all_the_values_named(suite_of, rule, dropped):
    every = expand(suite_of(RULES.format(rule="")))
    assert len(every) == 24
    left = expand(suite_of(RULES.format(rule=f"exclude: {rule}")))
    assert [c.key for c in left] == [c.key for c in every if not dropped(c)]
    assert 0 < len(left) < 24


def test_excluded_combinations_are_not_tried(suite_of):
    text = "grid: [{datasets: pictures, codecs: [identity, stiff], methods: [random, learn], budgets: {ipc: 1}%s}]"
    with pytest.raises(SpecError, match="stiff × learn"):
        suite_of(text % "")
    assert len(expand(suite_of(text % ", exclude: {codec: stiff, method: learn}"))) == 3


def test_include_fills_in_the_first_of_each_list(suite_of):
    every = expand(suite_of(RULES.format(rule="")))
    more = expand(suite_of(RULES.format(rule="include: [{codec: jpeg, method: random, seed: [0, 1, 2]}, {seed: 9}]")))
    assert titles(more[24:]) == [
        *[("1 ipc", "jpeg", "random", "signal", "float32", seed) for seed in (0, 1, 2)],
        ("1 ipc", "identity", "random", "signal", "float32", 9),
    ]
    assert [c.key for c in more[:24]] == [c.key for c in every]


def test_settings_are_merged_last_and_later_ones_win(suite_of):
    rule = """settings:
      - {when: {method: learn}, method_args: {lr: 3.0, iterations: 7}}
      - {when: {method: learn, codec: {half: {factor: 4}}}, method_args: {lr: 5.0}, codec_args: {mode: cubic}}
    """
    for cell in expand(suite_of(RULES.format(rule=rule))):
        if cell.method.name == "random":
            assert cell.codec.args.get("mode") in (None, "area")
        else:
            special = cell.codec.args.get("factor") == 4
            assert cell.method.args == {"lr": 5.0 if special else 3.0, "iterations": 7, "momentum": 0.5}
            assert cell.codec.args.get("mode") == ("cubic" if special else "area" if cell.codec.args else None)


def test_the_ceiling_runs_once_per_dataset_and_students(suite_of):
    cells = expand(
        suite_of(
            """
            grid:
              - &a
                datasets: [pictures, rows]
                codecs: [identity, masked]
                methods: [random, full]
                budgets: [{ipc: 1}, {ipc: 2}]
                storage: [float16, float32]
                seeds: [4, 0]
                network: {auto: {width: 9}}
              - {<<: *a, seeds: [8]}
              - {datasets: pictures, methods: full}
            """
        )
    )
    ceilings = [c for c in cells if c.method.name == "full"]
    assert [(c.dataset.name, c.seed) for c in ceilings] == [("pictures", 4), ("rows", 4)]
    for cell in ceilings:
        assert cell.budget is None
        assert (cell.codec.name, cell.space, cell.storage) == ("identity", "signal", "float32")
    assert len(cells) == 2 + 2 * 2 * 2 * 2 * 3


def test_protocols_by_name(suite_of):
    cells = expand(
        suite_of(
            """
            protocol: quick
            protocols:
              quick: {epochs: 3}
              slow: {epochs: 30, name: very slow}
            grid:
              - {datasets: pictures, codecs: half, methods: random, budgets: {ipc: 1}}
              - {datasets: pictures, codecs: half, methods: random, budgets: {ipc: 1}, protocol: slow}
            """
        )
    )
    assert [(c.protocol.name, c.protocol.epochs) for c in cells] == [("quick", 3), ("very slow", 30)]


def test_a_suite_made_in_python(fakes):
    def block(**more):
        return {"datasets": "pictures", "codecs": "half", "methods": "random", "budgets": {"ipc": 1}, **more}

    assert len(expand(Suite.model_validate({"ddbench": 1, "name": "mine", "grid": [block()]}))) == 1
    wrong = Suite.model_validate({"ddbench": 1, "name": "mine", "grid": [block(codecs="hlf", protocol="p")]})
    with pytest.raises(SpecError, match=r"(?s)mine:1: .*no codec called 'hlf'") as caught:
        expand(wrong)
    assert "no protocol 'p'" in str(caught.value)
