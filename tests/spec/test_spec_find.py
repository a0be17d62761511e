"""Suites by path and by name."""

from __future__ import annotations

import pytest

from ddbench.errors import SpecError
from ddbench.spec.find import find_suite, list_suites


def test_a_path_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_suite("smoke") == list_suites()["smoke"]
    (tmp_path / "smoke").write_text("ddbench: 1")
    assert find_suite("smoke").resolve() == (tmp_path / "smoke").resolve()


@pytest.mark.parametrize("text", ["quickstart", "quickstart.yaml", "suites/quickstart.yaml"])
def test_shipped_suites_are_found_from_anywhere(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_suite(text).name == "quickstart.yaml"


@pytest.mark.parametrize("text", ["quikstart", "suites/quick.yaml", "./quickstrat.yaml"])
def test_near_misses_are_named(text):
    with pytest.raises(SpecError, match="'quickstart'"):
        find_suite(text)


@pytest.mark.parametrize("text", ["", ".", "/", "x" * 5000, "a\x00b"])
def test_odd_names_are_spec_errors(text):
    with pytest.raises(SpecError):
        find_suite(text)
