"""Tiny seeded autoencoders of every class that has an adapter, saved as their publishers would."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from ddbench_codecs.autoencoders.codec import Autoencoder
from ddbench_codecs.autoencoders.config import AutoencoderConfig

from ddbench.interfaces.codec import Target


def kl(f: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(**_stages("KL", f) | {"latent_channels": 4} | changes)


def vq(f: int = 2, **changes: Any) -> Any:
    from diffusers import VQModel

    return VQModel(**_stages("VQ", f) | {"latent_channels": 3, "num_vq_embeddings": 16} | changes)


def tiny(**changes: Any) -> Any:
    from diffusers import AutoencoderTiny

    blocks = {"num_encoder_blocks": (1, 1, 1), "num_decoder_blocks": (1, 1, 1)}
    widths = {"encoder_block_out_channels": (8, 8, 8), "decoder_block_out_channels": (8, 8, 8)}
    return AutoencoderTiny(**blocks | widths | changes)


def dc(**changes: Any) -> Any:
    from diffusers import AutoencoderDC

    given = {
        "latent_channels": 4, "attention_head_dim": 8,
        "encoder_block_types": "ResBlock", "decoder_block_types": "ResBlock",
        "encoder_block_out_channels": (8, 8, 8), "decoder_block_out_channels": (8, 8, 8),
        "encoder_layers_per_block": (1, 1, 1), "decoder_layers_per_block": (1, 1, 1),
        "encoder_qkv_multiscales": ((), (), ()), "decoder_qkv_multiscales": ((), (), ()),
        "upsample_block_type": "interpolate", "downsample_block_type": "conv", "scaling_factor": 0.5,
        "decoder_norm_types": "batch_norm", "decoder_act_fns": "silu", "decoder_conv_act_fn": "silu",
    }  # fmt: skip
    return AutoencoderDC(**given | changes)


def _stages(kind: str, f: int) -> dict[str, Any]:
    n = f.bit_length()
    return {
        "block_out_channels": (8,) * n, "norm_num_groups": 4, "layers_per_block": 1,
        "down_block_types": ("DownEncoderBlock2D",) * n, "up_block_types": ("UpDecoderBlock2D",) * n,
    }  # fmt: skip


def save(
    folder: Path, make: Callable[..., Any] = kl, seed: int = 0, card: dict[str, Any] | None = None, **changes: Any
) -> Path:
    """A seeded model in a folder, with a card where one is given."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make(**changes)
        for p in model.parameters():  # so that no stage is silent
            p.data.add_(0.05 * torch.randn(p.shape))
    model.save_pretrained(folder)
    if card is not None:
        (folder / "codec_card.json").write_text(json.dumps({"ddbench_codec": 1, "name": folder.name, **card}))
    return folder


MODELS: dict[str, Callable[..., Any]] = {"kl": kl, "vq": vq, "tiny": tiny, "dc": dc}


@cache
def folder() -> Path:
    """A folder with a model of every class, some with other scales, and `in_domain`, trained (it says) on `made_up`."""
    root = Path(tempfile.mkdtemp(prefix="ddbench-models-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for name, make in MODELS.items():
        save(root / name, make)
    save(root / "kl_shifted", scaling_factor=1.5, shift_factor=0.3)
    save(root / "kl_spread", scaling_factor=0.5, latents_mean=(0.1, 0.2, 0.3, 0.4), latents_std=(1.0, 2.0, 3.0, 4.0))
    save(root / "unit_range", card={"range": [0, 1]})
    made_up = {"training_data": "Made-up pictures.", "datasets": ["made_up"]}
    save(root / "in_domain", tiny, card=made_up)
    save(root / "in_domain_spread", card=made_up, latents_mean=(0.1, 0.2, 0.3, 0.4), latents_std=(1.0, 2.0, 3.0, 4.0))
    return root


@contextmanager
def standing() -> Iterator[Path]:
    """DDBENCH_MODELS names that folder meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDBENCH_MODELS", str(folder()))
        yield folder()


def built(model: str, at: Target, **args: Any) -> Autoencoder:
    """The codec of one of these models."""
    with standing():
        return Autoencoder(AutoencoderConfig(model=model, **args), at)
