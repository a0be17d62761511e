"""A whole split as codes, and the constants by which codes are standardised: for matching and for code students."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.data import Data, NormalisedSource
from ddbench.errors import PluginError
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.dataset import Source
from ddbench.store_shared import cached_each

ENCODE_BATCH = 512
"""Most signals that are read at once,"""
ENCODE_VALUES = 2**24
"""and most values of theirs (64 MB in float32)."""

Tell = Callable[[float], None]
"""Told the share that is done."""


def encode_split(
    codec: Codec,
    shared: Codes,
    data: Data,
    split: Literal["train", "held_out"],
    device: torch.device,
    tell: Tell = lambda fraction: None,
) -> Float[Tensor, "n *shape"]:
    """The codes of a whole split, on the device: from the cache, or put there, where the codec keeps its encodings."""
    source = NormalisedSource(data.train if split == "train" else data.held_out, data.card.signal)
    if not codec.keeps_encodings:
        return encode_all(codec, shared, source, device, tell)
    signal = data.card.signal
    said = ["mask"] if signal.mask else []  # what was kept before there were masks keeps its name
    named = {
        "dataset": data.card.name, "revision": data.card.revision, "evaluate_on": data.evaluate_on, "split": split,
        "signal": [list(signal.shape), list(signal.mean), list(signal.std), signal.low, signal.high, *said],
        "codec": codec.title, "version": codec.version, "args": codec.encodes_by,
    }  # fmt: skip

    def compute(_: list[int]) -> list[dict[str, Tensor]]:
        return [{"codes": encode_all(codec, shared, source, device, tell).cpu()}]

    ((_, found),) = cached_each("codes", [named], compute)
    return found["codes"].to(device)


def encode_batch(shape: tuple[int, ...]) -> int:
    """Signals of that shape that are encoded at once where a whole source is."""
    return max(1, min(ENCODE_BATCH, ENCODE_VALUES // prod(shape)))


def encode_all(
    codec: Codec, shared: Codes, source: Source, device: torch.device, tell: Tell = lambda fraction: None
) -> Float[Tensor, "n *shape"]:
    """The code leaf of every signal of a source, as the codec gives it, on the device.

    Signals are read and encoded a batch at a time, so that only their codes are ever held whole. `shared` are the
    class and set leaves that `encode` needs, on the device.
    """
    assert codec.code_leaf is not None, "the codec has a code space"
    encoded: Tensor | None = None
    start = 0
    with torch.no_grad():
        for x, y in source.batches(encode_batch(codec.target.signal.shape)):
            code = codec.encode(x.to(device), y.to(device), shared)[codec.code_leaf]
            assert isinstance(code, Tensor)
            if encoded is None:
                encoded = code.new_empty(len(source), *code.shape[1:])
            encoded[start : start + len(code)] = code
            start += len(code)
            tell(start / len(source))
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
            f"The codec {codec.title} gives codes that are not finite for {len(spoilt)} of {len(encoded)} "
            f"{whose}, the first at index {spoilt[0]}. Change its arguments, or stay in signal space."
        )
