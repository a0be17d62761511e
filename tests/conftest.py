"""One thread a test process: the test runner already has one process a core."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """No test reads or leaves anything in the user's cache."""
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
