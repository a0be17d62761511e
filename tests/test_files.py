"""Atomic writes and JSON reading."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ddbench.errors import ArtifactError, RunError
from ddbench.files import parse_json, read_json, read_text, write_atomic


@pytest.mark.parametrize("data", ["ähm\n", b"\x00\xff", ""])
def test_what_is_written_is_read(tmp_path: Path, data: str | bytes) -> None:
    at = tmp_path / "a.bin"
    at.write_text("older and longer than what follows")
    write_atomic(at, data)
    assert at.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert list(tmp_path.iterdir()) == [at]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    at = tmp_path / "a.json"
    at.write_text("old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(RunError, match=r"a\.json could not be written .*No space left.*room"):
        write_atomic(at, "new")
    assert at.read_text() == "old"
    assert list(tmp_path.iterdir()) == [at]


def test_the_users_umask_holds(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomic(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_read_json_names_the_file(tmp_path: Path) -> None:
    at = tmp_path / "a.json"
    at.write_text('{"a": [1, 2.5, null]}')
    assert read_json(at) == {"a": [1, 2.5, None]}
    for text, said in (
        ('{"a": [1, 2', "cut short"),
        ("", "is empty"),
        ("[Infinity]", "Infinity"),
        ("[" * 10**5, "deep"),
    ):
        at.write_text(text)
        with pytest.raises(ArtifactError, match=rf"a\.json .*{said}"):
            read_json(at)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_json(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' twice"),
        ('{"a": 1e999}', "too large"),
        ('{"a": -1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "thousands of digits"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ("[" * 70 + "]" * 70, "nested too deeply"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested too deeply"),
        ("[" * 10**6, "nested too deeply"),
        ('{"a": NaN}', "NaN"),
    ],
)
def test_json_that_readers_disagree_about_is_refused(text: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said) as error:
        parse_json(text, "some.json")
    assert str(error.value).startswith("some.json ")
    assert len(str(error.value)) < 200


def test_json_that_is_deep_but_not_too_deep() -> None:
    text = "[" * 60 + '"\\u00e9"' + "]" * 60
    assert json.dumps(parse_json(text, "x")).replace(" ", "") == text


def test_devices_pipes_folders_and_huge_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(ArtifactError, match="cannot be read: it is a"):
            read_text(path)
    monkeypatch.setattr("ddbench.files.MAX_TEXT_BYTES", 10)
    (tmp_path / "large").write_text("0123456789+")
    with pytest.raises(ArtifactError, match="11 bytes long"):
        read_text(tmp_path / "large")
