"""Atomic writes and JSON reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddbench.errors import ArtifactError, RunError
from ddbench.files import read_json, write_atomic


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
