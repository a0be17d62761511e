"""The command group: help, errors, exit codes, and what is not imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from made_up_results import made_up_folder, quickstart_like

from ddbench.cli import main as cli
from ddbench.cli.lazy import Entry
from ddbench.errors import DataError, SpecError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Adds a command `fail` that raises what the test puts in."""

    def add(error: BaseException) -> None:
        @click.command()
        def fail() -> None:
            raise error

        monkeypatch.setattr(sys.modules[__name__], "fail_command", fail, raising=False)
        monkeypatch.setitem(cli.COMMANDS, "fail", Entry(f"{__name__}:fail_command", "fails"))

    return add


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SpecError("no such codec"), 2, "error: no such codec\n"),
        (DataError("no file"), 3, "error: no file\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (BrokenPipeError(), 141, ""),
        (click.UsageError("bad option"), 2, "Error: bad option\n"),
        (click.exceptions.Exit(1), 1, ""),
    ],
)
def test_errors_become_a_line_and_a_code(failing, capsys, error: BaseException, code: int, said: str) -> None:
    failing(error)
    assert cli.execute(["fail"]) == code
    assert capsys.readouterr().err.strip().endswith(said.strip())


def test_a_bug_is_one_line_that_says_so(failing, capsys) -> None:
    failing(ZeroDivisionError("a\nb"))
    assert cli.execute(["fail"]) == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("internal error: ZeroDivisionError: a b (this is a bug in ddbench; ")
    assert "--traceback" in line


@pytest.mark.parametrize("words", [["--traceback", "fail"], ["fail", "--traceback"]])
def test_traceback_shows_the_origin(failing, words: list[str]) -> None:
    failing(SpecError("no"))
    with pytest.raises(SpecError):
        cli.execute(words)


def test_near_misses_of_commands(capsys) -> None:
    assert cli.execute(["tabel"]) == 2
    assert "Did you mean 'table'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_help_with_an_example(name: str, capsys) -> None:
    assert cli.execute([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example" in text
    assert f"\n    ddbench {name}" in text


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _children_s() -> float:
    """Processor seconds of finished children: unlike the clock's, the same on a busy machine."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ddbench.cli.main import execute; execute(['--help']); "
        "print([m for m in ('torch', 'pydantic', 'numpy', 'yaml', 'tabulate', 'ddbench.registry') if m in sys.modules])"
    )
    best = float("inf")
    for _ in range(3):
        start = _children_s()
        text = python(code)
        best = min(best, _children_s() - start)
    assert text.splitlines()[-1] == "[]"
    assert "Exit codes:" in text
    assert best < 0.3


def test_list_status_table_and_compare_are_torch_free(tmp_path: Path) -> None:
    results = quickstart_like(1)
    made_up_folder(tmp_path, results)
    (tmp_path / "suite.json").write_text(f'{{"suite": "x", "keys": {[r.key for r in results]}}}'.replace("'", '"'))
    code = (
        "import sys; from ddbench.cli.main import execute\n"
        f"codes = [execute(w) for w in (['list'], ['status', {str(tmp_path)!r}], ['table', {str(tmp_path)!r}],"
        f" ['compare', {str(tmp_path)!r}, 'dct × dm', 'identity × dm'])]\n"
        "print(codes, 'torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    assert python(code).splitlines()[-1] == "[0, 0, 0, 0] False False"
