"""What docs/modalities.md promises: its modality is code that runs through a whole suite, from data to pictures."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from ddbench import registry
from ddbench.augment import known as known_module
from ddbench.cli.main import cli
from ddbench.testing.codecs import CodecContract

PAGE = (Path(__file__).parents[1] / "docs" / "modalities.md").read_text(encoding="utf-8")
MODULE = "modality_of_the_page"
NAMES = {"dataset": ("points", "Points"), "codec": ("every_other", "EveryOther"), "network": ("point_net", "PointNet")}
SUITE = """
ddbench: 1
name: points
version: 1
description: the page's modality
protocol: {name: p, students: 1, epochs: 20, columns: equal_steps, networks: [point_net, {auto: {width: 4}}]}
grid:
  - {datasets: points, codecs: [identity, every_other], methods: [random, {dm: {iterations: 3, real_batch: 8}}],
     spaces: signal, budgets: {ipc: 2}, network: point_net}
"""


def block() -> str:
    found = re.search(r"<!-- modality -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def made() -> ModuleType:
    module = ModuleType(MODULE)
    exec(compile(block(), "docs/modalities.md", "exec"), module.__dict__)
    return module


class TestEveryOther(CodecContract):
    codec = made().EveryOther
    shapes = ((3, 8), (2, 7))


def test_it_is_as_short_as_the_page_says():
    assert len([line for line in block().splitlines() if line.strip()]) <= 70


@pytest.fixture
def families() -> Iterator[None]:
    """Families of this test's own, forgotten behind it."""
    known_module.known.cache_clear()
    yield
    known_module.known.cache_clear()


def test_a_suite_of_it_runs_from_data_to_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, families: None):
    monkeypatch.setitem(sys.modules, MODULE, made())
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    found = registry._found

    def with_the_page(kind: registry.Kind) -> dict[str, list[EntryPoint]]:
        if kind not in NAMES:
            return found(kind)
        name, value = NAMES[kind]
        return {**found(kind), name: [EntryPoint(name, f"{MODULE}:{value}", f"ddbench.{kind}s")]}

    mirror = EntryPoint("mirror", f"{MODULE}:MIRROR", known_module.GROUP)
    monkeypatch.setattr(known_module, "entry_points", lambda group: [mirror])
    monkeypatch.setattr(registry, "_found", with_the_page)
    monkeypatch.setattr(registry, "origin", lambda point: "the page")
    (tmp_path / "points.yaml").write_text(SUITE)
    out = tmp_path / "run"
    said = CliRunner().invoke(cli, ["run", str(tmp_path / "points.yaml"), "--out", str(out), "--engine", "inline"])
    assert said.exit_code == 0, said.output
    table = (out / "table.md").read_text()
    assert "every_other" in table
    assert "failed" not in table
    pictures = sorted((out / "pictures").iterdir())
    assert [p.suffix for p in pictures].count(".png") == 4
    told = next(p for p in pictures if p.suffix == ".txt").read_text()
    assert "sphere\n  32 points, centre [" in told
