"""The record of a cell's work: seconds add up, peaks are those of the phase."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch

from ddbench.run.phases import Record

CPU = torch.device("cpu")


def test_seconds_of_interrupted_runs_add_up(tmp_path: Path):
    first = Record(tmp_path / "record.json", CPU)
    with first.phase("distil", before_s=100.0):
        time.sleep(0.05)
    again = Record(tmp_path / "record.json", CPU)
    with again.phase("distil"):
        time.sleep(0.05)
    assert 100.1 <= again.phases["distil"].seconds < 101


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can start a new peak")
def test_the_peak_of_a_phase_is_not_that_of_the_one_before(tmp_path: Path):
    record, size = Record(tmp_path / "record.json", CPU), 200 * 2**20
    with record.phase("large"):
        held = torch.ones(size, dtype=torch.uint8)
        assert int(held[-1]) == 1
        del held
    with record.phase("small"):
        pass
    large, small = (record.phases[n].host_peak_bytes for n in ("large", "small"))
    assert large - small > size / 2


def test_an_unreadable_record_is_said_and_costs_only_seconds(tmp_path: Path):
    (tmp_path / "record.json").write_text("{")
    record = Record(tmp_path / "record.json", CPU)
    assert record.phases == {}
    assert "unreadable" in record.notes[0]
