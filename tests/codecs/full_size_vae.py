"""Stable Diffusion's autoencoder at its full size with random weights, measured in a process of its own.

    python full_size_vae.py FOLDER SIZE BATCH TIMES

FOLDER is where the weights are made. BATCH pictures of SIZE pass at once, and then TIMES as many are given.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.autoencoders import codec as codec_module
from ddbench_codecs.autoencoders.codec import Autoencoder
from ddbench_codecs.autoencoders.config import AutoencoderConfig
from tiny_autoencoders import kl
from torch import Tensor

from ddbench.run.phases import peak_memory_bytes, reset_peak_memory

WIDTHS: dict[str, Any] = {"block_out_channels": (128, 256, 512, 512), "norm_num_groups": 32, "layers_per_block": 2}
RETURNED = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""For the process's environment: memory of tensors goes back to the system at once, so that each peak is its own."""


def built(size: int) -> Autoencoder:
    return Autoencoder(AutoencoderConfig(model="sd"), target(3, size, size, n_classes=10))


def measured(size: int, batch: int, times: int) -> dict[str, Any]:
    """Shapes, seconds of a processor for a picture, and memory of the process at its peaks, above its weights."""
    all_along = peak_memory_bytes()
    codec = built(size)
    way_through(built(8), 1)
    gradient(built(8))
    codec_module.PIXELS_AT_ONCE = {"cpu": batch * size**2}
    reset_peak_memory()
    base = peak_memory_bytes()
    way_through(codec, batch)
    one_bytes = peak_memory_bytes() - base
    reset_peak_memory()
    found = way_through(codec, batch * times)
    all_bytes = peak_memory_bytes() - base
    reset_peak_memory()
    slope, work = gradient(codec), codec.work()
    return found | {
        "weights": sum(p.numel() for p in codec._model(slope)[0].parameters()),
        "decoder_bytes": codec.decoder_bytes,
        "is_finite": found["is_finite"] and bool(slope.isfinite().all()),
        "one_bytes": one_bytes,
        "all_bytes": all_bytes,
        "gradient_bytes": peak_memory_bytes() - base,
        "process_bytes": max(all_along, base + one_bytes, base + all_bytes, peak_memory_bytes()),
        "counted": {"pass_bytes": work.pass_bytes, "gradient_bytes": work.gradient_bytes},
        "flop": {"encode": work.encode, "decode": work.decode},
    }


def way_through(codec: Autoencoder, n: int) -> dict[str, Any]:
    """n pictures are encoded and decoded without gradients."""
    x = codec.target.signal.normalise(raw(n, *codec.target.signal.shape))
    y = torch.zeros(n, dtype=torch.int64)
    z, encode_s = timed(lambda: codec.encode(x, y, {})["z"])
    back, decode_s = timed(lambda: decode(codec, {"z": z}, y))
    is_finite = bool(z.isfinite().all() and back.isfinite().all())
    seconds = {"encode_s": encode_s / n, "decode_s": decode_s / n}
    return seconds | {"z": list(z.shape), "x": list(back.shape), "is_finite": is_finite}


def gradient(codec: Autoencoder) -> Tensor:
    """Of one decoded picture, passed back to its code."""
    z = torch.randn(1, *codec.shape).requires_grad_()
    return torch.autograd.grad(decode(codec, {"z": z}, torch.zeros(1, dtype=torch.int64)).sum(), z)[0]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def main(folder: Path, size: int, batch: int, times: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    kl(8, **WIDTHS).save_pretrained(folder / "sd")
    os.environ["DDBENCH_MODELS"] = str(folder)
    print(json.dumps(measured(size, batch, times)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
