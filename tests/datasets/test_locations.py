"""The two environment variables, and what a failed download says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddbench.datasets import downloads
from ddbench.datasets.locations import allow_downloads, data_root
from ddbench.errors import DataError


def test_data_root_follows_the_variable_and_has_a_default(monkeypatch, tmp_path):
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "here"))
    assert data_root() == tmp_path / "here"
    for unset in ("", None):
        monkeypatch.setenv("DDBENCH_DATA", unset) if unset is not None else monkeypatch.delenv("DDBENCH_DATA")
        assert data_root() == Path.home() / ".cache" / "ddbench" / "data"
    monkeypatch.setenv("DDBENCH_DATA", "~/elsewhere")
    assert data_root() == Path.home() / "elsewhere"


@pytest.mark.parametrize(("value", "allowed"), [("1", True), ("TRUE", True), ("0", False), ("", False), ("no", False)])
def test_downloads_need_a_yes(monkeypatch, value, allowed):
    monkeypatch.setenv("DDBENCH_DOWNLOAD", value)
    assert allow_downloads() is allowed


def test_downloads_are_off_by_default_and_nonsense_is_an_error(monkeypatch):
    monkeypatch.delenv("DDBENCH_DOWNLOAD", raising=False)
    assert not allow_downloads()
    monkeypatch.setenv("DDBENCH_DOWNLOAD", "perhaps")
    with pytest.raises(DataError, match=r"DDBENCH_DOWNLOAD should be 1 or 0; found 'perhaps'"):
        allow_downloads()


@pytest.mark.parametrize("cause", [OSError("no route"), RuntimeError("no mirror:\nfirst\n"), EOFError("cut.")])
def test_a_failed_download_is_a_data_error_with_its_cause(monkeypatch, tmp_path, cause):
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "made" / "on" / "the" / "way"))

    def refuse(root: Path) -> None:
        assert root.is_dir()
        raise cause

    with pytest.raises(
        DataError, match=r"'mnist' could not be downloaded into .*: (no route|no mirror: first|cut)\. Check"
    ) as caught:
        downloads.fetch("mnist", refuse)
    assert caught.value.__cause__ is cause


def test_a_data_root_that_is_a_file_is_a_data_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="could not be downloaded"):
        downloads.fetch("mnist", lambda root: None)
