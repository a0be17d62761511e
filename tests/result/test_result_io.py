"""Results on disk: round trip, and every kind of damage refused with a message."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from made_up_results import made_up_cell, made_up_result, made_up_run

from ddbench.errors import ArtifactError, RunError
from ddbench.result.io import contradictions, read_result, write_result
from ddbench.result.schema import n_right, pack_bits, unpack_bits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "result.json"


def damaged(path: Path, **changes: object) -> None:
    data = json.loads(made_up_result(made_up_cell()).model_dump_json())
    path.write_text(json.dumps({**data, **changes}))


@pytest.mark.parametrize("status", ["ok", "failed", "out_of_memory", "diverged"])
def test_round_trip(path: Path, status: str) -> None:
    result = made_up_result(made_up_cell("downsample", "dm", 3, codec_args={"factor": 2, "x": 1.0}), status=status)
    write_result(path, result)
    assert read_result(path) == result
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]


def test_unknown_schema_version_names_the_known_ones(path: Path) -> None:
    damaged(path, schema_version=7)
    with pytest.raises(ArtifactError, match=r"version 7; this ddbench knows 1\."):
        read_result(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"schema_version": true}', "\x00"])
def test_what_is_no_result(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ArtifactError, match=r"result\.json"):
        read_result(path)


def test_missing_binary_and_nan(path: Path) -> None:
    with pytest.raises(ArtifactError, match="no file"):
        read_result(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match="not text"):
        read_result(path)
    path.write_text('{"schema_version": 1, "x": NaN}')
    with pytest.raises(ArtifactError, match="NaN"):
        read_result(path)


def test_every_truncation_is_refused(path: Path) -> None:
    write_result(path, made_up_result(made_up_cell()))
    whole = path.read_text().rstrip()
    for end in range(0, len(whole), 97):
        path.write_text(whole[:end])
        with pytest.raises(ArtifactError):
            read_result(path)


def test_wrong_fields_are_named(path: Path) -> None:
    damaged(path, run_id=5, surprise=1)
    with pytest.raises(ArtifactError, match=r"run_id: .*surprise: "):
        read_result(path)


def test_a_key_that_is_not_the_cells_is_refused(path: Path) -> None:
    damaged(path, key="0" * 64)
    with pytest.raises(ArtifactError, match="its key is 000000000000… but its cell's"):
        read_result(path)


@pytest.mark.parametrize(("change", "said"), [({"accuracy": 0.9}, "its bits say"), ({"correct": "AA=="}, "25 bytes")])
def test_bits_must_make_the_accuracy(change: dict[str, object], said: str) -> None:
    result = made_up_result(made_up_cell())
    run = made_up_run(0.5).model_copy(update=change)
    assert contradictions(result) == []
    found = contradictions(result.model_copy(update={"runs": (run,)}))
    assert len(found) == 1
    assert said in found[0]


def test_status_and_bytes_must_agree() -> None:
    good, bad = made_up_result(made_up_cell()), made_up_result(made_up_cell(), status="failed")
    assert "ok" in contradictions(good.model_copy(update={"runs": ()}))[0]
    assert "no error" in contradictions(bad.model_copy(update={"error": None}))[0]
    storage = good.bytes.model_copy(update={"used": 1})
    assert "parts make 31360" in contradictions(good.model_copy(update={"bytes": storage}))[0]


def test_writing_refuses_contradictions_and_missing_folders(tmp_path: Path) -> None:
    result = made_up_result(made_up_cell())
    with pytest.raises(ValueError, match="contradicts"):
        write_result(tmp_path / "r.json", result.model_copy(update={"key": "0" * 64}))
    with pytest.raises(RunError, match="could not be written"):
        write_result(tmp_path / "no" / "r.json", result)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 200, 1001])
def test_bits_are_counted_as_they_are_listed(n: int) -> None:
    draw = random.Random(n)
    text = pack_bits([draw.random() < 0.5 for _ in range(n)])
    assert n_right(text, n) == sum(unpack_bits(text, n))
    with pytest.raises(ValueError, match="need"):
        n_right(text, n + 8)


def test_how_a_file_is_laid_out_does_not_matter(path: Path) -> None:
    result = made_up_result(made_up_cell("downsample", "dm", codec_args={"factor": 2}))
    data = json.loads(result.model_dump_json())
    for text in (json.dumps(data), json.dumps(data, indent=4), json.dumps(dict(reversed(data.items())))):
        path.write_text(text)
        assert read_result(path) == result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"student": 0', '"student": "0"'),
        ('"student": 1', '"student": true'),
        ('"name": "dm",\n   "args"', '"nom": "dm",\n   "args"'),
        ('"step": 0', '"step": NaN'),
        ('"step": 0', '"step": "0"'),
        ('"step": 0', '"step": false'),
        ('"step": 0', '"step": 0,\n   "time": 1'),
        ('"loss": 1.0', '"loss": Infinity'),
        ('"lr": 1.0', '"lr": NaN'),
        ('"codec": {\n   "name": "identity",\n   "args": {}\n  }', '"codec": "identity"'),
    ],
)
def test_a_text_that_reads_as_something_else_is_refused(path: Path, old: str, new: str) -> None:
    """In the very layout that is read the short way."""
    write_result(path, made_up_result(made_up_cell("identity", "dm")))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ArtifactError):
        read_result(path)
