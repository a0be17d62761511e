"""Tests that run on every device: always on the CPU, and on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from ddbench_codecs.counted import _Alive

GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
DEVICES = ["cpu", pytest.param("cuda", marks=GPU)]


@contextmanager
def whole_float32() -> Iterator[None]:
    """Products and convolutions with all bits of float32, which GPUs otherwise shorten to TF32."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    try:
        for place in places:
            place.allow_tf32 = False
        yield
    finally:
        for place, allowed in zip(places, before):
            place.allow_tf32 = allowed


def peak_bytes(call: Callable[[], object], device: str) -> int:
    """Bytes of tensors alive at once in a call, beyond those before: the allocator's on a GPU, counted on a CPU."""
    if device == "cpu":
        with _Alive() as alive:
            call()
        return alive.peak
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
