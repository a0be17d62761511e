"""The examples run as they stand there, one after the other in one folder, and say what they should."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import matplotlib
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SAYS = {
    "run_and_plot.py": ("fashion_mnist_small, protocol smoke", "drawn: accuracy_against_bytes.png"),
    "train_on_a_set.py": ("40 signals of (1, 28, 28) in 31,360 bytes", "test accuracy: "),
    "compare_rows.py": ("points over 3 seeds", "could not have given less than 0.250"),
    "try_a_codec.py": ("784 bytes an item, PSNR ",),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)
    assert NOTEBOOKS


@pytest.mark.parametrize("name", SAYS)
def test_a_script_runs(name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(place)
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    said = capsys.readouterr().out
    for words in SAYS[name]:
        assert words in said


def test_training_on_the_set_teaches_something(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(place)
    space = runpy.run_path(str(EXAMPLES / "train_on_a_set.py"))
    assert (space["found"] == space["test"].labels).float().mean() > 0.4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_is_stripped(path: Path, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(place)
    matplotlib.use("Agg")
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert notebook["nbformat"] == 4
    space: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            exec(compile("".join(cell["source"]), path.name, "exec"), space)
    assert len(space["results"]) == 8
    assert len(space["frame"]) == sum(len(r.runs) for r in space["results"])
    assert "<table>" in space["results"]._repr_html_()
    assert not any(words in text for words in ("/home", "/root", "/tmp", "/work", "C:\\\\"))
