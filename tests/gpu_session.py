"""What `benchmarks/gpu_session.sh` asks for: the script with stand-ins for the commands that it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu_session.sh"
STAND_IN = """#!/usr/bin/env bash
{ printf '%s' "${0##*/}"; printf '\\t%s' "$@"; echo; } >> "$ASKED"
if [ "${0##*/} $1" = "ddbench plan" ] && [[ " $MISSING " == *" $2 "* ]]; then
    printf 'error: %s.yaml needs what is not here.\\nand more\\n' "$2" >&2
    exit 3
fi
exit "$CODE"
"""


def session(folder: Path, *arguments: str, missing: str = "", code: int = 0) -> tuple[str, list[list[str]]]:
    """(output, commands in order) of the script. Suites in `missing` cannot be planned; all else ends with `code`."""
    (folder / "bin").mkdir(parents=True)
    for name in ("ddbench", "pytest", "python"):
        (folder / "bin" / name).write_text(STAND_IN)
        (folder / "bin" / name).chmod(0o755)
    asked = folder / "asked"
    asked.touch()
    given = {"ASKED": str(asked), "MISSING": missing, "CODE": str(code)}
    env = {**os.environ, **given, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", str(SCRIPT), str(folder / "out"), *arguments], env=env, capture_output=True, text=True, timeout=120
    )
    assert ran.stderr == ""
    return ran.stdout, [line.split("\t") for line in asked.read_text().splitlines()]


def rows(commands: list[list[str]]) -> list[tuple[str, str]]:
    """(suite, text that titles should hold) of the rows asked for."""
    return [(c[2], c[c.index("--only") + 1]) for c in commands if c[:2] == ["ddbench", "run"]]
