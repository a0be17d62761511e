"""Stable Diffusion's autoencoder at its full size, random weights: shapes, seconds, and memory that batches bound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_size_vae import RETURNED

HERE = Path(__file__).parent
LARGE = "DDBENCH_LARGE_TESTS"
LEAST_FLOP_S = 2e9
"""Operations a second of one thread, at least; an AVX2 core does twenty times as many."""
APART = 2.0
"""How far measured memory may be from the codec's count; kernels take up to 10 MB beside their results."""
large = [
    pytest.mark.large,
    pytest.mark.skipif(not os.environ.get(LARGE), reason=f"minutes of a processor: set {LARGE}=1"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are started anew on Linux alone")
@pytest.mark.parametrize(
    ("size", "batch", "times"),
    [pytest.param(32, 8, 2, id="32"), pytest.param(256, 1, 3, id="256", marks=large)],
)
def test_a_full_size_autoencoder(size: int, batch: int, times: int, tmp_path: Path) -> None:
    paths = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    child = subprocess.run(
        [sys.executable, str(HERE / "full_size_vae.py"), str(tmp_path), str(size), str(batch), str(times)],
        env={**os.environ, **RETURNED, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True, text=True,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout.splitlines()[-1])
    print(f"full-size autoencoder at {size} pixels: {found}")
    assert found["weights"] == 83_653_863
    assert found["decoder_bytes"] == 4 * 49_490_199, "49.5 million weights decode"
    assert found["z"] == [batch * times, 4, size // 8, size // 8]
    assert found["x"] == [batch * times, 3, size, size]
    assert found["is_finite"]
    for way, flop in found["flop"].items():
        assert found[f"{way}_s"] < flop / LEAST_FLOP_S
    counted = found["counted"]
    assert found["all_bytes"] < 1.1 * found["one_bytes"], "more pictures than pass at once take no more memory"
    for measured, by_codec in (
        (found["one_bytes"], batch * counted["pass_bytes"]),
        (found["gradient_bytes"], counted["gradient_bytes"]),
    ):
        assert by_codec / APART < measured < APART * by_codec
    assert found["process_bytes"] < (2e9 if size < 256 else 4e9)
