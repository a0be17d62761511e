"""Fields that came later: not written while they have their default, so that old cells keep their keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from ddbench import registry
from ddbench.interfaces.method import MatcherConfig
from ddbench.planning.facts import full_args
from ddbench.result.io import read_result
from ddbench.result.schema import StudentRun
from ddbench.spec.cell import Choice, EvaluationProtocol
from ddbench.written import ADDED, as_written, without_added

RESULTS = sorted((Path(__file__).parents[2] / "leaderboard" / "results").rglob("result.json"))


class Old(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    a: int = 1
    b: Annotated[float | None, ADDED] = Field(None, gt=0)
    c: Annotated[tuple[str, ...], ADDED] = ("x",)

    _written, _without_added = as_written, without_added


class Derived(Old):
    d: Annotated[bool, ADDED] = False


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, {"a": 1}),
        ({"b": None, "c": ["x"], "d": False}, {"a": 1}),
        ({"a": 2, "b": 0.5}, {"a": 2, "b": 0.5}),
        ({"c": ["y"], "d": True}, {"a": 1, "c": ["y"], "d": True}),
    ],
)
def test_they_are_written_where_they_differ_and_read_back(given: dict[str, Any], text: dict[str, Any]) -> None:
    model = Derived.model_validate(given)
    assert json.loads(model.model_dump_json()) == model.model_dump(mode="json") == text
    assert Derived.model_validate(text) == model
    assert {"b", "c", "d"} <= set(Derived.model_json_schema()["properties"])


def test_one_that_is_wrong_is_refused_as_any_other() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Derived.model_validate({"b": -1.0})
    with pytest.raises(ValueError, match="a number"):
        Derived.model_validate({"b": "1"})


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.parent.name[:8])
def test_published_cells_keep_their_keys_also_where_they_are_planned_anew(path: Path) -> None:
    raw = json.loads(path.read_text())
    result = read_result(path)
    cell = result.cell
    assert cell.key == raw["key"]
    for kind, choice in (("codec", cell.codec), ("method", cell.method), ("network", cell.network)):
        short = Choice(name=choice.name, args={n: v for n, v in choice.args.items() if n != "momentum"})
        assert full_args(kind, short) == choice  # pyright: ignore[reportArgumentType]
    protocol = EvaluationProtocol.model_validate(raw["cell"]["protocol"])
    assert protocol.model_dump(mode="json") == raw["cell"]["protocol"]
    assert result.model_dump(mode="json") == raw


def test_there_are_published_cells() -> None:
    assert any("/dm" in p.read_text() or '"dm"' in p.read_text() for p in RESULTS)


OLD = {
    "dm": ["iterations", "lr", "momentum", "real_batch"],
    "mtt": [
        "batch_syn", "differentiate", "expert_batch", "expert_dtype", "expert_epochs", "expert_epochs_total",
        "expert_lr", "expert_seed", "experts", "iterations", "lr", "lr_lr", "lr_teacher", "max_start", "min_start",
        "momentum", "syn_steps",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OLD))
def test_methods_with_their_defaults_are_called_as_they_were(name: str) -> None:
    assert sorted(full_args("method", Choice(name=name)).args) == OLD[name]
    assert full_args("method", Choice(name=name, args={"ema": 0.5})).args["ema"] == 0.5
    assert registry.configure("method", name, {}).ema == 0.0


def test_a_protocol_and_a_student_say_what_is_learned_only_where_it_is_new() -> None:
    assert "labels" not in EvaluationProtocol().model_dump()
    assert EvaluationProtocol.model_validate({"labels": "own"}).model_dump(mode="json")["labels"] == ["own"]
    with pytest.raises(ValueError, match="given twice"):
        EvaluationProtocol.model_validate({"labels": ["own", "own"]})
    run: dict[str, Any] = {
        "column": "equal_steps", "network": "auto", "student": 0, "accuracy": 1.0, "n_test": 1, "correct": "gA==",
        "steps": 1, "samples_seen": 1,
    }  # fmt: skip
    assert "labels" not in StudentRun(**run).model_dump()
    assert StudentRun(**run, labels="own").model_dump()["labels"] == "own"
    assert MatcherConfig(iterations=1, lr=1.0).model_dump() == {"iterations": 1, "lr": 1.0, "momentum": 0.5}
