"""The committed JSON Schema: current, true of results, false of damaged ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_up_results import made_up_cell, made_up_result

from ddbench.result.jsonschema import result_schema, schema_text

COMMITTED = Path(__file__).parents[2] / "leaderboard" / "schema" / "result-1.json"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(COMMITTED.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def example(status: str = "ok", method: str = "dm") -> dict[str, Any]:
    return json.loads(made_up_result(made_up_cell(method=method), status=status).model_dump_json())


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text() == schema_text(), "run: python -m ddbench.result.jsonschema > that file"


def test_every_field_is_closed_to_surprises() -> None:
    objects = [d for d in result_schema()["$defs"].values() if d["type"] == "object"]
    assert objects
    assert all(d["additionalProperties"] is False for d in objects)


@pytest.mark.parametrize("status", ["ok", "failed", "out_of_memory", "diverged"])
@pytest.mark.parametrize("method", ["dm", "random", "full"])
def test_results_are_of_the_schema(validator: jsonschema.Draft202012Validator, status: str, method: str) -> None:
    validator.validate(example(status, method))


def mutations() -> Iterator[tuple[str, dict[str, Any]]]:
    def changed(*path: str | int, to: object) -> dict[str, Any]:
        data = example()
        at: Any = data
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to
        return data

    yield "percent", changed("runs", 0, "accuracy", to=71.2)
    yield "text", changed("runs", 0, "accuracy", to="0.7")
    yield "column", changed("runs", 0, "column", to="best_epoch")
    yield "key", changed("key", to="abc")
    yield "version", changed("schema_version", to=2)
    yield "status", changed("status", to="fine")
    yield "negative", changed("bytes", "used", to=-1)
    yield "seconds", changed("phases", 0, "seconds", to=-0.1)
    yield "surprise", changed("surprise", to=1)
    yield "space", changed("cell", "space", to="latent")
    for name in ("schema_version", "key", "cell", "runs", "provenance", "bytes"):
        yield f"without {name}", {k: v for k, v in example().items() if k != name}


@pytest.mark.parametrize("data", [pytest.param(d, id=n) for n, d in mutations()])
def test_mutations_are_not(validator: jsonschema.Draft202012Validator, data: dict[str, Any]) -> None:
    assert not validator.is_valid(data)
