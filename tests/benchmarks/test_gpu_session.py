"""The GPU session's script with stand-ins for its commands: order, what is left out, and its end."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gpu_session import SCRIPT, rows, session

COLOUR = ("clipart", "imagenet_subsets")


def test_the_script_is_well_formed() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)


def test_parity_and_cost_come_before_rows_and_quick_rows_before_long_ones(tmp_path: Path) -> None:
    said, commands = session(tmp_path)
    assert commands[0] == ["pytest", "-q", "-m", "gpu", "-n", "0"]
    assert [c[2] for c in commands[1:5]] == ["latent", "encode", "decode", "all"]
    assert all(c[0] == "ddbench" for c in commands[5:])
    asked = rows(commands)
    assert len(asked) == len(set(asked))
    for suite in COLOUR:
        assert [text for s, text in asked if s == suite] == [f"× {m}" for m in ("random", "full", "dm", "mtt", "dc")]
        assert asked.index((suite, "× dm")) < asked.index(("fashion_mnist", "1 ipc · identity × dc"))
        assert asked.index((suite, "× dc")) < asked.index(("mnist", "50 ipc"))
    assert "left out" not in said


def test_suites_whose_data_are_missing_are_left_out_in_a_sentence(tmp_path: Path) -> None:
    _, whole = session(tmp_path / "whole")
    for missing in (*COLOUR, " ".join(COLOUR)):
        said, commands = session(tmp_path / missing.replace(" ", "-"), missing=missing)
        assert rows(commands) == [(suite, text) for suite, text in rows(whole) if suite not in missing.split()]
        lines = [line for line in said.splitlines() if "left out" in line]
        assert [line.split()[1] for line in lines] == missing.split()
        assert all("needs what is not here. `ddbench plan" in line for line in lines)


def test_a_step_that_fails_does_not_end_the_session(tmp_path: Path) -> None:
    _, failed = session(tmp_path / "failed", code=1, missing=" ".join(COLOUR))
    _, whole = session(tmp_path / "whole", missing=" ".join(COLOUR))
    assert [c[:5] for c in failed] == [c[:5] for c in whole]


def test_a_session_that_is_over_starts_nothing(tmp_path: Path) -> None:
    assert session(tmp_path, "0") == ("", [])
