"""The JSON Schema of results, generated from the pydantic model and committed at leaderboard/schema/. torch-free.

`python -m ddbench.result.jsonschema > leaderboard/schema/result-1.json` renews the committed file.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ddbench.result.schema import SCHEMA_VERSION, Result


def result_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a result file.

    It states types and ranges. What it cannot state, that a key is its cell's and that bits make the accuracy, is
    checked by `ddbench.result.io.read_result`.
    """
    schema = Result.model_json_schema(mode="validation")
    schema["required"] = ["schema_version", *schema["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ddbench:result:{SCHEMA_VERSION}",
        **schema,
        "title": f"ddbench result, schema {SCHEMA_VERSION}",
    }


def schema_text() -> str:
    """The schema as the committed file has it."""
    return json.dumps(result_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
