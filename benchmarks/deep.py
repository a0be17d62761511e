"""Subjects with a deep decoder beside them: DM on latents against DM on pixels, encoding, decoding within the loop.

The autoencoder is Stable Diffusion's (f = 8, C = 4) with random weights: `case.stage` is the width of its first stage,
128 in the published one.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from case import CLASSES, Case
from ddbench_methods.dm import DistributionMatching, DmConfig
from sides import Ground, ddbench_matching, plain_matching
from torch import Generator, Tensor

from ddbench import registry
from ddbench.distill.space import SignalSpace
from ddbench.distill.task import Matching, Streams
from ddbench.interfaces.codec import Codec, Codes, Target

F, C = 8, 4
ON_LATENTS = "crop_cutout_flip_scale"
"""What of the strategy has a meaning on latents."""
Work = Callable[[], Any]


def pixels(case: Case) -> Case:
    """DM on pixels of the same pictures."""
    return replace(case, subject="dm", channels=3)


def codes(case: Case) -> Case:
    """DM on latents of the same pictures, `more` times as many items."""
    small = {"channels": C, "size": case.size // F, "n": case.n * case.more, "strategy": ON_LATENTS}
    return replace(case, subject="dm", **small)


def plain_latent(case: Case) -> Work:
    """The pixel side: the plain loop, unchunked, or where `tuned` ddbench's own."""
    return (ddbench_matching if case.tuned else plain_matching)(pixels(case))


def ddbench_latent(case: Case) -> Work:
    return ddbench_matching(codes(case))


@cache
def weights(stage: int) -> str:
    """A folder of models below $DDBENCH_MODELS with a random one of this width; its name there."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    root = Path(tempfile.mkdtemp(prefix="ddbench-benchmark-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    shape: dict[str, Any] = {
        "block_out_channels": (stage, 2 * stage, 4 * stage, 4 * stage), "layers_per_block": 2, "latent_channels": C,
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
        "norm_num_groups": min(32, stage),
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoencoderKL(**shape)
    model.save_pretrained(root / "random")
    os.environ["DDBENCH_MODELS"] = str(root)
    return "random"


def autoencoder(case: Case, ground: Ground) -> Codec:
    compute = {"bf16": "bfloat16"}.get(case.precision, "float32")
    args = {"model": weights(case.stage), "compute": compute, "decode_chunk": 1}
    signal = replace(ground.data().card.signal, low=-4.0, high=4.0)
    return registry.build("codec", "autoencoder", args, Target(signal, CLASSES, 2**40))


def encoding(case: Case, whole: bool) -> Work:
    """`images` pictures as codes: as many at once as the codec takes, or one after another."""
    ground = Ground(case)
    codec = autoencoder(case, ground)
    x = torch.randn(case.images, *case.shape, generator=Generator().manual_seed(1))
    y = torch.zeros(case.images, dtype=torch.long)
    at_once = 256 if whole else 1

    def work() -> list[Tensor]:
        done = []
        for start in range(0, len(x), at_once):
            part = slice(start, start + at_once)
            z = codec.encode(x[part].to(ground.device), y[part].to(ground.device), {})["z"]
            assert isinstance(z, Tensor)
            done.append(z.cpu())
        return done

    return work


def decoding(case: Case, chunk: int | None) -> Work:
    """DM through the decoder: `chunk` items of it at once pass the gradient back, or all of them."""
    ground = Ground(case)
    data, device, codec = ground.data(), ground.device, autoencoder(case, ground)
    y = torch.arange(CLASSES).repeat_interleave(case.n)
    z: Codes = {
        "z": torch.randn(len(y), C, case.size // F, case.size // F, generator=Generator().manual_seed(5)).to(device)
    }
    streams = Streams(data.card.revision, case.seed)
    space = SignalSpace(data, codec, device)
    task = Matching.start(data, space, ground.network, streams, z, codec.leaves(), (), y, device, chunk)
    matcher = DistributionMatching(DmConfig.model_validate({"real_batch": case.real_batch}))
    state: dict[str, Tensor] = {}
    steps = iter(range(10**9))

    def work() -> tuple[Tensor, Tensor]:
        task.begin(next(steps))
        loss = matcher.loss(task, state)
        task.backward(loss)
        grad = task.params["z"].grad
        assert grad is not None
        return loss.detach(), grad

    return work


MAKERS: dict[str, dict[str, Callable[[Case], Work]]] = {
    "latent": {"plain": plain_latent, "ddbench": ddbench_latent},
    "encode": {"plain": lambda case: encoding(case, whole=False), "ddbench": lambda case: encoding(case, whole=True)},
    "decode": {"plain": lambda case: decoding(case, None), "ddbench": lambda case: decoding(case, 1)},
}
