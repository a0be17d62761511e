"""A package of somebody else's: built, installed, listed, run by name from a suite, and tested with our contracts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

PACKAGE = Path(__file__).parent / "thirdparty" / "ddbench_example"
SUITE = """
ddbench: 1
name: elsewhere
protocol:
  name: short
  students: 2
  networks: {auto: {width: 4}}
  epochs: 2
  columns: equal_epochs
grid:
  - datasets: fashion_mnist_small
    codecs: [{template: {factor: 4, sigma: 0.2}}, mirror]
    methods: [random, {means: {iterations: 3, real_batch: 16}}]
    spaces: [signal]
    budgets: {ipc: 2}
    network: {auto: {width: 4}}
    include: {codec: mirror, method: {means: {iterations: 3, real_batch: 16}}, space: code}
"""
CELLS = 5


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages into which an installer put the package's wheel; nothing is downloaded."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    made = subprocess.run([sys.executable, "-c", build, wheels], cwd=PACKAGE, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (wheel,) = wheels.glob("*.whl")
    done = subprocess.run(
        [*installer(), "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return site


def installer() -> list[str]:
    """pip where this environment has it, else uv."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    uv = which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    assert uv, "neither pip nor uv is here to install the package with"
    return [uv, "pip"]


def python(site: Path, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python where the package is installed."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def results(folder: Path) -> dict[str, dict]:
    """The results of a run folder by cell key."""
    found = [json.loads(path.read_text()) for path in (folder / "cells").glob("*/result.json")]
    return {result["key"]: result for result in found}


def test_list_shows_the_plugins_and_their_package(installed: Path, tmp_path: Path) -> None:
    shown = python(installed, "-m", "ddbench.cli.main", "list", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    lines = {tuple(line.split()) for line in shown.stdout.splitlines()}
    assert {(name, "ddbench-example", "0.3.0") for name in ("mirror", "template", "means")} <= lines
    without = python(tmp_path, "-m", "ddbench.cli.main", "list", cwd=tmp_path)
    assert "ddbench-example" not in without.stdout


def test_a_suite_uses_them_by_name_and_repeats_itself(installed: Path, tmp_path: Path) -> None:
    """Two processes, two folders, two engines: equal cells give equal sets and equal students."""
    suite = tmp_path / "elsewhere.yaml"
    suite.write_text(SUITE)
    found = []
    for engine in ("inline", "local"):
        options = ["--out", tmp_path / engine, "--engine", engine, "--device", "cpu", "--no-report"]
        ran = python(installed, "-m", "ddbench.cli.main", "run", suite, *options, cwd=tmp_path)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        found.append(results(tmp_path / engine))
    first, second = found
    assert len(first) == CELLS
    assert set(first) == set(second)
    for key, result in first.items():
        codec, method = result["cell"]["codec"]["name"], result["cell"]["method"]["name"]
        assert result["status"] == "ok"
        assert result["runs"] == second[key]["runs"]
        assert result["artifact"] == second[key]["artifact"]
        assert result["provenance"]["plugins"][f"codec {codec}"] == "ddbench-example 0.3.0"
        assert (method == "random") == (not result["losses"])
        assert result["bytes"]["used"] <= result["bytes"]["allowed"]
        if codec == "template":
            # 2 · 784 values a class: one template, and 16 codes of 7 × 7
            assert result["bytes"]["items"] == [16] * 10
            assert result["bytes"]["parts"] == {"item/own": 10 * 16 * 49 * 4, "class/template": 10 * 784 * 4}
        else:
            assert result["bytes"]["items"] == [4] * 10


def test_a_report_on_codecs_has_them(installed: Path, tmp_path: Path) -> None:
    options = ["--out", tmp_path / "out", "--items", "20", "--no-student", "--storage", "float32", "--device", "cpu"]
    ran = python(installed, "-m", "ddbench.cli.main", "codec", "report", "digits", *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = {row["codec"]["name"]: row for row in json.loads((tmp_path / "out" / "report.json").read_text())["rows"]}
    assert {"identity", "mirror", "template"} <= set(rows)
    assert rows["mirror"]["package"] == "ddbench-example 0.3.0"
    assert rows["mirror"]["stored"]["per_item"] == 8 * 4 * 4
    assert rows["template"]["stored"]["per_class"] == 64 * 4


def test_its_own_contract_tests_pass(installed: Path, tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", PACKAGE, "-c", PACKAGE / "pyproject.toml"]
    ran = python(installed, "-m", "pytest", *options, PACKAGE / "tests", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "failed" not in ran.stdout
    assert int(ran.stdout.split(" passed")[0].split()[-1]) > 40
