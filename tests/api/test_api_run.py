"""`ddbench.run`: a suite in whichever form it is given, run in this process, interrupted and resumed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import ddbench
from ddbench.api.run import DdbenchWarning
from ddbench.api.suites import given
from ddbench.engines.inline import Inline
from ddbench.errors import DdbenchError, SpecError
from ddbench.run import cell as cell_module
from ddbench.spec.suite import Suite

SUITE: dict[str, Any] = {
    "ddbench": 1,
    "name": "tiny",
    "protocol": {"name": "tiny", "students": 1, "epochs": 1, "networks": {"auto": {"width": 4}}},
    "grid": [
        {
            "datasets": "digits", "codecs": ["identity", {"downsample": {"factor": 2}}], "methods": "random",
            "budgets": {"ipc": 1}, "seeds": [0, 1], "network": {"auto": {"width": 4}},
        }
    ],
}  # fmt: skip


def test_a_mapping_runs_and_what_is_finished_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    results = ddbench.run(SUITE, out=tmp_path / "run", engine="inline", progress=False)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert capsys.readouterr() == ("", "")
    assert [r.status for r in results] == ["ok"] * 4
    assert {r.cell.codec.name for r in results} == {"identity", "downsample"}
    again = ddbench.run(str(tmp_path / "run" / "suite.yaml"), out=str(tmp_path / "run"), engine="inline")
    assert again == results
    assert {r.run_id for r in ddbench.results(tmp_path / "run")} == {r.run_id for r in results}
    assert "0 cells to run, 4 finished before" in capsys.readouterr().out


def test_an_interrupted_call_says_where_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = Inline.run

    def interrupted(self: Inline, job: Any, report: Any) -> None:
        def once(event: Any) -> None:
            report(event)
            if event.kind == "finished":
                raise KeyboardInterrupt

        whole(self, job, once)

    monkeypatch.setattr(Inline, "run", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"What is finished is in .*run; run the same again to resume"):
        ddbench.run(SUITE, out=tmp_path / "run", engine="inline", progress=False)
    assert len(ddbench.results(tmp_path / "run")) == 1
    monkeypatch.setattr(Inline, "run", whole)
    assert len(ddbench.run(SUITE, out=tmp_path / "run", engine="inline", progress=False).ok) == 4


def test_every_form_of_a_suite_means_the_same():
    checked = given(SUITE).suite
    assert given(checked).suite.grid == checked.grid == Suite.model_validate(SUITE).grid
    assert given("smoke").suite.name == given(Path("smoke")).suite.name == "smoke"


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ({**SUITE, "grids": []}, "grids"),
        ({**SUITE, "grid": [{**SUITE["grid"][0], "codecs": "identiti"}]}, "Did you mean 'identity'"),
        ({**SUITE, "name": object()}, "values that YAML has not"),
        ({}, "grid"),
        (7, "got 7"),
        ("smok", "Did you mean 'smoke'"),
    ],
)
def test_a_wrong_suite_is_told_in_words(suite: Any, said: str):
    with pytest.raises(SpecError, match=said):
        ddbench.run(suite)


def test_mistakes_in_words_and_warnings_as_such(tmp_path: Path):
    with pytest.raises(DdbenchError, match="No cell of the suite has 'dmm' in its title"):
        ddbench.run(SUITE, only="dmm")
    with pytest.raises(DdbenchError, match="There is no engine called 'inlin'"):
        ddbench.run(SUITE, engine="inlin", out=tmp_path / "run")
    learned = {**SUITE, "grid": [{**SUITE["grid"][0], "methods": {"dm": {"iterations": 1}}, "seeds": 0}]}
    with pytest.warns(DdbenchWarning, match="mandatory row absent"):
        ddbench.run(learned, out=tmp_path / "run", engine="inline", only="downsample", progress=False)


def test_failures_are_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: Any) -> Any:
        raise RuntimeError("out of ink")

    monkeypatch.setattr(cell_module.Picking, "pick", fails)
    results = ddbench.run(SUITE, out=tmp_path / "run", engine="inline", progress=False, only="identity")
    assert len(results) == len(results.failures) == 2
    assert results[0].error is not None
    assert results[0].error.message == "out of ink"


def test_importing_is_instant_and_run_is_a_package_too():
    code = (
        "import sys, ddbench; heavy = ('torch', 'numpy', 'pydantic', 'yaml', 'pandas');"
        "print([m for m in heavy if m in sys.modules]); ddbench.results; ddbench.run;"
        "print('torch' in sys.modules, 'pandas' in sys.modules); import ddbench.run.folder;"
        "print(callable(ddbench.run), 'results' in dir(ddbench), ddbench.run.folder.INDEX, ddbench.__version__ != '');"
        "ddbench.nothing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "False False", "True True suite.json True"]
    assert "module 'ddbench' has no attribute 'nothing'" in done.stderr
