"""A codec for things that are the same on both sides: it stores the left half."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf


class Mirror(Codec):
    """`x [c, …, w] → mean of the left half and the mirrored right one [c, …, ⌈w/2⌉] → mirrored back → x̂ [c, …, w]`"""

    version = "1"
    source = "ddbench-example"
    code_leaf = "half"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        super().__init__(config, target)
        if not target.signal.extent:
            raise SpecError(f"The codec 'mirror' needs an axis behind the channels; found {target.signal.shape}.")
        self.width = target.signal.shape[-1]

    def leaves(self) -> tuple[Leaf, ...]:
        shape = (*self.target.signal.shape[:-1], -(-self.width // 2))
        return (Leaf("half", "item", shape, lr_scale=0.5),)  # a code moves two values of the signal

    def encode(self, x: Tensor, y: Tensor, shared: Codes) -> Codes:
        return {"half": (x + x.flip(-1))[..., : -(-self.width // 2)] / 2}

    def decode(self, codes: Codes, y: Tensor, generator: Generator) -> Decoded:
        half = codes["half"]
        assert isinstance(half, Tensor)
        x = torch.cat([half, half[..., : self.width // 2].flip(-1)], dim=-1)
        return Decoded(x, torch.arange(len(x), device=x.device))
