"""A whole split as codes, and the constants by which codes are standardised: for matching and for code students."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.errors import PluginError
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.dataset import Source

ENCODE_BATCH = 512


def encode_all(codec: Codec, shared: Codes, source: Source, device: torch.device) -> Float[Tensor, "n *shape"]:
    """The code leaf of every signal of a source, as the codec gives it, on the device.

    Signals are read and encoded a batch at a time, so that only their codes are ever held whole. `shared` are the
    class and set leaves that `encode` needs, on the device.
    """
    assert codec.code_leaf is not None, "the codec has a code space"
    encoded: Tensor | None = None
    start = 0
    with torch.no_grad():
        for x, y in source.batches(ENCODE_BATCH):
            code = codec.encode(x.to(device), y.to(device), shared)[codec.code_leaf]
            assert isinstance(code, Tensor)
            if encoded is None:
                encoded = code.new_empty(len(source), *code.shape[1:])
            encoded[start : start + len(code)] = code
            start += len(code)
    assert encoded is not None, "a split has signals"
    return encoded


def standardisation(encoded: Float[Tensor, "n c *extent"]) -> tuple[Float[Tensor, "c *one"], Float[Tensor, "c *one"]]:
    """(mean, standard deviation) of each channel over items and positions; the deviation of a constant channel is 1.

    `encoded` are codes of real training items: what is held out has no part in the constants.
    """
    axes = [0, *range(2, encoded.dim())]
    mean, std = encoded.mean(axes, keepdim=True)[0], encoded.std(axes, keepdim=True)[0]
    return mean, torch.where(std > 0, std, torch.ones_like(std))


def check_finite(encoded: Float[Tensor, "n *shape"], codec: Codec, whose: str) -> None:
    """Raises: PluginError where codes are not finite; `whose` they are, for the sentence."""
    spoilt = (~encoded.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
    if spoilt:
        raise PluginError(
            f"The codec {type(codec).__name__} gives codes that are not finite for {len(spoilt)} of {len(encoded)} "
            f"{whose}, the first at index {spoilt[0]}. Change its arguments, or stay in signal space."
        )
