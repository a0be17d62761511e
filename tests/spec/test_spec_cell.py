"""Keys: stable, blind to order, and different whenever the outcome may be."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from ddbench.spec.cell import Cell, Choice

WRITTEN = {
    "dataset": {"name": "pictures", "args": {}},
    "codec": {"name": "half", "args": {"factor": 2, "mode": "area"}},
    "method": {"name": "learn", "args": {"iterations": 100, "lr": 1.0, "momentum": 0.5}},
    "space": "signal",
    "storage": "float32",
    "budget": {"ipc": 1.0, "bytes_per_class": None, "fraction": None},
    "network": {"name": "auto", "args": {"width": 8}},
    "protocol": {
        "epochs": 1000, "batch": 256, "optimiser": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005,
        "schedule": "step", "augment": "dataset", "name": "dm", "students": 5,
        "networks": [{"name": "auto", "args": {"width": 8}}],
        "columns": ["equal_steps", "equal_epochs"], "evaluate_on": "test", "full": None,
    },
    "seed": 0,
    "versions": {
        "dataset": "rev-1", "codec": "3", "method": "1", "network": "7", "students": ["7"], "semantics": "1",
    },
}  # fmt: skip
KEY = "42233c6a735f1c26adb874b13d69618a5c24bf1ada8e1d7865e933d98ad99b31"
"""A change of this constant orphans every published result. Change it only together with `SEMANTICS`."""


def cell(**changes) -> Cell:
    return Cell.model_validate({**json.loads(json.dumps(WRITTEN)), **changes})


def shuffled(value, draw):
    if isinstance(value, dict):
        items = [(k, shuffled(v, draw)) for k, v in value.items()]
        draw.shuffle(items)
        return dict(items)
    return value


def test_golden_key():
    assert cell().key == KEY


def test_the_cell_survives_json():
    assert Cell.model_validate_json(cell().model_dump_json()) == cell()
    assert json.loads(cell().model_dump_json()) == WRITTEN


@pytest.mark.parametrize("seed", range(5))
def test_key_is_blind_to_the_order_of_keys(seed):
    assert Cell.model_validate(shuffled(WRITTEN, random.Random(seed))).key == KEY


USE = {"name": "published", "version": 1, "found": "published", "source": "a paper", "args": {"lr": 1.0}}


def test_key_and_row_are_blind_to_where_the_arguments_come_from():
    noted = cell(recipe=[USE])
    assert noted.recipe[0].source == "a paper"
    assert noted.key == KEY
    assert noted.unseeded == cell(seed=3).unseeded != cell(storage="float16").unseeded
    assert Cell.model_validate_json(noted.model_dump_json()) == noted != cell()


PUBLISHED = sorted((Path(__file__).parents[2] / "leaderboard" / "results").rglob("result.json"))


def test_keys_of_published_results_stand():
    assert PUBLISHED
    for path in PUBLISHED:
        result = json.loads(path.read_text())
        assert Cell.model_validate(result["cell"]).key == result["key"], path


def leaves_of(value, path=()):
    if isinstance(value, dict) and value:
        for k, v in value.items():
            yield from leaves_of(v, (*path, k))
    else:
        yield path, value


OTHER = {
    "space": "code", "storage": "float16", "optimiser": "adamw", "schedule": "cosine", "augment": "none",
    "evaluate_on": "validation", "columns": ["equal_steps"], "full": {"epochs": 3}, "students": 4,
    "networks": [{"name": "mlp", "args": {}}], "momentum": 0.25, "fraction": None, "bytes_per_class": None,
}  # fmt: skip


@pytest.mark.parametrize(("path", "value"), [(p, v) for p, v in leaves_of(WRITTEN) if v is not None])
def test_key_depends_on_every_field(path, value):
    changed = json.loads(json.dumps(WRITTEN))
    place = changed
    for step in path[:-1]:
        place = place[step]
    if path[0] == "versions" and path[-1] == "students":
        place[path[-1]] = ["8"]
    elif path[-1] in OTHER:
        place[path[-1]] = OTHER[path[-1]]
    elif isinstance(value, dict):
        place[path[-1]] = {"new": 1}
    elif isinstance(value, str):
        place[path[-1]] = value + "x"
    else:
        place[path[-1]] = value + 1
    assert Cell.model_validate(changed).key != KEY


def test_budgets_and_the_ceiling_have_other_keys():
    keys = {cell(budget=b).key for b in (None, {"ipc": 1}, {"bytes_per_class": 64}, {"fraction": 0.5})}
    assert len(keys) == 4
    assert cell(budget={"ipc": 1}).key == KEY, "1 and 1.0 are one budget"


@pytest.mark.parametrize(
    ("written", "args"),
    [
        ("dm", {}),
        ({"dm": {"lr": 2}}, {"lr": 2}),
        ({"dm": None}, {}),
        ({"name": "dm", "args": {"lr": 2}}, {"lr": 2}),
        ({"name": "dm"}, {}),
        ({"name": "dm", "args": None}, {}),
    ],
)
def test_ways_to_write_an_entry(written, args):
    assert Choice.model_validate(written) == Choice(name="dm", args=args)


@pytest.mark.parametrize(
    "written", [{"dm": {}, "lr": 1}, {}, {"dm": 5}, {"dm": [1]}, 5, None, "", {"name": "a", "b": 1}]
)
def test_entries_that_are_refused(written):
    with pytest.raises(ValidationError):
        Choice.model_validate(written)
