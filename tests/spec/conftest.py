"""The made-up plug-ins in place of the installed ones, and a way to write suites in a test."""

from __future__ import annotations

import textwrap
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import spec_fakes

from ddbench import registry
from ddbench.errors import SpecError
from ddbench.planning.load import check
from ddbench.spec.yaml import parse

HEAD = "ddbench: 1\nname: t\n"


PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def built_ins(monkeypatch):
    """The built-ins as this checkout registers them, whatever is installed."""
    groups = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]
    found = {
        kind: {name: [EntryPoint(name, value, group)] for name, value in groups[group].items()}
        for kind in registry.KINDS
        for group in [f"ddbench.{kind}s"]
    }
    monkeypatch.setattr(registry, "_found", found.__getitem__)
    registry._load.cache_clear()
    yield
    registry._load.cache_clear()


@pytest.fixture
def fakes(monkeypatch):
    """Only the plug-ins of spec_fakes are found."""
    found = {
        kind: {name: [EntryPoint(name, f"spec_fakes:{value}", f"ddbench.{kind}s")] for name, value in table.items()}
        for kind, table in spec_fakes.PLUGINS.items()
    }
    monkeypatch.setattr(registry, "_found", found.__getitem__)
    registry._load.cache_clear()
    yield
    registry._load.cache_clear()


def suite_of(text: str, plugins: bool = True):
    return check(parse(HEAD + textwrap.dedent(text), "s.yaml"), plugins)


def mistakes(text: str, plugins: bool = True, head: str = HEAD) -> list[str]:
    """The lines of the error that a suite text gives; empty where it is fine."""
    try:
        check(parse(head + textwrap.dedent(text), "s.yaml"), plugins)
    except SpecError as error:
        return str(error).splitlines()
    return []


@pytest.fixture(name="mistakes")
def mistakes_fixture(fakes):
    return mistakes


@pytest.fixture(name="suite_of")
def suite_of_fixture(fakes):
    return suite_of
